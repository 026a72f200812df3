"""Requests that Schemathesis makes from the description: none fails the server, and each answer is a described one."""

from collections import Counter
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi import checks

pytestmark = pytest.mark.xdist_group("describe")

CHECKS = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
    checks.response_headers_conformance,
]
SETTINGS = settings(
    max_examples=5,
    derandomize=True,
    deadline=None,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
SAME = "^/api/|@champion|/Staging/|/notes/Production"  # other paths lead to the same


@schemathesis.serializer("text/csv", "application/vnd.apache.parquet")
def _as_it_is(_: Any, value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode(errors="replace")


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
def test_no_request_that_the_description_leads_to_fails_the_server(running: str, mode: GenerationMode) -> None:
    schema = schemathesis.openapi.from_url(f"{running}/openapi.json").exclude(path_regex=SAME)
    session, statuses, found = requests.Session(), Counter[int](), {}

    def ask(case: Case) -> None:
        answer = case.call(session=session, timeout=30)
        statuses[answer.status_code] += 1
        try:
            case.validate_response(answer, checks=CHECKS)
        except AssertionError as error:
            found[case.operation.label, answer.status_code] = f"{case.as_curl_command()}\n{error}"

    for operation in schema.get_all_operations():
        cases = operation.ok().as_strategy(generation_mode=mode)
        try:
            SETTINGS(given(case=cases)(ask))()
        except Unsatisfiable:
            assert mode is GenerationMode.NEGATIVE  # a page without a parameter cannot be asked in a wrong way
    assert not found, "\n\n".join(found.values())
    assert statuses[200 if mode is GenerationMode.POSITIVE else 400] > 50, statuses
