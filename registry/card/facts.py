"""What a card is written from: a version's record, what was declared, and what is measured on the test rows."""

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
from mlflow.entities.model_registry import ModelVersion

from data import params
from data.contract import Contract
from data.prepare import PREPARED
from registry import importance, slices, words
from registry.card import call
from registry.conditions import Conditions, Slices
from registry.evidence import Verdict
from registry.exam import Exam
from registry.importance import Permuted
from registry.slices import Slice
from registry.words import Word
from training.candidate import Candidate
from training.graph import Graph
from training.metrics import LOWER_IS_BETTER, Evaluation

FEW_VALUES = 20  # up to which a category's values are slices where none are declared
UNKNOWN = "no training row says this"
LEAST_ROWS = Slices.model_fields["least_rows"].default


@dataclass(frozen=True)
class Facts:
    """All that a card speaks of."""

    task: str
    number: str
    run: str
    candidate: Candidate
    contract: Contract
    declared: params.Task
    conditions: Conditions
    verdict: Verdict | None
    reference: dict[str, Any]
    """Statistics of the training rows."""
    stale: bool
    """Whether the rows were prepared anew since the training."""
    evaluation: Evaluation
    """On the test rows."""
    shares: dict[str, float]
    """Of the classes among the test rows."""
    slices: list[Slice]
    """The gate's metric on them, worst first."""
    permuted: Permuted | None
    words: list[Word]
    body: dict[str, Any]
    """The version's input example."""
    answers_unknown: bool
    """Whether rows without any value, and with categories that no row had, are answered."""

    @property
    def metric(self) -> str:
        """The gate's metric, as the field writes it."""
        return metric_name(self.conditions.metric)


def metric_name(metric: str) -> str:
    """A metric as the field writes it."""
    return {"auc": "AUC", "f1": "F1", "brier": "Brier score"}.get(metric, metric.replace("_", " "))


def gather(
    version: ModelVersion,
    candidate: Candidate,
    exam: Exam,
    declared: params.Task,
    conditions: Conditions,
    verdict: Verdict | None,
) -> Facts:
    """Measure what the record does not have; `exam` remembers what the gate has asked already."""
    task, number, contract = candidate.task, str(version.version), exam.contract
    reference = json.loads((PREPARED / task / "reference.json").read_text(encoding="utf-8"))
    graph, evaluation = Graph(candidate.graph), exam.take(candidate.graph)
    counts = np.bincount(exam.codes, minlength=len(contract.classes))
    texts = exam.rows[contract.names[0]].tolist()
    only_text = contract.of_kind("text") == contract.names and len(contract.names) == 1
    return Facts(
        task=task,
        number=number,
        run=str(version.run_id),
        candidate=candidate,
        contract=contract,
        declared=declared,
        conditions=conditions,
        verdict=verdict,
        reference=reference,
        stale=candidate.data["digest"] != exam.data,
        evaluation=evaluation,
        shares=dict(zip(contract.classes, (counts / len(exam)).tolist(), strict=True)),
        slices=_slices(exam, evaluation, conditions, reference),
        permuted=None if only_text else _permuted(graph, candidate, exam, conditions.metric),
        words=words.measure(graph, texts, evaluation.probabilities) if only_text else [],
        body=call.example(task, number),
        answers_unknown=_answers_unknown(graph, contract),
    )


def _permuted(graph: Graph, candidate: Candidate, exam: Exam, metric: str) -> Permuted:
    given = exam.rows, exam.contract, metric, candidate.seed, candidate.latency_ms, exam.costs
    return importance.measure(graph, *given)


def _slices(exam: Exam, evaluation: Evaluation, conditions: Conditions, reference: dict[str, Any]) -> list[Slice]:
    """By the columns that the gate guards, or else by those of few values."""
    guarded, contract = conditions.guardrails.slices, exam.contract
    few = [
        name
        for name in contract.of_kind("category", "boolean")
        if reference["columns"][name].get("distinct", 2) <= FEW_VALUES
    ]
    columns, least = (guarded.columns, guarded.least_rows) if guarded else (few, LEAST_ROWS)
    found = slices.measure(evaluation, exam.rows, columns, conditions.metric, least)
    sign = -1.0 if conditions.metric in LOWER_IS_BETTER else 1.0
    return sorted(found, key=lambda one: (one.figure is None, sign * (one.figure or 0.0)))


def _answers_unknown(graph: Graph, contract: Contract) -> bool:
    if contract.tensor:
        return False
    unknown = {
        name: [None, UNKNOWN if name in contract.of_kind("category", "text") else None] for name in contract.names
    }
    try:
        graph.score({name: np.array(values, dtype=object) for name, values in unknown.items()})
    except ValueError:
        return False
    return True
