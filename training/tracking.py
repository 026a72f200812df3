"""Recording candidates as MLflow runs, each exactly once."""

import json
import logging
import os
from typing import Any

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")

from mlflow import MlflowClient
from mlflow.entities import (
    Dataset,
    DatasetInput,
    InputTag,
    Metric,
    Param,
    Run,
)

from data.contract import Contract
from data.prepare import PREPARED
from training.candidate import NATIVE, PLOTS, RECORD, Candidate

for chatty in ("alembic", "mlflow.store.db.utils", "mlflow.pyfunc"):
    logging.getLogger(chatty).setLevel(logging.WARNING)

COLUMN_TYPES = {
    "number": "double",
    "boolean": "double",
    "category": "string",
    "text": "string",
    "time": "datetime",
}  # a contract's kinds as MLflow's types
CANDIDATE_TAG = "candidate"
FINISHED = "FINISHED"


def record(candidate: Candidate) -> str:
    """The id of the candidate's MLflow run, which is written if there is none.

    A run that a killed process left unfinished is deleted and written again.
    """
    client = MlflowClient()
    experiment = _experiment(client, candidate.task)
    for run in _runs(client, experiment, candidate.id):
        if run.info.status == FINISHED:
            return run.info.run_id
        client.delete_run(run.info.run_id)
    started = int(candidate.started * 1000)
    name = f"{candidate.model} {candidate.digest[:8]}"
    tags = {CANDIDATE_TAG: candidate.id, **_source_tags(candidate), **lineage_tags(candidate)}
    run_id = client.create_run(experiment, start_time=started, tags=tags, run_name=name).info.run_id
    client.log_batch(run_id, metrics=_metrics(candidate, started), params=_params(candidate))
    client.log_inputs(run_id, datasets=[_dataset(candidate)])
    for part in (NATIVE, PLOTS):
        client.log_artifacts(run_id, str(candidate.folder / part), part)
    client.log_artifact(run_id, str(candidate.folder / RECORD))
    client.set_terminated(run_id, FINISHED, end_time=int((candidate.started + candidate.seconds) * 1000))
    return run_id


def _experiment(client: MlflowClient, name: str) -> str:
    experiment = client.get_experiment_by_name(name)
    return experiment.experiment_id if experiment else client.create_experiment(name)


def _runs(client: MlflowClient, experiment: str, candidate_id: str) -> list[Run]:
    return list(client.search_runs([experiment], f"tags.{CANDIDATE_TAG} = '{candidate_id}'"))


def _params(candidate: Candidate) -> list[Param]:
    declared = {"family": candidate.family, "seed": candidate.seed, **candidate.params}
    return [Param(name, "none" if value is None else str(value)) for name, value in declared.items()]


def _metrics(candidate: Candidate, started: int) -> list[Metric]:
    end = started + int(candidate.seconds * 1000)
    final = {
        **{f"test/{name}": interval.value for name, interval in candidate.test.items()},
        **{f"test_interval/{name}_low": interval.low for name, interval in candidate.test.items()},
        **{f"test_interval/{name}_high": interval.high for name, interval in candidate.test.items()},
        **{f"validation/{name}": value for name, value in candidate.validation.items()},
        "cost/fit_seconds": candidate.fit_seconds,
        "cost/peak_memory_mib": candidate.peak_memory_mib,
        "cost/graph_kib": candidate.graph_bytes / 1024,
        "cost/latency_ms": candidate.latency_ms,
        "parity/largest_difference": candidate.parity,
    }
    metrics = [Metric(name, value, end, 0) for name, value in final.items()]
    curve = candidate.learning_curve()
    seconds = candidate.fit_seconds * 1000 / max(len(curve), 1)
    for step, row in curve.iterrows():
        moment = started + int(seconds * (int(str(step)) + 1))
        metrics += [
            Metric(f"curve/{name}", float(value), moment, int(row["step"]))
            for name, value in row.items()
            if name != "step"
        ]
    return metrics


def lineage_tags(candidate: Candidate) -> dict[str, str]:
    """Where the candidate comes from, as tags of its run and of its version."""
    lineage = candidate.lineage
    tags: dict[str, Any] = {
        "model": candidate.model,
        "family": candidate.family,
        "graph.digest": candidate.digest,
        "data.digest": candidate.data["digest"],
        "git.commit": lineage["git_commit"],
        "git.dirty": lineage["git_dirty"],
        "dvc.stage": lineage["dvc_stage"],
        "dvc.data": lineage["dvc_data"],
        "dvc.params": lineage["dvc_params"],
    }
    for name, value in (lineage.get("warm_start") or {}).items():
        tags[f"warm_start.{name}"] = value
    return {name: str(value) for name, value in tags.items() if value is not None}


def _source_tags(candidate: Candidate) -> dict[str, str]:
    commit = candidate.lineage["git_commit"]
    source = {
        "mlflow.source.name": f"python -m training train {candidate.model}",
        "mlflow.source.type": "PROJECT",
    }
    return source | ({"mlflow.source.git.commit": commit} if commit else {})


def _dataset(candidate: Candidate) -> DatasetInput:
    contract = Contract.load(PREPARED / candidate.task)
    schema = [{"name": column.name, "type": COLUMN_TYPES.get(column.kind, "float")} for column in contract.columns]
    dataset = Dataset(
        name=candidate.task,
        digest=candidate.data["digest"][:8],
        source_type="local",
        source=json.dumps({"uri": candidate.data["folder"]}),
        schema=json.dumps({"mlflow_colspec": [*schema, {"name": contract.target, "type": "string"}]}),
        profile=json.dumps({**candidate.data["rows"], "sha256": candidate.data["digest"]}),
    )
    return DatasetInput(dataset, [InputTag("mlflow.data.context", "train, validation, test")])
