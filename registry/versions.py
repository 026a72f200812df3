"""Registered versions: each candidate once, told apart by its graph's digest."""

import hashlib
import json
import logging
import tempfile
from importlib.metadata import version as installed
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from mlflow.models import ModelSignature
from mlflow.models.model import ModelInfo
from mlflow.types import ColSpec, Schema, TensorSpec
from mlflow.types.schema import AnyType
from mlflow.utils.mlflow_tags import MLFLOW_MODEL_VERSIONS

import training.graph
from data.contract import Contract
from data.errors import InputError
from training import candidate as candidates
from training import tracking
from training.candidate import Candidate

DIGEST = training.graph.DIGEST_KEY
SERVED_WITH = ("mlflow", "numpy", "onnxruntime", "pandas")
EXAMPLE_ROWS = 2

logging.getLogger("mlflow.utils.environment").setLevel(logging.ERROR)  # warns where pip is not installed


def of_task(client: MlflowClient, task: str) -> list[ModelVersion]:
    """A task's versions, oldest first."""
    found = client.search_model_versions(f"name = '{task}'")
    return sorted(found, key=lambda version: int(version.version))


def ensure(client: MlflowClient, candidate: Candidate) -> tuple[ModelVersion, bool]:
    """The candidate's version, and whether it was registered just now.

    The version is created last, in one write with its tags, so that there is never one without its graph.
    """
    run_id = tracking.record(candidate)
    for version in of_task(client, candidate.task):
        if version.tags.get(DIGEST) == candidate.digest:
            _link(client, version)
            return version, False
    try:
        client.create_registered_model(candidate.task, description=f"Versions of the task {candidate.task}.")
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    run = client.get_run(run_id)
    tracking.delete_models(client, run)  # which a call logged that was killed before the version was made
    logged = _log_model(candidate, run_id)
    client.set_terminated(run_id, tracking.FINISHED, end_time=run.info.end_time)
    version = client.create_model_version(
        candidate.task,
        logged.model_uri,
        run_id,
        model_id=logged.model_id,  # without which a tracking server refuses the source
        tags={"test.auc": str(candidate.test["auc"])} | tracking.lineage_tags(candidate),
    )
    _link(client, version)
    return version, True


def _link(client: MlflowClient, version: ModelVersion) -> None:
    """Have the page of the logged model name the version that it was registered as."""
    link = {MLFLOW_MODEL_VERSIONS: json.dumps([{"name": version.name, "version": str(version.version)}])}
    for model in tracking.models(client, client.get_run(str(version.run_id))):
        if MLFLOW_MODEL_VERSIONS not in model.tags:
            client.set_logged_model_tags(model.model_id, link)


def graph(version: ModelVersion, folder: Path) -> Path:
    """A version's graph, fetched into `folder` and checked against the digest it was registered with.

    Raises:
        InputError: the graph is not the one that was registered.
    """
    uri = f"models:/{version.name}/{version.version}"
    path = Path(mlflow.artifacts.download_artifacts(f"{uri}/artifacts/graph.onnx", dst_path=str(folder)))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if digest != version.tags.get(DIGEST):
        raise InputError(
            f"{uri}: its graph has SHA-256 {digest[:12]}…, registered was {str(version.tags.get(DIGEST))[:12]}…; "
            "the file was changed after registration, do not use this version"
        )
    return path


def candidate(client: MlflowClient, version: ModelVersion) -> Candidate:
    """The record of the candidate that a version was made from, as its run keeps it."""
    with tempfile.TemporaryDirectory() as folder:
        path = client.download_artifacts(str(version.run_id), candidates.RECORD, folder)
        return candidates.from_json(Path(path).read_text(encoding="utf-8"))


def signature(contract: Contract) -> ModelSignature:
    """The contract as MLflow states it: columns, all required, or a tensor.

    Categories, texts and times are of any type: MLflow would turn a missing string into "None" in two of its four
    layouts, and its times know no zone. The graph checks them itself.
    """
    inputs: list[ColSpec | TensorSpec] = [
        TensorSpec(np.dtype(np.float32), (-1, *column.shape), column.name)
        if column.shape
        else ColSpec("double" if column.kind in ("number", "boolean") else AnyType(), column.name)
        for column in contract.columns
    ]
    probabilities = [ColSpec("float", f"probability_{name}") for name in contract.classes]
    return ModelSignature(Schema(inputs), Schema([ColSpec("string", "label"), *probabilities]))


def _log_model(candidate: Candidate, run_id: str) -> ModelInfo:
    contract = Contract.load(tracking.PREPARED / candidate.task)
    with mlflow.start_run(run_id=run_id):
        return mlflow.pyfunc.log_model(
            name=candidate.model,
            python_model=training.graph.__file__,
            artifacts={"graph": str(candidate.graph)},
            metadata={DIGEST: candidate.digest},
            tags=tracking.made_by(candidate),
            signature=signature(contract),
            input_example=_example(candidate.task, contract),
            pip_requirements=[f"{package}=={installed(package)}" for package in SERVED_WITH],
        )


def _example(task: str, contract: Contract) -> pd.DataFrame | dict[str, np.ndarray]:
    rows = pd.read_parquet(tracking.PREPARED / task / "test.parquet")[contract.names].head(EXAMPLE_ROWS)
    if column := contract.tensor:
        return {column.name: np.stack(rows[column.name].to_list()).reshape(-1, *column.shape)}
    rows = rows.astype(dict.fromkeys(contract.of_kind("number", "boolean"), "float64"))
    for name in contract.of_kind("time"):
        rows[name] = [None if pd.isna(moment) else moment.isoformat() for moment in rows[name]]
    return rows
