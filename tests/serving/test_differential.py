"""The same requests to the real `mlflow models serve` and to this server get the same answers, but for a few known."""

import math
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pandas as pd
import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mlflow.pyfunc.scoring_server.client import ScoringServerClient

from tests.conftest import ROOT, VENV
from tests.servers.started import Server, free_port
from tests.serving.protocol.drawn import bodies, tables
from tests.serving.sent import CONTRACTS, CSV, KNOWN, ROW, SENT, Sent, as_json

pytestmark = pytest.mark.xdist_group("kinds")

drawn = settings(
    max_examples=60, derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck)
)


@dataclass
class Pair:
    """Both servers' addresses of a model."""

    mlflow: str
    ours: str
    session: requests.Session = field(default_factory=requests.Session)

    def ask(self, sent: Sent) -> tuple[requests.Response, requests.Response]:
        head = {} if sent.content_type is None else {"Content-Type": sent.content_type}
        theirs, ours = (
            self.session.post(address, data=sent.body, headers=head, timeout=60) for address in (self.mlflow, self.ours)
        )
        return theirs, ours

    def difference(self, sent: Sent) -> str:
        """How the answers differ; empty if they do not. A refusal of ours must tell nothing of the caller's rows."""
        theirs, ours = self.ask(sent)
        if ours.status_code != 200:
            told = [text for text in sent.texts() if text in ours.text]
            assert not told, f"{told} in {ours.text}"
            assert "Traceback" not in ours.text
        if theirs.status_code != ours.status_code:
            return f"{theirs.status_code} {theirs.text[:300]} | {ours.status_code} {ours.text[:300]}"
        if theirs.headers["content-type"].split(";")[0] != ours.headers["content-type"].split(";")[0]:
            return f"{theirs.headers['content-type']} | {ours.headers['content-type']}"
        if ours.status_code == 415:
            return ""
        if ours.status_code != 200:
            assert set(ours.json()) == {"error_code", "message"}
            same = theirs.json()["error_code"] == ours.json()["error_code"]
        else:
            same = _same(theirs.json(), ours.json())
        return "" if same else f"{theirs.text[:300]} | {ours.text[:300]}"


def _same(theirs: Any, ours: Any) -> bool:
    if isinstance(theirs, dict) and isinstance(ours, dict):
        return list(theirs) == list(ours) and all(_same(theirs[name], ours[name]) for name in theirs)
    if isinstance(theirs, list) and isinstance(ours, list):
        return len(theirs) == len(ours) and all(map(_same, theirs, ours))
    if isinstance(theirs, float) and isinstance(ours, float):
        return math.isclose(theirs, ours, abs_tol=1e-6)
    return bool(theirs == ours)


@pytest.fixture(scope="module")
def pairs(kinds: Path) -> Iterator[dict[str, Pair]]:
    env = os.environ | {
        "PATH": f"{VENV / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "MLFLOW_TRACKING_URI": f"sqlite:///{kinds}/mlflow.db",
        "PYTHONPATH": str(ROOT),
        "OMP_NUM_THREADS": "1",
    }

    def server(name: str, path: str, *command: str) -> Server:
        port = free_port()
        return Server([*command, str(port)], port, kinds / f"{name}.log", kinds, env, path)

    scoring = ("models", "serve", "--env-manager", "local", "-m")
    theirs = {
        task: server(f"mlflow-{task}", "/ping", str(VENV / "bin/mlflow"), *scoring, f"models:/{task}/1", "-p")
        for task in CONTRACTS
    }
    python = str(VENV / "bin/python")
    ours = server("ours", "/ready", python, "-m", "serving", "--default", "people/1", "--port")
    with ExitStack() as stack, ThreadPoolExecutor() as threads:
        for running in [threads.submit(stack.enter_context, one) for one in (*theirs.values(), ours)]:
            running.result()
        yield {
            task: Pair(
                f"{one.address}/invocations",
                ours.address + ("" if task == "people" else f"/models/{task}/1") + "/invocations",
            )
            for task, one in theirs.items()
        }


def test_requests_right_and_wrong_are_answered_alike(pairs: dict[str, Pair]) -> None:
    assert len(SENT) >= 300
    differing = [f"{sent}: {how}" for sent in SENT if (how := pairs[sent.task].difference(sent))]
    assert not differing, "\n".join(differing)


@pytest.mark.parametrize("task", CONTRACTS)
@drawn
@given(st.data())
def test_drawn_requests_are_answered_alike(pairs: dict[str, Pair], task: str, data: st.DataObject) -> None:
    assert pairs[task].difference(Sent(task, data.draw(bodies(CONTRACTS[task], least=1)))) == ""


@drawn
@given(tables(("age", "member")))
def test_drawn_tables_are_answered_alike(pairs: dict[str, Pair], body: bytes) -> None:
    assert pairs["counts"].difference(Sent("counts", body, CSV)) == ""


@pytest.mark.parametrize(("why", "sent", "theirs", "ours"), KNOWN, ids=[why for why, *_ in KNOWN])
def test_what_is_known_to_be_answered_otherwise_still_is(
    pairs: dict[str, Pair], why: str, sent: Sent, theirs: int, ours: int
) -> None:
    both = Pair(pairs[sent.task].mlflow, pairs[sent.task].ours)  # after a 500 MLflow closes the connection
    assert tuple(answer.status_code for answer in both.ask(sent)) == (theirs, ours)


def test_refusals_of_mlflow_quote_the_rows_and_ours_do_not(pairs: dict[str, Pair]) -> None:
    theirs, ours = pairs["people"].ask(as_json("people", {"inputs": [ROW | {"note": "a secret", "age": "no number"}]}))
    assert set(theirs.json()) - set(ours.json()) == {"sqlstate", "error_class"}
    assert "no number" in theirs.text
    theirs, ours = pairs["people"].ask(as_json("people", {"inputs": [{"note": "a secret"}]}))
    assert "a secret" in theirs.text
    assert "a secret" not in ours.text


@pytest.mark.parametrize("path", ["ping", "health", "version"])
def test_the_other_addresses_answer_alike(pairs: dict[str, Pair], path: str) -> None:
    addresses = pairs["people"].mlflow, pairs["people"].ours
    theirs, ours = (requests.get(address.replace("invocations", path), timeout=9) for address in addresses)
    assert (ours.status_code, ours.text) == (theirs.status_code, theirs.text)
    assert ours.headers["content-type"] == theirs.headers["content-type"]


def test_the_scoring_client_of_mlflow_asks_this_server(pairs: dict[str, Pair]) -> None:
    theirs, ours = (
        ScoringServerClient("127.0.0.1", urlsplit(address).port)
        for address in (pairs["people"].mlflow, pairs["people"].ours)
    )
    ours.ping()  # fails if there is no answer of status 200
    assert ours.get_version() == theirs.get_version()
    table = pd.DataFrame([ROW, ROW | {"age": None, "plan": None}])
    pd.testing.assert_frame_equal(ours.invoke(table).get_predictions(), theirs.invoke(table).get_predictions())
    pd.testing.assert_frame_equal(ours.invoke([ROW]).get_predictions(), theirs.invoke([ROW]).get_predictions())
