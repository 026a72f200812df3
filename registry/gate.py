"""The gate: champion and challenger on the same test rows, and a verdict with its evidence."""

import hashlib
import json
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from data.contract import Contract
from registry.conditions import Conditions
from training.graph import Graph
from training.metrics import LOWER_IS_BETTER, Evaluation, Interval, bootstrap

BASELINE = "baseline"  # the champion while there is none: class shares for every row


@dataclass(frozen=True)
class Verdict:
    """The gate's decision, with its evidence."""

    better: bool
    reason: str
    challenger: str
    champion: str
    metric: str
    margin: float
    confidence: float
    rows: int
    data: str
    """Digest of the prepared data that the rows are of."""
    challenger_value: float | None = None
    champion_value: float | None = None
    lead: Interval | None = None
    """Challenger over champion, positive where the challenger is better, with its paired bootstrap interval."""

    def to_json(self) -> str:
        """The verdict as JSON."""
        return json.dumps(asdict(self), indent=1)

    @classmethod
    def from_json(cls, text: str) -> "Verdict":
        """The verdict that `to_json` wrote."""
        content: dict[str, Any] = json.loads(text)
        lead = content.pop("lead")
        return cls(lead=Interval(**lead) if lead else None, **content)


class Exam:
    """The test rows of a task, and what each graph answers on them, asked once."""

    def __init__(self, rows: pd.DataFrame, contract: Contract, data: str, costs: np.ndarray | None = None) -> None:
        """Test rows with their target.

        Args:
            rows: of the prepared test split.
            contract: the task's contract.
            data: digest of the prepared data, noted in verdicts.
            costs: what labels cost, shape (classes, classes), where the metric is the mean cost.
        """
        self.rows, self.contract, self.data, self.costs = rows, contract, data, costs
        self.codes = contract.codes(rows[contract.target])
        self._taken: dict[str, Evaluation] = {}

    def __len__(self) -> int:
        return len(self.codes)

    def take(self, path: Path) -> Evaluation:
        """The graph's own labels and probabilities, measured."""
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        if digest not in self._taken:
            labels, probabilities = Graph(path).score(self.rows)
            answered = self.contract.codes(pd.Series(labels))
            self._taken[digest] = Evaluation(probabilities, self.codes, answered, self.costs)
        return self._taken[digest]

    def baseline(self, metric: str) -> Evaluation:
        """The class shares for every row, with the one label that serves the metric best."""
        classes = len(self.contract.classes)
        shares = np.tile(np.bincount(self.codes, minlength=classes) / len(self), (len(self), 1))
        sign = -1.0 if metric in LOWER_IS_BETTER else 1.0
        each = [Evaluation(shares, self.codes, np.full(len(self), label), self.costs) for label in range(classes)]
        return max(each, key=lambda one: sign * one.values()[metric])


def judge(
    conditions: Conditions, challenger: tuple[str, Path], champion: tuple[str, Path] | None, exam: Exam, seed: int
) -> Verdict:
    """Score both graphs on the test rows and bootstrap their difference row by row.

    Args:
        conditions: metric, margin and confidence.
        challenger: name and graph of what wants to be in Production.
        champion: name and graph of what is there; None compares with the class shares of the rows.
        exam: the test rows.
        seed: of the bootstrap.

    Returns:
        The verdict "better" only where the interval's lower end lies above the margin: a tie keeps the champion.
    """
    contract = exam.contract
    name = champion[0] if champion else BASELINE
    verdict = partial(
        Verdict,
        challenger=challenger[0],
        champion=name,
        metric=conditions.metric,
        margin=conditions.margin,
        confidence=conditions.confidence,
        rows=len(exam),
        data=exam.data,
    )
    if champion is None:
        other_answers = exam.baseline(conditions.metric)
    else:
        if misfit := _misfit(Graph(champion[1]), contract):
            reason = (
                f"{name} does not fit today's data ({misfit}), so nothing was compared and it stays; to replace it: "
                f"python -m registry promote {contract.task} {challenger[0].split()[-1]} --to Production"
            )
            return verdict(better=False, reason=reason)
        other_answers = exam.take(champion[1])
    sign = -1.0 if conditions.metric in LOWER_IS_BETTER else 1.0
    ours = exam.take(challenger[1]).statistic(conditions.metric)
    theirs = other_answers.statistic(conditions.metric)
    low, high = bootstrap(
        lambda w: sign * (ours(w) - theirs(w)), len(exam), seed, conditions.resamples, conditions.confidence
    )
    value, other = ours(np.ones(len(exam))), theirs(np.ones(len(exam)))
    lead = Interval(sign * (value - other), float(low), float(high))
    better = lead.low > conditions.margin
    reason = (
        f"{conditions.metric} {value:.4f} against {other:.4f} of {name}: lead {lead} "
        f"is {'above' if better else 'not above'} the margin {conditions.margin:g}"
    )
    return verdict(better=better, reason=reason, challenger_value=value, champion_value=other, lead=lead)


def _misfit(graph: Graph, contract: Contract) -> str | None:
    kinds = {column.name: column.kind for column in contract.columns}
    other = sorted(name for name, kind in graph.kinds.items() if kinds.get(name) != kind)
    if other:
        return f"it takes {', '.join(other)}, which the data lacks or has as another kind"
    return None if graph.classes == list(contract.classes) else "it has other classes"
