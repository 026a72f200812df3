"""`dvc repro` on a user's own table, with real DVC and MLflow."""

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
import requests

from tests.conftest import SMALL_PARAMS, Project, churn_table, small_project

pytestmark = pytest.mark.xdist_group("repro")

STAGES = """
import sys
from mlflow import MlflowClient
client = MlflowClient()
for version in sorted(client.search_model_versions("name = 'churn'"), key=lambda one: int(one.version)):
    print(version.version, version.current_stage, version.tags["model"], version.tags["verdict"], sep=",")
print(*(f"{name}={number}" for name, number in sorted(client.get_registered_model("churn").aliases.items())), sep=",")
print(len(client.search_runs([client.get_experiment_by_name("churn").experiment_id])))
"""


def registry(project: Project) -> list[str]:
    """Each version as number,stage,model,verdict; then the aliases; then how many runs there are."""
    return project.ok("python", "-W", "ignore", "-c", STAGES).splitlines()


def digest(project: Project, model: str = "churn-logistic") -> str:
    record = project.root / "candidates/churn" / model / "candidate.json"
    return str(json.loads(record.read_text(encoding="utf-8"))["digest"])


def test_a_users_table_reaches_production(done: Project) -> None:
    assert registry(done) == ["1,Production,churn-logistic,better", "production=1", "1"]


def test_a_second_repro_trains_and_registers_nothing(again: Project) -> None:
    output = again.ok("dvc", "repro")
    assert "churn: the source is as it was" in output
    assert "Stage 'prepare@churn' didn't change, skipping" in output
    assert "Stage 'train@churn-logistic' didn't change, skipping" in output
    assert "Registered: nothing new" in output
    assert registry(again) == ["1,Production,churn-logistic,better", "production=1", "1"]


def test_a_lost_snapshot_is_taken_again_and_nothing_after_it_runs(again: Project) -> None:
    shutil.rmtree(again.root / "data/raw")
    output = again.ok("dvc", "repro", "prepare@churn")
    assert "churn: 1,500 rows of 4 columns" in output
    assert "Stage 'prepare@churn' didn't change, skipping" in output


def test_a_query_is_asked_again_and_equal_rows_run_nothing_while_dvc_keeps_no_password(again: Project) -> None:
    url = "url: 'sqlite:///${SHOP}', query: select * from churn"
    again.replace("params.yaml", "path: churn.csv", url)
    for change, said in ((None, "Running"), (None, "skipping"), ("delete from churn where visits = 1", "Running")):
        with closing(sqlite3.connect(again.root / "shop.db")) as database, database:
            if said == "Running" and change is None:
                churn_table().to_sql("churn", database, index=False)
            elif change:
                database.execute(change)
        output = again.ok("dvc", "repro", "prepare@churn", SHOP="shop.db")
        prepared = (
            "Running stage 'prepare@churn'" if said == "Running" else "Stage 'prepare@churn' didn't change, skipping"
        )
        assert prepared in output
    assert "shop.db" not in (again.root / "dvc.lock").read_text(encoding="utf-8")


def test_a_changed_parameter_runs_only_what_depends_on_it_and_dvc_shows_the_change(again: Project) -> None:
    again.replace("params.yaml", "C: 1.0", "C: 0.00001")
    output = again.ok("dvc", "repro")
    assert "Stage 'prepare@churn' didn't change, skipping" in output
    assert "Running stage 'train@churn-logistic'" in output
    assert registry(again)[:3] == [
        "1,Production,churn-logistic,better",
        "2,Staging,churn-logistic,not better",
        "production=1,staging=2",
    ]
    assert "models.churn-logistic.params.C" in again.ok("dvc", "params", "diff")
    assert "test.auc" in again.ok("dvc", "metrics", "diff")
    again.ok("dvc", "plots", "diff")
    assert (again.root / "dvc_plots/index.html").is_file()


def test_a_forced_repro_gives_the_same_bytes_and_no_second_version(again: Project) -> None:
    before = digest(again)
    again.ok("dvc", "repro", "--force")
    assert digest(again) == before
    assert registry(again)[:2] == ["1,Production,churn-logistic,better", "production=1"]


def test_an_emptied_mlflow_is_filled_again_from_the_cache(again: Project) -> None:
    (again.root / "mlflow.db").unlink()
    shutil.rmtree(again.root / "mlruns")
    output = again.ok("dvc", "repro")
    assert "Stage 'train@churn-logistic' didn't change, skipping" in output
    assert registry(again) == ["1,Production,churn-logistic,better", "production=1", "1"]


def test_a_candidate_no_longer_declared_is_not_considered(again: Project) -> None:
    again.replace("params.yaml", "churn-logistic:", "churn-renamed:")
    (again.root / "mlflow.db").unlink()
    again.replace("params.yaml", "C: 1.0", "C: 0.5")
    again.ok("dvc", "repro")
    assert (again.root / "candidates/churn/churn-logistic/graph.onnx").exists()
    assert registry(again)[0] == "1,Production,churn-renamed,better"


def test_an_experiment_sets_a_parameter_from_the_command_line(again: Project) -> None:
    again.ok("dvc", "exp", "run", "-S", "models.churn-logistic.params.C=0.01", "-n", "smaller")
    assert "smaller" in again.ok("dvc", "exp", "show", "--csv")
    assert "C: 0.01" in (again.root / "params.yaml").read_text(encoding="utf-8")


def test_a_users_table_is_answered_for_over_http(done: Project) -> None:
    rows = churn_table(seed=5).head(3)[["tenure", "plan", "visits"]]
    body = {"dataframe_split": json.loads(rows.to_json(orient="split", index=False))}
    with done.serving("make", "serve", "TASK=churn", "PORT=5071", port=5071) as address:
        answers = requests.post(f"{address}/invocations", json=body, timeout=30).json()["predictions"]
    assert [set(answer) for answer in answers] == [{"label", "probability_no", "probability_yes"}] * 3
    assert {answer["label"] for answer in answers} <= {"yes", "no"}


def test_a_parquet_table_of_three_classes_and_a_perceptron_reach_production(tmp_path: Path) -> None:
    params = SMALL_PARAMS.replace("churn.csv", "plans.parquet").replace("target: churned", "target: plan")
    params = params.replace(
        "family: logistic\n    params: {C: 1.0}", "family: mlp\n    params: {layers: [8], batch_size: 32, epochs: 8}"
    )
    project = small_project(tmp_path / "project", params)
    table = churn_table().dropna()
    table["hint"] = table["plan"].str[:1] + table["visits"].mod(2).astype(str)
    table.to_parquet(project.root / "plans.parquet")
    project.ok("make", "repro", "TASK=churn")
    assert registry(project) == ["1,Production,churn-logistic,better", "production=1", "1"]
