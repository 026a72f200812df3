"""The gate: champion and challenger on the same test rows, and a verdict with its evidence."""

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


def judge(
    conditions: Conditions,
    challenger: tuple[str, Path],
    champion: tuple[str, Path] | None,
    rows: pd.DataFrame,
    contract: Contract,
    data: str,
    seed: int,
    costs: np.ndarray | None = None,
) -> Verdict:
    """Score both graphs on the test rows and bootstrap their difference row by row.

    Args:
        conditions: metric, margin and confidence.
        challenger: name and graph of what wants to be in Production.
        champion: name and graph of what is there; None compares with the class shares of the rows.
        rows: test rows with their target.
        contract: the task's contract.
        data: digest of the prepared data, noted in the verdict.
        seed: of the bootstrap.
        costs: what labels cost, shape (classes, classes), where the metric is the mean cost.

    Returns:
        The verdict "better" only where the interval's lower end lies above the margin: a tie keeps the champion.
    """
    codes = contract.codes(rows[contract.target])
    name = champion[0] if champion else BASELINE
    verdict = partial(
        Verdict,
        challenger=challenger[0],
        champion=name,
        metric=conditions.metric,
        margin=conditions.margin,
        confidence=conditions.confidence,
        rows=len(rows),
        data=data,
    )
    if champion is None:
        other_answers = _shares(codes, conditions.metric, costs, len(contract.classes))
    else:
        graph = Graph(champion[1])
        if misfit := _misfit(graph, contract):
            reason = (
                f"{name} does not fit today's data ({misfit}), so nothing was compared and it stays; to replace it: "
                f"python -m registry promote {contract.task} {challenger[0].split()[-1]} --to Production"
            )
            return verdict(better=False, reason=reason)
        other_answers = _answers(graph, rows, contract, costs)
    sign = -1.0 if conditions.metric in LOWER_IS_BETTER else 1.0
    ours = _answers(Graph(challenger[1]), rows, contract, costs).statistic(conditions.metric)
    theirs = other_answers.statistic(conditions.metric)
    low, high = bootstrap(
        lambda w: sign * (ours(w) - theirs(w)), len(rows), seed, conditions.resamples, conditions.confidence
    )
    value, other = ours(np.ones(len(rows))), theirs(np.ones(len(rows)))
    lead = Interval(sign * (value - other), float(low), float(high))
    better = lead.low > conditions.margin
    reason = (
        f"{conditions.metric} {value:.4f} against {other:.4f} of {name}: lead {lead} "
        f"is {'above' if better else 'not above'} the margin {conditions.margin:g}"
    )
    return verdict(better=better, reason=reason, challenger_value=value, champion_value=other, lead=lead)


def _answers(graph: Graph, rows: pd.DataFrame, contract: Contract, costs: np.ndarray | None) -> Evaluation:
    """The graph's own labels and probabilities, measured."""
    labels, probabilities = graph.score(rows)
    return Evaluation(probabilities, contract.codes(rows[contract.target]), contract.codes(pd.Series(labels)), costs)


def _shares(codes: np.ndarray, metric: str, costs: np.ndarray | None, classes: int) -> Evaluation:
    """The class shares for every row, with the one label that serves the metric best."""
    shares = np.tile(np.bincount(codes, minlength=classes) / len(codes), (len(codes), 1))
    sign = -1.0 if metric in LOWER_IS_BETTER else 1.0
    each = [Evaluation(shares, codes, np.full(len(codes), label), costs) for label in range(classes)]
    return max(each, key=lambda one: sign * one.values()[metric])


def _misfit(graph: Graph, contract: Contract) -> str | None:
    kinds = {column.name: column.kind for column in contract.columns}
    other = sorted(name for name, kind in graph.kinds.items() if kinds.get(name) != kind)
    if other:
        return f"it takes {', '.join(other)}, which the data lacks or has as another kind"
    return None if graph.classes == list(contract.classes) else "it has other classes"
