"""Registering with a real MLflow store."""

import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import mlflow
import pytest
from mlflow import MlflowClient
from mlflow.entities import Metric
from mlflow.entities.model_registry import ModelVersion

from data.errors import InputError
from registry import __main__ as registry_main
from registry import stages, versions
from registry.register import register
from training import candidate as candidates
from training import tracking

WRITES = (
    "create_experiment",
    "create_run",
    "log_batch",
    "log_inputs",
    "log_artifact",
    "log_artifacts",
    "set_terminated",
    "create_registered_model",
    "create_model_version",
    "log_text",
    "transition_model_version_stage",
    "set_registered_model_alias",
    "set_model_version_tag",
)


class KilledError(Exception):
    """Stands for a kill between two writes."""


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


def test_the_better_candidate_is_in_production_and_the_other_in_staging(content: dict[str, Any]) -> None:
    register(content, "churn")
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


def test_a_version_says_where_it_comes_from_and_why_it_is_where_it_is(content: dict[str, Any]) -> None:
    version = register(content, "churn")[0].version
    record = json.loads(Path("candidates/churn/churn-logistic/candidate.json").read_text(encoding="utf-8"))
    assert version.tags["graph.digest"] == record["digest"]
    assert version.tags["data.digest"] == record["data"]["digest"]
    assert version.tags["dvc.params"] == record["lineage"]["dvc_params"]
    assert version.tags["decision"] == "the highest probability"
    evidence = MlflowClient().download_artifacts(str(version.run_id), f"versions/{version.version}/verdict.json")
    assert json.loads(Path(evidence).read_text(encoding="utf-8"))["reason"] == version.tags["verdict.reason"]


def test_a_run_has_a_name_parameters_curves_metrics_with_intervals_plots_data_and_lineage(
    content: dict[str, Any],
) -> None:
    client = MlflowClient()
    run = client.get_run(str(register(content, "churn")[0].version.run_id))
    assert run.info.run_name.startswith("churn-logistic ")
    declared = {"C": "1.0", "max_iter": "200", "bins": "none", "class_weight": "none"}
    assert run.data.params == {"family": "logistic", "seed": "3", **declared}
    curve = client.get_metric_history(run.info.run_id, "curve/validation_loss")
    assert [point.step for point in curve] == list(range(len(curve)))
    assert len(curve) > 1
    for name in ("auc", "average_precision", "accuracy", "precision", "recall", "f1"):
        low, high = (run.data.metrics[f"test_interval/{name}_{end}"] for end in ("low", "high"))
        assert low <= run.data.metrics[f"test/{name}"] <= high
    for name in ("fit_seconds", "peak_memory_mib", "graph_kib", "latency_ms"):
        assert run.data.metrics[f"cost/{name}"] > 0
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
    many = [Metric(f"curve/{name}", 0.5, 0, step) for name in metrics for step in range(100)]
    tracking.log_metrics(client, run, [Metric(name, value, 0, 0) for name, value in metrics.items()] + many)
    assert client.get_run(run).data.metrics.items() >= metrics.items()
    assert len(many) > 1000


def test_nothing_that_is_registered_is_a_pickle(content: dict[str, Any]) -> None:
    version = register(content, "churn")[0].version
    model = Path(mlflow.artifacts.download_artifacts(f"models:/churn/{version.version}"))
    names = {path.name for path in [*model.rglob("*"), *Path("candidates").rglob("*")]}
    assert {"graph.onnx", "graph.py"} <= names
    assert not [name for name in names if name.endswith((".pkl", ".pickle", ".joblib", ".npy"))]
    assert "loader_module: mlflow.pyfunc.loaders.code_model" in (model / "MLmodel").read_text(encoding="utf-8")


@pytest.mark.parametrize("alias", ["Production", "Staging", "1", "2"])
def test_each_version_is_loaded_by_mlflow_and_answers_what_the_graph_answers(
    content: dict[str, Any], alias: str
) -> None:
    import pandas as pd

    from training.graph import Graph

    register(content, "churn")
    rows = pd.read_parquet("data/prepared/churn/test.parquet")[["tenure", "plan", "visits"]].head(20)
    loaded = mlflow.pyfunc.load_model(f"models:/churn/{alias}")
    version = MlflowClient().get_model_version("churn", alias) if alias.isdigit() else None
    model = version.tags["model"] if version else {"Production": "churn-logistic", "Staging": "churn-weak"}[alias]
    expected = Graph(f"candidates/churn/{model}/graph.onnx").predict(rows)
    pd.testing.assert_frame_equal(loaded.predict(rows.astype({"tenure": float, "visits": float})), expected)


def test_an_altered_graph_of_the_champion_is_refused(content: dict[str, Any]) -> None:
    weak = {**content, "models": {"churn-weak": content["models"]["churn-weak"]}}
    version = register(weak, "churn")[0].version
    graph = Path(mlflow.artifacts.download_artifacts(f"models:/churn/{version.version}/artifacts/graph.onnx"))
    stored = [path for path in Path("mlruns").rglob("graph.onnx") if path.read_bytes() == graph.read_bytes()]
    for path in stored:
        path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(InputError, match="changed after registration"):
        register(content, "churn")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["promote", "churn", "1", "--to", "Staging"], "would leave empty"),
        (["promote", "churn", "9", "--to", "Production"], "registered are 1, 2"),
        (["list", "a'b"], "tasks are churn"),
        (["find", "churn", "9"], "registered versions are 1 (Production), 2 (Staging)"),
    ],
)
def test_a_wrong_request_is_one_line_and_moves_nothing(
    content: dict[str, Any], arguments: list[str], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(content, "churn")
    monkeypatch.setattr(sys, "argv", ["registry", *arguments])
    with pytest.raises(InputError) as error:
        registry_main.app(standalone_mode=False)
    assert message in str(error.value)
    assert state() == EXPECTED


def test_a_person_may_overrule_the_gate(content: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    register(content, "churn")
    monkeypatch.setattr(sys, "argv", ["registry", "promote", "churn", "2", "--to", "Production"])
    registry_main.app(standalone_mode=False)
    assert state()["versions"] == {"churn-logistic": ("Archived", "better"), "churn-weak": ("Production", "not better")}
    assert state()["aliases"] == {"production": "churn-weak"}


def test_a_stage_without_its_alias_is_mended(content: dict[str, Any]) -> None:
    register(content, "churn")
    client = MlflowClient()
    client.delete_registered_model_alias("churn", "production")
    client.set_registered_model_alias("churn", "staging", stages_version(client, stages.PRODUCTION).version)
    register(content, "churn")
    assert state() == EXPECTED


def stages_version(client: MlflowClient, stage: str) -> ModelVersion:
    version = stages.current(client, "churn", stage)
    assert version is not None
    return version


def test_killed_between_any_two_writes_the_next_call_finishes_with_one_whole_version_more(
    content: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    register({**content, "models": {"churn-weak": content["models"]["churn-weak"]}}, "churn")
    assert state()["versions"] == {"churn-weak": ("Production", "better")}
    shutil.copy("mlflow.db", "before.db")
    with monkeypatch.context() as patch:
        writes = kill_at(patch, None)
        register(content, "churn")
    assert len(writes) > 12
    for at in range(len(writes)):
        shutil.copy("before.db", f"{at}.db")
        mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/project/{at}.db")
        with monkeypatch.context() as patch:
            kill_at(patch, at)
            with pytest.raises(KilledError):
                register(content, "churn")
        for version in versions.of_task(MlflowClient(), "churn"):
            assert versions.graph(version, tmp_path / "graphs" / f"{at}-{version.version}").is_file()
        register(content, "churn")
        found = state()
        assert found == {**EXPECTED, "versions": {**EXPECTED["versions"], "churn-weak": ("Staging", "better")}}, writes[
            at
        ]


def kill_at(patch: pytest.MonkeyPatch, at: int | None) -> list[str]:
    """Have the client raise before its write number `at`; the writes that were asked for, by name."""
    writes: list[str] = []
    for name in WRITES:
        original = getattr(MlflowClient, name)

        def faulty(self: Any, *args: Any, _original: Any = original, **kwargs: Any) -> Any:
            writes.append(_original.__name__)
            if len(writes) - 1 == at:
                raise KilledError
            return _original(self, *args, **kwargs)

        patch.setattr(MlflowClient, name, faulty)
    return writes
