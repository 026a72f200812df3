"""Recording candidates as MLflow runs, each exactly once."""

import getpass
import json
import logging
import os
import re
from typing import Any

os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
# MLflow would ask a lost server for many minutes, and repeat a write whose answer was lost: a second run or version
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")

import mlflow
from mlflow import MlflowClient
from mlflow.entities import (
    Dataset,
    DatasetInput,
    InputTag,
    LoggedModel,
    Metric,
    Param,
    Run,
)
from mlflow.utils.mlflow_tags import (
    MLFLOW_GIT_COMMIT,
    MLFLOW_RUN_NOTE,
    MLFLOW_SOURCE_NAME,
    MLFLOW_SOURCE_TYPE,
    MLFLOW_USER,
)
from mlflow.utils.validation import MAX_METRICS_PER_BATCH

from data.contract import Contract
from data.prepare import PREPARED
from training.candidate import DIFFERENCE, NATIVE, PLOTS, RECORD, Candidate
from training.metrics import PER_CLASS

for chatty in ("alembic", "mlflow.store.db.utils", "mlflow.store.model_registry.abstract_store", "mlflow.pyfunc"):
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
LONGEST_REASON = 200
LONGEST = 100  # letters of a class's name in a metric's name


def record(candidate: Candidate) -> str:
    """The id of the candidate's MLflow run, which is written if there is none.

    A run that a killed process left unfinished is deleted and written again.
    """
    client = MlflowClient()
    folder = experiment(client, candidate.task, purpose(candidate.task))
    for run in _runs(client, folder, candidate.id):
        if run.info.status == FINISHED:
            return run.info.run_id
        delete_models(client, run)
        client.delete_run(run.info.run_id)
    started = int(candidate.started * 1000)
    name = f"{candidate.model} {candidate.digest[:8]}"
    tags = {CANDIDATE_TAG: candidate.id, **made_by(candidate), **lineage_tags(candidate)}
    run_id = client.create_run(folder, start_time=started, tags=tags, run_name=name).info.run_id
    client.log_batch(run_id, params=parameters({"family": candidate.family, "seed": candidate.seed} | candidate.params))
    log_metrics(client, run_id, _metrics(candidate, started))
    client.log_inputs(run_id, datasets=[_dataset(candidate)])
    for part in (NATIVE, PLOTS):
        client.log_artifacts(run_id, str(candidate.folder / part), part)
    for file in (RECORD, DIFFERENCE):
        client.log_artifact(run_id, str(candidate.folder / file))
    client.set_terminated(run_id, FINISHED, end_time=int((candidate.started + candidate.seconds) * 1000))
    return run_id


def models(client: MlflowClient, run: Run) -> list[LoggedModel]:
    """The models that are logged on a run."""
    return list(client.search_logged_models([run.info.experiment_id], f"source_run_id = '{run.info.run_id}'"))


def delete_models(client: MlflowClient, run: Run) -> None:
    """Delete the models that are logged on a run."""
    for model in models(client, run):
        client.delete_logged_model(model.model_id)


def reason(error: Exception) -> str:
    """What MLflow could not do, in one line without a password."""
    uri = re.sub(r"(?<=://)[^/@]*@", "", mlflow.get_tracking_uri())
    said = " ".join(str(error).split())
    if status := re.search(r"too many (\d+) error responses", said):
        return f"{uri} answers with status {status[1]}, and its log says why"
    return f"{uri} does not answer" if "Max retries exceeded" in said else f"{uri}: {said[:LONGEST_REASON]}"


def experiment(client: MlflowClient, name: str, note: str = "") -> str:
    """The id of the experiment of this name, which is made with a note for its page if there is none."""
    found = client.get_experiment_by_name(name)
    tags = {MLFLOW_RUN_NOTE: note} if note else None
    return str(found.experiment_id if found else client.create_experiment(name, tags=tags))


def purpose(task: str) -> str:
    """What the models of a task do, in a line."""
    contract = Contract.load(PREPARED / task)
    inputs = f"{len(contract.columns)} columns" if len(contract.columns) > 1 else contract.names[0]
    return f"Predicts {contract.target} ({', '.join(contract.classes)}) from {inputs}."


def log_metrics(client: MlflowClient, run_id: str, metrics: list[Metric]) -> None:
    """Log any number of metrics, no more at once than MLflow takes."""
    for first in range(0, len(metrics), MAX_METRICS_PER_BATCH):
        client.log_batch(run_id, metrics=metrics[first : first + MAX_METRICS_PER_BATCH])


def _runs(client: MlflowClient, experiment: str, candidate_id: str) -> list[Run]:
    return list(client.search_runs([experiment], f"tags.{CANDIDATE_TAG} = '{candidate_id}'"))


def parameters(values: dict[str, Any]) -> list[Param]:
    """Parameters as MLflow takes them, without those that are not set: a plot over numbers cannot place a word."""
    return [Param(name, str(value)) for name, value in values.items() if value is not None]


def _metrics(candidate: Candidate, started: int) -> list[Metric]:
    end = started + int(candidate.seconds * 1000)
    final = {
        **{f"test/{name}": interval.value for name, interval in candidate.test.items()},
        **{f"test_interval/{name}_low": interval.low for name, interval in candidate.test.items()},
        **{f"test_interval/{name}_high": interval.high for name, interval in candidate.test.items()},
        **{f"validation/{name}": interval.value for name, interval in candidate.validation.items()},
        **_per_class(candidate),
        **{f"folds/{name}_mean": spread.mean for name, spread in candidate.folds.items()},
        **{f"folds/{name}_deviation": spread.deviation for name, spread in candidate.folds.items()},
        "training/fit_seconds": candidate.fit_seconds,
        "training/peak_memory_mib": candidate.peak_memory_mib,
        "training/graph_kib": candidate.graph_bytes / 1024,
        "training/latency_ms": candidate.latency_ms,
        "training/parity": candidate.parity,
    }
    metrics = [Metric(name, value, end, 0) for name, value in final.items()]
    curve = candidate.learning_curve()
    seconds = candidate.fit_seconds * 1000 / max(len(curve), 1)
    for step, row in curve.iterrows():
        moment = started + int(seconds * (int(str(step)) + 1))
        metrics += [
            Metric(f"training/{name}", float(value), moment, int(row["step"]))
            for name, value in row.items()
            if name != "step"
        ]
    return metrics


def _per_class(candidate: Candidate) -> dict[str, float]:
    found: dict[str, float] = {}
    for place, (name, one) in enumerate(candidate.per_class.items()):
        key = metric_name(name)
        if f"test_class/{key}/support" in found:
            key = f"{key}_{place}"
        found |= {f"test_class/{key}/{part}": getattr(one, part).value for part in PER_CLASS}
        found[f"test_class/{key}/support"] = one.support
    return found


def metric_name(name: str) -> str:
    """A class's name as a part of a metric's name, in the letters and the length that MLflow allows."""
    allowed = re.sub(r"[^\w .-]", "_", name)[:LONGEST].strip()
    return allowed if allowed.strip(".") else "_" * max(len(allowed), 1)


def lineage_tags(candidate: Candidate) -> dict[str, str]:
    """Where the candidate comes from, as tags of its run and of its version."""
    lineage = candidate.lineage
    tags: dict[str, Any] = {
        "model": candidate.model,
        "family": candidate.family,
        "graph.digest": candidate.digest,
        "data.digest": candidate.data["digest"],
        "git.commit": lineage["git_commit"],
        "git.dirty": lineage["git_dirty"] or None,
        "reproducible": f"no: {lineage['unreproducible']}" if lineage["unreproducible"] else "yes",
        "data.outside_git": lineage["rows_outside_git"],
        "dvc.data": lineage["dvc_data"],
        "dvc.params": lineage["dvc_params"],
        "decision": candidate.label_rule if candidate.decision.get("rule") != "highest" else None,
    }
    for name, value in (lineage.get("warm_start") or {}).items():
        tags[f"warm_start.{name}"] = value
    return {name: str(value) for name, value in tags.items() if value is not None}


def made_by(candidate: Candidate) -> dict[str, str]:
    """What MLflow shows as the source of the candidate's run and model."""
    commit = candidate.lineage["git_commit"]
    command = source_tags(f"python -m training train {candidate.model}")
    return command | ({MLFLOW_GIT_COMMIT: commit} if commit else {})


def source_tags(command: str) -> dict[str, str]:
    """What MLflow shows as the command behind a run, and who gave it."""
    return {MLFLOW_SOURCE_NAME: command, MLFLOW_SOURCE_TYPE: "PROJECT", MLFLOW_USER: user()}


def user() -> str:
    """The name of the user, or the number of one without a name, as in a container."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


def _dataset(candidate: Candidate) -> DatasetInput:
    contract = Contract.load(PREPARED / candidate.task)
    schema = [{"name": column.name, "type": COLUMN_TYPES.get(column.kind, "float")} for column in contract.columns]
    dataset = Dataset(
        name=candidate.task,
        digest=candidate.data["digest"][:8],
        source_type="local",
        source=json.dumps({"uri": candidate.data["folder"]}),
        schema=json.dumps({"mlflow_colspec": [*schema, {"name": contract.target, "type": "string"}]}),
        profile=json.dumps({f"{part} rows": f"{rows:,}" for part, rows in candidate.data["rows"].items()}),
    )
    return DatasetInput(dataset, [InputTag("mlflow.data.context", "train, validation, test")])
