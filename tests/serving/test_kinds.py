"""Every kind of column through MLflow's own scoring server, in each of its layouts."""

import contextlib
import json
import os
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
import requests
import uvicorn
from mlflow import MlflowClient
from mlflow.pyfunc import scoring_server

from registry import versions
from registry.card import call
from tests.conftest import VENV
from tests.serving.conftest import people
from training import candidate
from training.graph import Graph

pytestmark = pytest.mark.xdist_group("kinds")

ROW = {"age": 41.5, "member": True, "plan": "basic", "note": "good fine", "since": "2020-05-01"}
Row = dict[str, Any]
LAYOUTS = ("dataframe_records", "dataframe_split", "instances", "inputs")


class Served:
    """A registered version behind MLflow's scoring server, and its graph."""

    def __init__(self, task: str) -> None:
        found = candidate.read(task, task)
        assert found is not None
        version, _ = versions.ensure(MlflowClient(), found)
        self.graph = Graph(found.graph)
        self.model = mlflow.pyfunc.load_model(f"models:/{task}/{version.version}")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        config = uvicorn.Config(scoring_server.init(self.model), port=self.port, log_level="error")
        self.server = uvicorn.Server(config)
        self.thread = threading.Thread(target=self.server.run, daemon=True)
        self.thread.start()
        while not self.server.started:
            time.sleep(0.02)

    def post(self, body: str | Row) -> requests.Response:
        text = body if isinstance(body, str) else json.dumps(body)
        head = {"Content-Type": "application/json"}
        return requests.post(f"http://127.0.0.1:{self.port}/invocations", data=text, headers=head, timeout=30)

    def answers(self, body: Row) -> list[Row]:
        response = self.post(body)
        assert response.status_code == 200, response.text
        return response.json()["predictions"]

    def refusal(self, body: str | Row) -> str:
        response = self.post(body)
        assert response.status_code == 400, response.text
        return response.json()["message"]


@pytest.fixture(scope="module")
def served(kinds: Path) -> Iterator[dict[str, Served]]:
    with pytest.MonkeyPatch.context() as patch, contextlib.ExitStack() as stack:
        patch.chdir(kinds)
        mlflow.set_tracking_uri(f"sqlite:///{kinds}/mlflow.db")
        running = {}
        for name in ("people", "words", "motion"):
            running[name] = one = Served(name)
            stack.callback(setattr, one.server, "should_exit", True)
        yield running


def layout(name: str, rows: list[Row]) -> Row:
    columns = list(rows[0])
    return {
        "dataframe_records": {name: rows},
        "dataframe_split": {name: {"columns": columns, "data": [list(row.values()) for row in rows]}},
        "instances": {name: rows},
        "inputs": {name: {column: [row[column] for row in rows] for column in columns}},
    }[name]


def same(answers: list[Row], graph: Graph, rows: list[Row]) -> bool:
    table = pd.DataFrame({name: pd.Series([row[name] for row in rows], dtype=object) for name in rows[0]})
    expected = graph.predict(table).to_dict("records")
    assert len(answers) == len(expected)
    return all(
        answer["label"] == want["label"]
        and all(answer[name] == pytest.approx(want[name], abs=1e-6) for name in want if name != "label")
        for answer, want in zip(answers, expected, strict=True)
    )


NULLS = [ROW | {name: None} for name in ROW]
BATCHES = {
    "one row": [ROW],
    "one row of nulls": [dict.fromkeys(ROW)],
    "each column null in turn": [ROW, *NULLS],
    "times with and without a zone": [ROW | {"since": at} for at in ("2020-05-01T23:30:00-05:00", "2020-05-02", None)],
    "a whole number in place of a fraction": [ROW | {"age": 41, "member": False}, ROW],
    "a category that is a number in JSON": [ROW | {"plan": 3}, ROW | {"plan": None}],
}


@pytest.mark.parametrize("name", LAYOUTS)
@pytest.mark.parametrize("batch", BATCHES)
def test_each_layout_is_answered_with_what_the_graph_answers(served: dict[str, Served], name: str, batch: str) -> None:
    one = served["people"]
    assert same(one.answers(layout(name, BATCHES[batch])), one.graph, BATCHES[batch])


def test_a_null_is_a_missing_value_and_not_the_text_none(served: dict[str, Served]) -> None:
    graph = served["people"].graph
    chances = graph.score(pd.DataFrame([ROW, *NULLS, ROW | {"plan": "None"}, ROW | {"note": "None"}]).astype(object))[1]
    assert len(np.unique(chances[:6, 1])) == 6
    assert chances[3, 1] != chances[6, 1]


def test_a_moment_is_the_same_in_every_zone_and_utc_without_one(served: dict[str, Served]) -> None:
    times = ["2020-05-02T04:30:00Z", "2020-05-01T23:30:00-05:00", "2020-05-02T04:30:00", "2020-05-02 04:30:00.000"]
    rows = [ROW | {"since": at} for at in [*times, "2020-05-01T23:30:00Z"]]
    chances = [row["probability_yes"] for row in served["people"].answers(layout("inputs", rows))]
    assert len(set(chances[:4])) == 1
    assert chances[4] != chances[0]


@pytest.mark.parametrize("name", LAYOUTS)
@pytest.mark.parametrize("rows", [1, 3])
def test_columns_of_nothing_but_texts_are_rows_and_not_one_list(
    served: dict[str, Served], name: str, rows: int
) -> None:
    batch = [{"plan": "basic", "note": "good"}, {"plan": "plus", "note": "bad"}, {"plan": "", "note": "so so"}][:rows]
    assert same(served["words"].answers(layout(name, batch)), served["words"].graph, batch)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"age": "old"}, "'old'"),
        ({"member": 2}, "member: a value is neither true nor false"),
        ({"member": "maybe"}, "'maybe'"),
        ({"since": "soon"}, "since: Time data soon is not ISO8601"),
        ({"since": 1588327200}, "since: 1588327200 is no time"),
        ({"note": ["good"]}, "note: a value is a list"),
        ({"plan": {"a": 1}}, "plan: a value is a list or an object"),
    ],
)
def test_a_wrong_value_is_a_400_that_says_what_is_wrong(served: dict[str, Served], change: Row, said: str) -> None:
    assert said in served["people"].refusal({"dataframe_records": [ROW | change]})


def test_a_number_that_is_too_large_is_a_400(served: dict[str, Served]) -> None:
    body = json.dumps({"dataframe_records": [ROW]})
    assert "age: a value is not finite" in served["people"].refusal(body.replace("41.5", "1e400"))
    assert "age: a value is not finite" in served["people"].refusal(body.replace("41.5", "1e39"))


@pytest.mark.parametrize("name", LAYOUTS)
@pytest.mark.parametrize("gone", list(ROW))
def test_a_missing_column_is_a_400_that_names_it(served: dict[str, Served], name: str, gone: str) -> None:
    row = {column: value for column, value in ROW.items() if column != gone}
    assert f"['{gone}']" in served["people"].refusal(layout(name, [row]))


STEPS = (np.arange(10).reshape(5, 2) / 2).tolist()


@pytest.mark.parametrize(
    "body",
    [
        {"inputs": {"steps": [STEPS, STEPS]}},
        {"inputs": [STEPS, STEPS]},
        {"instances": [{"steps": STEPS}, {"steps": STEPS}]},
        {"instances": [STEPS, STEPS]},
    ],
    ids=["inputs", "bare inputs", "instances", "bare instances"],
)
def test_nested_lists_are_a_tensor_in_both_layouts_that_take_one(served: dict[str, Served], body: Row) -> None:
    one = served["motion"]
    expected = one.graph.predict({"steps": np.array([STEPS, STEPS])}).to_dict("records")
    answers = one.answers(body)
    assert [answer["label"] for answer in answers] == [want["label"] for want in expected]
    assert answers[0]["probability_True"] == pytest.approx(expected[0]["probability_True"], abs=1e-6)


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        (STEPS[:4], "(1, 4, 2) does not match expected shape (-1, 5, 2)"),
        ([*STEPS[:4], [1.0]], "inhomogeneous"),
        (np.full((5, 2), 9.5).tolist(), "steps: a value lies outside -9 to 9"),
        ([[None, 1.0], *STEPS[1:]], "steps: a value lies outside -9 to 9, or is missing"),
        ([["a", 1.0], *STEPS[1:]], "could not convert string to float"),
        (None, "does not match expected shape"),
    ],
    ids=["shape", "ragged", "range", "missing", "text", "null"],
)
@pytest.mark.parametrize("name", ["inputs", "instances"])
def test_a_wrong_tensor_is_a_400_that_says_what_is_wrong(
    served: dict[str, Served], name: str, steps: Any, said: str
) -> None:
    body = {"inputs": {"inputs": {"steps": [steps]}}, "instances": {"instances": [{"steps": steps}]}}[name]
    assert said in served["motion"].refusal(body)


@pytest.mark.parametrize(("name", "shown"), [("people", True), ("words", True), ("motion", True), ("motion", False)])
def test_the_command_of_a_model_card_answers_as_pasted(
    served: dict[str, Served], name: str, shown: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    example = call.example(name, "1")
    monkeypatch.setattr(call, "SHORT", len(json.dumps(example)) if shown else 0)
    command = call.commands(name, "1", example)[1].replace(":5001/", f":{served[name].port}/")
    path = f"{VENV / 'bin'}:{os.environ['PATH']}"
    env = os.environ | {"PATH": path, "MLFLOW_TRACKING_URI": mlflow.get_tracking_uri()}
    done = subprocess.run(["bash", "-c", command], cwd=tmp_path, env=env, capture_output=True, text=True, check=True)
    answers = json.loads(done.stdout.splitlines()[-1])["predictions"]
    for answer, expected in zip(answers, served[name].answers(example), strict=False):
        assert answer == pytest.approx(expected, abs=1e-6)
    assert ("artifacts download" in command) != shown


def test_the_label_follows_the_threshold_that_was_chosen(served: dict[str, Served]) -> None:
    one = served["people"]
    threshold = one.graph.decision["threshold"]
    answers = one.answers(layout("dataframe_records", [ROW | {"age": float(age)} for age in range(20, 70)]))
    assert {answer["label"] for answer in answers} == {"yes", "no"}
    for answer in answers:
        assert answer["label"] == ("yes" if np.float32(answer["probability_yes"]) >= np.float32(threshold) else "no")


def test_a_table_of_pandas_types_is_scored_by_the_loaded_model(served: dict[str, Served]) -> None:
    one = served["people"]
    table = people(20).drop(columns="left").astype({"member": float})
    pd.testing.assert_frame_equal(one.model.predict(table), one.graph.predict(table))
