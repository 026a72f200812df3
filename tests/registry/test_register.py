"""Registering with a real MLflow store."""

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import mlflow
import pytest
from mlflow import MlflowClient
from mlflow.entities import Metric
from mlflow.exceptions import MlflowException

from data.errors import InputError
from registry import __main__ as registry_main
from registry import versions
from registry.register import register
from training import candidate as candidates
from training import tracking


def state() -> dict[str, Any]:
    """Model, stage and verdict of each version, the aliases, and how many runs there are."""
    client = MlflowClient()
    found = versions.of_task(client, "churn")
    aliases = client.get_registered_model("churn").aliases
    experiment = client.get_experiment_by_name("churn")
    assert experiment is not None
    return {
        "versions": {one.tags["model"]: (one.current_stage, one.tags.get("verdict")) for one in found},
        "aliases": {name: client.get_model_version("churn", str(of)).tags["model"] for name, of in aliases.items()},
        "runs": [run.info.status for run in client.search_runs([experiment.experiment_id])],
        "count": len(found),
    }


EXPECTED = {
    "versions": {"churn-logistic": ("Production", "better"), "churn-weak": ("Staging", "not better")},
    "aliases": {"production": "churn-logistic", "staging": "churn-weak"},
    "runs": ["FINISHED", "FINISHED"],
    "count": 2,
}


def test_the_better_candidate_is_in_production_and_the_other_in_staging(registered: dict[str, Any]) -> None:
    assert state() == EXPECTED


def test_registering_twice_gives_one_version_and_one_run_each(content: dict[str, Any]) -> None:
    first, second = register(content, "churn"), register(content, "churn")
    assert [entry.new for entry in first] == [True, True]
    assert [entry.new for entry in second] == [False, False]
    assert state() == EXPECTED


def test_where_less_is_better_the_candidate_that_validates_best_is_judged_first(
    content: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    content["models"] = dict(reversed(content["models"].items()))
    register({**content, "gate": {"metric": "log_loss", "resamples": 200}}, "churn")
    judged = [line for line in capsys.readouterr().out.splitlines() if "judging" in line]
    assert "churn-logistic" in judged[0]
    assert state() == EXPECTED


def test_only_declared_candidates_are_considered(content: dict[str, Any]) -> None:
    del content["models"]["churn-logistic"]
    register(content, "churn")
    assert list(state()["versions"]) == ["churn-weak"]


def test_without_any_candidate_the_stages_to_run_are_named(content: dict[str, Any]) -> None:
    Path("candidates").rename("elsewhere")
    with pytest.raises(InputError, match="dvc repro train@churn-logistic train@churn-weak"):
        register(content, "churn")


def test_a_version_says_where_it_comes_from_and_why_it_is_where_it_is(registered: dict[str, Any]) -> None:
    version = MlflowClient().get_model_version("churn", "1")
    record = json.loads(Path("candidates/churn/churn-logistic/candidate.json").read_text(encoding="utf-8"))
    assert version.tags["graph.digest"] == record["digest"]
    assert version.tags["data.digest"] == record["data"]["digest"]
    assert version.tags["dvc.params"] == record["lineage"]["dvc_params"]
    assert "decision" not in version.tags  # it is the usual one, the class of the highest probability
    evidence = MlflowClient().download_artifacts(str(version.run_id), f"versions/{version.version}/verdict.json")
    assert json.loads(Path(evidence).read_text(encoding="utf-8"))["reason"] == version.tags["verdict.reason"]


def test_a_run_has_a_name_parameters_curves_metrics_with_intervals_plots_data_and_lineage(
    registered: dict[str, Any],
) -> None:
    client = MlflowClient()
    run = client.get_run(str(client.get_model_version("churn", "1").run_id))
    assert run.info.run_name.startswith("churn-logistic ")
    assert run.data.params == {"family": "logistic", "seed": "3", "C": "1.0", "max_iter": "200"}
    curve = client.get_metric_history(run.info.run_id, "training/validation_loss")
    assert [point.step for point in curve] == list(range(len(curve)))
    assert len(curve) > 1
    for name in ("auc", "average_precision", "accuracy", "precision", "recall", "f1"):
        low, high = (run.data.metrics[f"test_interval/{name}_{end}"] for end in ("low", "high"))
        assert low <= run.data.metrics[f"test/{name}"] <= high
    for name in ("fit_seconds", "peak_memory_mib", "graph_kib", "latency_ms"):
        assert run.data.metrics[f"training/{name}"] > 0
    record = candidates.read("churn", "churn-logistic")
    assert record is not None
    for name, one in record.per_class.items():
        assert run.data.metrics[f"test_class/{name}/f1"] == one.f1.value
        assert run.data.metrics[f"test_class/{name}/support"] == one.support
    plots = {file.path for file in client.list_artifacts(run.info.run_id, "plots")}
    assert plots >= {f"plots/{name}.png" for name in ("roc", "precision_recall", "calibration", "confusion_matrix")}
    assert client.list_artifacts(run.info.run_id, "native")[0].path == "native/model.skops"
    assert run.inputs.dataset_inputs[0].dataset.name == "churn"
    assert run.data.tags["dvc.params"]
    assert run.info.end_time - run.info.start_time < 3_600_000


def test_classes_of_any_name_are_metrics_of_their_own(content: dict[str, Any]) -> None:
    record = candidates.read("churn", "churn-logistic")
    assert record is not None
    names = ["a/b", "a_b", "..", "é $5 <ü>", "x" * 300, "", " ", "日本"]
    figures = next(iter(record.per_class.values()))
    odd = replace(record, per_class={name: replace(figures, support=at) for at, name in enumerate(names)})
    metrics = tracking._per_class(odd)
    assert sorted(value for name, value in metrics.items() if name.endswith("support")) == list(range(len(names)))
    client = MlflowClient()
    run = client.create_run(tracking.experiment(client, "odd")).info.run_id
    many = [Metric(f"training/{name}", 0.5, 0, step) for name in metrics for step in range(100)]
    tracking.log_metrics(client, run, [Metric(name, value, 0, 0) for name, value in metrics.items()] + many)
    assert client.get_run(run).data.metrics.items() >= metrics.items()
    assert len(many) > 1000


def test_nothing_that_is_registered_is_a_pickle(registered: dict[str, Any]) -> None:
    version = MlflowClient().get_model_version("churn", "1")
    model = Path(mlflow.artifacts.download_artifacts(f"models:/churn/{version.version}"))
    names = {path.name for path in [*model.rglob("*"), *Path("candidates").rglob("*")]}
    assert {"graph.onnx", "graph.py"} <= names
    assert not [name for name in names if name.endswith((".pkl", ".pickle", ".joblib", ".npy"))]
    assert "loader_module: mlflow.pyfunc.loaders.code_model" in (model / "MLmodel").read_text(encoding="utf-8")


@pytest.mark.parametrize("alias", ["Production", "Staging", "1", "2"])
def test_each_version_is_loaded_by_mlflow_and_answers_what_the_graph_answers(
    registered: dict[str, Any], alias: str
) -> None:
    import pandas as pd

    from training.graph import Graph

    rows = pd.read_parquet("data/prepared/churn/test.parquet")[["tenure", "plan", "visits"]].head(20)
    loaded = mlflow.pyfunc.load_model(f"models:/churn/{alias}")
    version = MlflowClient().get_model_version("churn", alias) if alias.isdigit() else None
    model = version.tags["model"] if version else {"Production": "churn-logistic", "Staging": "churn-weak"}[alias]
    expected = Graph(f"candidates/churn/{model}/graph.onnx").predict(rows)
    pd.testing.assert_frame_equal(loaded.predict(rows.astype({"tenure": float, "visits": float})), expected)


def test_an_altered_graph_is_refused_by_all_that_loads_it(
    content: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    register({**content, "models": {"churn-weak": content["models"]["churn-weak"]}}, "churn")
    graph = Path(mlflow.artifacts.download_artifacts("models:/churn/1/artifacts/graph.onnx"))
    for path in [path for path in Path("mlruns").rglob("graph.onnx") if path.read_bytes() == graph.read_bytes()]:
        path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(MlflowException, match="changed after registration"):
        mlflow.pyfunc.load_model("models:/churn/1")
    promoting = ["promote", "churn", "1", "--to", "Staging", "--why", "test"]
    for arguments in (["show", "churn"], ["show", "churn", "1", "--json"], ["register", "churn"], promoting):
        monkeypatch.setattr(sys, "argv", ["registry", *arguments])
        with pytest.raises(InputError, match="changed after registration"):
            registry_main.app(standalone_mode=False)
    assert "version 1 (churn-weak): models:/churn/1: its graph has SHA-256" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["promote", "churn", "1", "--to", "Staging", "--why", "x"], "would leave empty"),
        (["promote", "churn", "9", "--to", "Production", "--why", "x"], "versions are 1 Production, 2 Staging"),
        (["promote", "churn", "2", "--to", "Production", "--why", " "], "say why"),
        (["promote", "churn", "2", "--to", "Production", "--why", "x" * 2000], "give at most 1000"),
        (["rollback", "churn", "--why", "x"], "in Production before version 1"),
        (["history", "other"], "tasks are churn"),
        (["show", "a'b"], "tasks are churn"),
        (["find", "churn", "9"], "registered versions are 1 Production, 2 Staging"),
    ],
)
def test_a_wrong_request_is_one_line_and_moves_nothing(
    registered: dict[str, Any], arguments: list[str], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["registry", *arguments])
    with pytest.raises(InputError) as error:
        registry_main.app(standalone_mode=False)
    assert message in str(error.value)
    assert state() == EXPECTED
