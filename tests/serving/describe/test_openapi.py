"""The description of the API, held against the API."""

import json
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest
import requests

from serving.describe.older import older

pytestmark = pytest.mark.xdist_group("describe")


@pytest.fixture(scope="module")
def document(running: str) -> dict[str, Any]:
    return requests.get(f"{running}/openapi.json", timeout=30).json()


def operations(document: dict[str, Any], method: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, item in document["paths"].items():
        if method in item:
            for parameter in item[method].get("parameters", ()):
                value = parameter.get("example", parameter["schema"].get("enum", ["people"])[0])
                path = path.replace(f"{{{parameter['name']}}}", "1" if parameter["name"] == "reference" else str(value))
            yield path, item[method]


def shown(content: dict[str, Any]) -> list[Any]:
    found = [one["value"] for one in content.get("examples", {}).values()]
    return found + ([content["example"]] if "example" in content else [])


def fits(document: dict[str, Any], schema: dict[str, Any], value: Any) -> bool:
    validator = jsonschema_rs.Draft202012Validator(schema | {"components": document["components"]})
    return bool(validator.is_valid(value))


def test_every_example_is_answered_and_fits_its_own_schema(running: str, document: dict[str, Any]) -> None:
    sent = 0
    for path, operation in operations(document, "post"):
        answers = operation["responses"]["200"]["content"]["application/json"]["schema"]
        for kind, content in operation["requestBody"]["content"].items():
            for example in shown(content):
                assert fits(document, content["schema"], example), (path, example)
                body = example if kind == "text/csv" else json.dumps(example)
                answer = requests.post(running + path, data=body, headers={"Content-Type": kind}, timeout=30)
                assert answer.status_code == 200, (path, example, answer.text)
                assert fits(document, answers, answer.json()), (path, answer.text)
                sent += 1
    assert sent > 60


def test_every_page_is_there_and_fits_its_schema(running: str, document: dict[str, Any]) -> None:
    for path, operation in operations(document, "get"):
        answer = requests.get(running + path, timeout=30)
        assert answer.status_code == 200, (path, answer.text)
        if path not in ("/ping", "/health", "/version", "/metrics"):
            schema = operation["responses"]["200"]["content"]["application/json"]["schema"]
            assert fits(document, schema, answer.json()), (path, answer.text)


def test_columns_have_their_types_and_labels_their_classes(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    columns = schemas["people.Record"]["properties"]
    assert {name: column["type"] for name, column in columns.items()} == {
        "age": ["number", "null"],
        "member": ["boolean", "null"],
        "plan": ["string", "null"],
        "note": ["string", "null"],
        "since": ["string", "null"],
    }
    assert columns["since"]["format"] == "date-time"
    assert schemas["people.Prediction"]["properties"]["prediction"]["items"]["enum"] == ["no", "yes"]
    steps = schemas["motion.Record"]["properties"]["steps"]
    assert (steps["minItems"], steps["maxItems"], steps["items"]["minItems"], steps["items"]["maxItems"]) == (
        3,
        3,
        2,
        2,
    )
    assert (steps["items"]["items"]["minimum"], steps["items"]["items"]["maximum"]) == (-9, 9)


@pytest.mark.parametrize(
    "body",
    [
        {"features": [[41.5, True, "basic", "good"]]},
        {"features": [[41.5, True, "basic", ["good"], "2020-01-01T00:00:00Z"]]},
        {"features": []},
        {"features": [[41.5, True, "basic", "good", None]], "input_data": [[41.5, True, "basic", "good", None]]},
    ],
)
def test_a_body_that_the_server_refuses_is_none_that_the_schema_allows(
    running: str, document: dict[str, Any], body: dict[str, Any]
) -> None:
    assert requests.post(f"{running}/predict", json=body, timeout=30).status_code == 400
    assert not fits(document, {"$ref": "#/components/schemas/people.Predict"}, body)


def test_operations_have_names_of_their_own(document: dict[str, Any]) -> None:
    names = [operation["operationId"] for item in document["paths"].values() for operation in item.values()]
    assert len(names) == len(set(names))


def test_the_older_form_has_nothing_that_only_the_newer_one_knows(running: str, document: dict[str, Any]) -> None:
    found = requests.get(f"{running}/docs/openapi.json", timeout=30).json()
    assert found == older(document)
    assert found["openapi"] == "3.0.3"
    assert found["components"]["schemas"]["people.Record"]["properties"]["plan"] == {
        "title": "plan",
        "type": "string",
        "nullable": True,
    }

    def words(node: Any) -> Iterator[str]:
        if isinstance(node, dict):
            for key, value in node.items():
                yield key
                if key not in ("example", "examples", "enum", "properties"):
                    yield from words(value)
                if key == "type":
                    assert isinstance(value, str)
        elif isinstance(node, list):
            for one in node:
                yield from words(one)

    assert not {"prefixItems", "const", "contains", "contentMediaType"} & set(words(found["components"]))
