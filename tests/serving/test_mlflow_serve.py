"""The default task behind `mlflow models serve` and behind this project's server."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import requests

from tests.conftest import VENV, Project
from training.graph import Graph

pytestmark = pytest.mark.xdist_group("flights")

MODEL_OF = """
from mlflow import MlflowClient
print(MlflowClient().get_model_version_by_alias("flights", "{}").tags["model"])
"""
Row = dict[str, Any]
SERVERS = {
    "mlflow": ["mlflow", "models", "serve", "-m", "models:/flights/Production", "--env-manager", "local", "-p", "5081"],
    "this": ["make", "serve", "PORT=5081"],
}
SERVED_ALONE = ("mlflow-skinny", "sqlalchemy", "alembic", "pandas", "onnxruntime")


@pytest.fixture(scope="module")
def rows(flights: tuple[Project, str]) -> list[Row]:
    """Two test rows, one with missing values and an unknown category."""
    table = pd.read_parquet(flights[0].root / "data/prepared/flights/test.parquet").drop(columns="arrival")
    first, second = (
        {name: None if value != value else value for name, value in row.items()}
        for row in table.astype(object).head(2).to_dict(orient="records")
    )
    second |= {"carrier": None, "dest": "nowhere", "temp": None, "seats": None}
    return [first, second]


@pytest.fixture(scope="module", params=SERVERS)
def address(flights: tuple[Project, str], request: pytest.FixtureRequest) -> Iterator[str]:
    with flights[0].serving(*SERVERS[request.param], port=5081) as running:
        yield running


def layouts(rows: list[Row]) -> dict[str, Any]:
    names = list(rows[0])
    return {
        "dataframe_records": rows,
        "dataframe_split": {"columns": names, "data": [[row[name] for name in names] for row in rows]},
        "instances": rows,
        "inputs": {name: [row[name] for row in rows] for name in names},
    }


def expected(project: Project, rows: list[Row], stage: str) -> list[Row]:
    model = project.ok("python", "-W", "ignore", "-c", MODEL_OF.format(stage)).splitlines()[-1]
    return Graph(project.root / f"candidates/flights/{model}/graph.onnx").predict(pd.DataFrame(rows)).to_dict("records")


def same(answers: list[Row], wanted: list[Row]) -> bool:
    return all(
        answer["label"] == want["label"]
        and all(answer[name] == pytest.approx(want[name], abs=1e-6) for name in want if name != "label")
        for answer, want in zip(answers, wanted, strict=True)
    )


@pytest.mark.parametrize("layout", ["dataframe_records", "dataframe_split", "instances", "inputs"])
def test_each_layout_is_answered_with_what_the_graph_answers(
    flights: tuple[Project, str], address: str, rows: list[Row], layout: str
) -> None:
    body = {layout: layouts(rows)[layout]}
    response = requests.post(f"{address}/invocations", json=body, timeout=60)
    assert response.status_code == 200, response.text
    answers = response.json()["predictions"]
    assert set(answers[0]) == {"label", "probability_on_time", "probability_late"}
    assert same(answers, expected(flights[0], rows, "production"))


@pytest.mark.parametrize("layout", ["dataframe_records", "dataframe_split", "instances", "inputs"])
def test_a_single_row_of_missing_values_is_answered_in_each_layout(address: str, rows: list[Row], layout: str) -> None:
    body = {layout: layouts([dict.fromkeys(rows[0])])[layout]}
    response = requests.post(f"{address}/invocations", json=body, timeout=60)
    assert response.status_code == 200, response.text
    assert len(response.json()["predictions"]) == 1


@pytest.mark.parametrize("misspelt", [{}, {"carier": "UA"}])
def test_a_missing_or_misspelt_column_is_a_400_that_names_it(address: str, rows: list[Row], misspelt: Row) -> None:
    row = {name: value for name, value in rows[0].items() if name != "carrier"} | misspelt
    response = requests.post(f"{address}/invocations", json={"dataframe_records": [row]}, timeout=60)
    assert response.status_code == 400
    assert "carrier" in response.json()["message"]


def test_a_text_in_a_number_column_is_a_400(address: str, rows: list[Row]) -> None:
    body = {"dataframe_records": [rows[0] | {"distance": "far"}]}
    response = requests.post(f"{address}/invocations", json=body, timeout=60)
    assert response.status_code == 400
    assert "distance" in response.json()["message"]


def test_staging_is_served_by_the_same_command(flights: tuple[Project, str], rows: list[Row]) -> None:
    with flights[0].serving("make", "serve", "STAGE=Staging", "PORT=5082", port=5082) as running:
        answers = requests.post(f"{running}/invocations", json={"instances": rows}, timeout=60).json()["predictions"]
    assert same(answers, expected(flights[0], rows, "staging"))


def test_a_version_is_served_without_this_repository_tensorflow_and_scikit_learn(
    flights: tuple[Project, str], rows: list[Row], tmp_path: Path
) -> None:
    project, uv = flights[0], str(VENV / "bin/uv")
    subprocess.run([uv, "venv", "-q", "--python", sys.executable, tmp_path / "env"], check=True)
    python = tmp_path / "env/bin/python"
    install = [uv, "pip", "install", "-q", "--python", python, "--compile-bytecode", "-c", "requirements.lock"]
    subprocess.run([*install, *SERVED_ALONE], cwd=project.root, check=True)
    listed = subprocess.run([uv, "pip", "list", "--python", python], capture_output=True, text=True, check=True).stdout
    assert "tensorflow" not in listed
    assert "scikit-learn" not in listed
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    env = project.env | {
        "PATH": f"{tmp_path}/env/bin:/usr/bin:/bin",
        "MLFLOW_TRACKING_URI": f"sqlite:///{project.root}/mlflow.db",
    }
    command = [str(tmp_path / "env/bin/mlflow"), "models", "serve", "-m", "models:/flights/1", "--env-manager", "local"]
    with Project(elsewhere, env).serving(*command, "-p", "5083", port=5083) as running:
        answers = requests.post(f"{running}/invocations", json={"instances": rows}, timeout=60).json()["predictions"]
    assert {answer["label"] for answer in answers} <= {"on_time", "late"}
    assert len(answers) == 2
