"""Verdicts on new versions, kept as evidence on their runs, and what follows from them for the stages."""

import math
import tempfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion

from data import params
from data.contract import Contract
from data.prepare import PREPARED
from registry import gate, moves, row_hashes, versions
from registry.conditions import Conditions, check_columns
from registry.evidence import Verdict
from registry.exam import Exam
from registry.history import GATE, LONGEST_WHY, History, Move, State
from registry.row_hashes import Rows
from registry.seen import Fitted, check
from registry.stages import PRODUCTION, STAGING, Held
from training import lineage
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

    @property
    def number(self) -> str:
        """The version's number."""
        return str(self.version.version)


class ChampionMovedError(Exception):
    """Another version is in Production than the one that a verdict speaks of."""


def follow(
    client: MlflowClient, entry: Entry, entries: list[Entry], conditions: Conditions, exam: Exam, seed: int
) -> None:
    """Judge one version and move the stages; the tag that ends it is written last."""
    task = entry.candidate.task
    verdict = evidence(client, entry.version)
    while (state := moves.settle(client, task)).by_gate(entry.number) is None:
        if verdict is None or verdict.champion != name(state.production):
            print(f"{task}: judging version {entry.number} ({entry.candidate.model})", flush=True)
            verdict = _judge(client, entry, state.production, conditions, exam, seed)
            client.log_text(str(entry.version.run_id), verdict.to_json(), f"versions/{entry.number}/{EVIDENCE}")
        try:
            moves.make(client, task, partial(_move, verdict, entry, entries, conditions))
            break
        except ChampionMovedError:
            continue
    made = moves.settle(client, task).by_gate(entry.number)
    if verdict is not None:
        reason, decision = _why(verdict, entry, conditions), BETTER if verdict.better else NOT_BETTER
    else:  # its evidence was deleted after the stages had moved
        reason, decision = (made.why, made.verdict) if made else ("", "")
    client.set_model_version_tag(task, entry.number, REASON_TAG, reason)
    client.set_model_version_tag(task, entry.number, VERDICT_TAG, decision)


def _move(verdict: Verdict, entry: Entry, entries: list[Entry], conditions: Conditions, state: State) -> Move:
    """What follows from a verdict: a better challenger takes Production, or is proposed; Staging has the runner-up.

    Raises:
        ChampionMovedError: the verdict has to be given anew.
    """
    if verdict.champion != name(state.production):
        raise ChampionMovedError
    wanted: Held = {}
    runner_up: str | None = entry.number
    if verdict.better and not proposed_why(entry.version, conditions):
        wanted[PRODUCTION] = entry.number
        runner_up = state.production
    elif not verdict.better and conditions.promotion == "propose":
        runner_up = None
    holder = None if state.staging in wanted.values() else state.staging
    known = {one.number: strength(one, conditions) for one in entries}
    if runner_up and (holder not in known or known.get(runner_up, -math.inf) > known[holder]):
        wanted[STAGING] = runner_up
    decision = BETTER if verdict.better else NOT_BETTER
    return Move(GATE, entry.number, state.changes(wanted), _cut(_why(verdict, entry, conditions)), decision)


def _why(verdict: Verdict, entry: Entry, conditions: Conditions) -> str:
    proposed = proposed_why(entry.version, conditions) if verdict.better else ""
    return f"{verdict.reason}; only proposed, since {proposed}" if proposed else verdict.reason


def proposed_why(version: ModelVersion, conditions: Conditions) -> str:
    """Why a better version is only proposed for Production; empty where it takes it."""
    if conditions.promotion == "propose":
        return "gate.promotion is propose"
    reproducible = str(version.tags.get("reproducible", ""))
    return f"it cannot be reproduced: {reproducible.removeprefix('no: ')}" if reproducible.startswith("no") else ""


def strength(entry: Entry, conditions: Conditions) -> float:
    """The gate's metric on the validation rows, more being better."""
    value = entry.candidate.validation[conditions.metric].value
    return -value if conditions.metric in LOWER_IS_BETTER else value


def exam(client: MlflowClient, content: dict[str, Any], task: str) -> Exam:
    """The test rows of a task as they are prepared now; which rows there are to fit on is kept with the history.

    Raises:
        InputError: the gate is to measure slices by a column that the rows do not have.
    """
    prepared = PREPARED / task
    contract = Contract.load(prepared)
    check_columns(content, contract)
    costs = cost_matrix(params.task(content, task).decision, contract.classes)
    rows = Rows(prepared, contract, lineage.folder_digest(prepared))
    row_hashes.keep(client, History(client, task).run(), rows)
    return Exam(pd.read_parquet(prepared / "test.parquet"), contract, rows.digest, costs, rows)


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_WHY else text[: LONGEST_WHY - 1] + "…"


def evidence(client: MlflowClient, version: ModelVersion) -> Verdict | None:
    """The verdict that is kept for a version."""
    run, folder = str(version.run_id), f"versions/{version.version}"
    if not any(file.path.endswith(EVIDENCE) for file in client.list_artifacts(run, folder)):
        return None
    with tempfile.TemporaryDirectory() as temporary:
        path = client.download_artifacts(run, f"{folder}/{EVIDENCE}", temporary)
        return Verdict.from_json(Path(path).read_text(encoding="utf-8"))


def _judge(
    client: MlflowClient, entry: Entry, champion: str | None, conditions: Conditions, exam: Exam, seed: int
) -> Verdict:
    ours, task = name(entry.number), entry.version.name
    holder = client.get_model_version(task, champion) if champion else None
    seen = None
    if exam.split:
        challenger = Fitted.of_candidate(ours, entry.candidate)
        theirs = Fitted.of_version(name(champion), holder.tags) if holder else None
        seen = check(client, History(client, task).run(), exam.split, challenger, theirs)
    with tempfile.TemporaryDirectory() as temporary:

        def graph(version: ModelVersion) -> Path:
            return versions.graph(version, Path(temporary, str(version.version)))

        other = (name(champion), graph(holder)) if holder else None
        return gate.judge(conditions, (ours, graph(entry.version)), other, exam, seed, seen)


def name(number: str | None) -> str:
    """How verdicts call a version, or that there is none."""
    return f"version {number}" if number else gate.BASELINE
