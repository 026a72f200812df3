"""The register stage: declared candidates become versions, the gate judges the new ones, stages move."""

from typing import Any

from mlflow import MlflowClient

from data import params
from data.errors import InputError
from registry import card, moves, verdicts, versions
from registry import conditions as gate_conditions
from registry.verdicts import VERDICT_TAG, Entry
from training import candidate as candidates
from training import models


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
    moves.settle(client, task)
    entries.sort(key=lambda entry: verdicts.strength(entry, conditions), reverse=True)
    unjudged = [entry for entry in entries if VERDICT_TAG not in entry.version.tags and conditions.promotion != "off"]
    undescribed = [entry for entry in entries if not card.written(entry.version)]
    if unjudged or undescribed:
        exam = verdicts.exam(client, content, task)
        for entry in unjudged:
            verdicts.follow(client, entry, entries, conditions, exam, content["seed"])
        for entry in undescribed:
            verdict = verdicts.evidence(client, entry.version)
            of = card.of(entry.version, entry.candidate, exam, params.task(content, task), conditions, verdict)
            card.write(client, entry.version, of)
    return [
        Entry(entry.candidate, client.get_model_version(task, entry.version.version), entry.new) for entry in entries
    ]
