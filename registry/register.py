"""The register stage: declared candidates become versions, the gate judges the new ones, stages move."""

import math
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion

from data import params
from data.contract import Contract
from data.errors import InputError
from data.prepare import PREPARED
from registry import conditions as gate_conditions
from registry import gate, stages, versions
from registry.conditions import Conditions
from registry.gate import Exam, Verdict
from training import candidate as candidates
from training import lineage, models
from training.candidate import Candidate
from training.decision import cost_matrix
from training.metrics import LOWER_IS_BETTER

VERDICT_TAG, REASON_TAG = "verdict", "verdict.reason"
BETTER, NOT_BETTER = "better", "not better"
EVIDENCE = "verdict.json"


@dataclass(frozen=True)
class Entry:
    """A declared candidate, its version, and whether this call registered it."""

    candidate: Candidate
    version: ModelVersion
    new: bool


def register(content: dict[str, Any], task: str) -> list[Entry]:
    """Register the task's declared candidates, judge the versions without a verdict, move the stages.

    Every step is taken once: a call after one that was killed goes on where that one stopped.

    Raises:
        InputError: a declaration is wrong, or no declared candidate lies in the candidates' folder.
    """
    declared = models.of_task(content, task)
    conditions = gate_conditions.of_task(content, task)
    found = [candidate for name in declared if (candidate := candidates.read(task, name))]
    if not found:
        names = " ".join(f"{'ensemble' if name in content['ensembles'] else 'train'}@{name}" for name in declared)
        raise InputError(
            f"{params.PARAMS}: no declared candidate of {task} lies in {candidates.CANDIDATES / task}; "
            f"run `dvc repro {names}`"
        )
    client = MlflowClient()
    entries = [Entry(candidate, *versions.ensure(client, candidate)) for candidate in found]
    stages.reconcile(client, task)
    entries.sort(key=lambda entry: _strength(entry, conditions), reverse=True)
    if unjudged := [entry for entry in entries if VERDICT_TAG not in entry.version.tags]:
        exam = _exam(content, task)
        for entry in unjudged:
            _consider(client, entry, entries, conditions, exam, content["seed"])
    return [
        Entry(entry.candidate, client.get_model_version(task, entry.version.version), entry.new) for entry in entries
    ]


def _consider(
    client: MlflowClient, entry: Entry, entries: list[Entry], conditions: Conditions, exam: Exam, seed: int
) -> None:
    """Judge one version and move the stages; the tag that ends it is written last."""
    task, version = entry.candidate.task, entry.version
    verdict = _evidence(client, version)
    if verdict is None:
        champion = stages.current(client, task, stages.PRODUCTION)
        print(f"{task}: judging version {version.version} ({entry.candidate.model})", flush=True)
        verdict = _judge(entry, champion, conditions, exam, seed)
        client.log_text(_run(version), verdict.to_json(), f"versions/{version.version}/{EVIDENCE}")
    loser: ModelVersion | None = version
    if verdict.better:
        stages.put(client, task, version.version, stages.PRODUCTION)
        loser = _beaten(client, task, verdict)
    if loser is not None and _belongs_in_staging(client, loser, entries, conditions):
        stages.put(client, task, loser.version, stages.STAGING)
    client.set_model_version_tag(task, version.version, REASON_TAG, verdict.reason)
    client.set_model_version_tag(task, version.version, VERDICT_TAG, BETTER if verdict.better else NOT_BETTER)


def _beaten(client: MlflowClient, task: str, verdict: Verdict) -> ModelVersion | None:
    """The champion of a verdict, which a call before this one may have archived already."""
    if verdict.champion == gate.BASELINE:
        return None
    known = {_name(version): version for version in versions.of_task(client, task)}
    return known.get(verdict.champion)


def _belongs_in_staging(
    client: MlflowClient, loser: ModelVersion, entries: list[Entry], conditions: Conditions
) -> bool:
    """Staging holds the runner-up: the loser of a verdict, unless a declared version that validates better is there."""
    strength = {entry.version.version: _strength(entry, conditions) for entry in entries}
    holder = stages.current(client, loser.name, stages.STAGING)
    if holder is None or holder.version not in strength:
        return True
    return strength.get(loser.version, -math.inf) > strength[holder.version]


def _strength(entry: Entry, conditions: Conditions) -> float:
    """The gate's metric on the validation rows, more being better."""
    value = entry.candidate.validation[conditions.metric].value
    return -value if conditions.metric in LOWER_IS_BETTER else value


def _evidence(client: MlflowClient, version: ModelVersion) -> Verdict | None:
    folder = f"versions/{version.version}"
    if not any(file.path.endswith(EVIDENCE) for file in client.list_artifacts(_run(version), folder)):
        return None
    with tempfile.TemporaryDirectory() as temporary:
        path = client.download_artifacts(_run(version), f"{folder}/{EVIDENCE}", temporary)
        return Verdict.from_json(Path(path).read_text(encoding="utf-8"))


def _judge(entry: Entry, champion: ModelVersion | None, conditions: Conditions, exam: Exam, seed: int) -> Verdict:
    with tempfile.TemporaryDirectory() as temporary:
        holder = (_name(champion), versions.graph(champion, Path(temporary))) if champion else None
        return gate.judge(conditions, (_name(entry.version), entry.candidate.graph), holder, exam, seed)


def _exam(content: dict[str, Any], task: str) -> Exam:
    prepared = PREPARED / task
    contract = Contract.load(prepared)
    gate_conditions.check_columns(content, contract)
    costs = cost_matrix(params.task(content, task).decision, contract.classes)
    return Exam(pd.read_parquet(prepared / "test.parquet"), contract, lineage.folder_digest(prepared), costs)


def _run(version: ModelVersion) -> str:
    return str(version.run_id)


def _name(version: ModelVersion) -> str:
    return f"version {version.version}"
