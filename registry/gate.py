"""The gate: champion and challenger on the same test rows, and a verdict with its evidence."""

import hashlib
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from data.contract import Column, Contract
from data.errors import InputError
from registry import guardrails
from registry.comparison import Resamples, compare
from registry.conditions import Conditions
from registry.evidence import ComparedSlice, Verdict
from registry.guardrails import Figures
from registry.row_hashes import Rows
from registry.seen import Seen
from training.graph import Graph
from training.metrics import LOWER_IS_BETTER, Evaluation

BASELINE = "baseline"  # the champion while there is none: class shares for every row


class Exam:
    """The test rows of a task, and what each graph answers on them, asked once."""

    def __init__(
        self,
        rows: pd.DataFrame,
        contract: Contract,
        data: str,
        costs: np.ndarray | None = None,
        split: Rows | None = None,
    ) -> None:
        """Test rows with their target.

        Args:
            rows: of the prepared test split.
            contract: the task's contract.
            data: digest of the prepared data, noted in verdicts.
            costs: what labels cost, shape (classes, classes), where the metric is the mean cost.
            split: the rows of all splits as hashes, to tell which of them a graph was fitted on.
        """
        self.split = split
        self.rows, self.contract, self.data, self.costs = rows, contract, data, costs
        self.codes = contract.codes(rows[contract.target])
        self._graphs: dict[str, Graph] = {}
        self._taken: dict[str, Evaluation] = {}
        self._figures: dict[tuple[str, Conditions], Figures] = {}
        self._resamples: dict[tuple[Conditions, int], Resamples] = {}

    def __len__(self) -> int:
        return len(self.codes)

    def take(self, path: Path) -> Evaluation:
        """The graph's own labels and probabilities, measured."""
        digest, graph = self._opened(path)
        if digest not in self._taken:
            labels, probabilities = graph.score(self.rows)
            answered = self.contract.codes(pd.Series(labels))
            self._taken[digest] = Evaluation(probabilities, self.codes, answered, self.costs)
        return self._taken[digest]

    def figures(self, path: Path, conditions: Conditions) -> Figures:
        """What the graph has of the things that guardrails limit."""
        digest, graph = self._opened(path)
        key = digest, conditions
        if key not in self._figures:
            self._figures[key] = guardrails.measure(path, graph, self.take(path), self.rows, conditions)
        return self._figures[key]

    def resamples(self, conditions: Conditions, seed: int) -> Resamples:
        """Resamples of the rows, the same for every graph."""
        return self._resamples.setdefault((conditions, seed), Resamples(conditions, len(self), seed))

    def misfit(self, path: Path) -> str | None:
        """Why a graph cannot be asked about the rows, or None if it can."""
        graph, columns = self._opened(path)[1], {column.name: column for column in self.contract.columns}
        other = sorted(one["name"] for one in graph.columns if not _takes(Column(**one), columns.get(one["name"])))
        if other:
            return f"it takes {', '.join(other)}, which the data lacks or has otherwise"
        return None if graph.classes == list(self.contract.classes) else "it has other classes"

    def baseline(self, metric: str) -> Evaluation:
        """The class shares for every row, with the one label that serves the metric best."""
        classes = len(self.contract.classes)
        shares = np.tile(np.bincount(self.codes, minlength=classes) / len(self), (len(self), 1))
        sign = -1.0 if metric in LOWER_IS_BETTER else 1.0
        each = [Evaluation(shares, self.codes, np.full(len(self), label), self.costs) for label in range(classes)]
        return max(each, key=lambda one: sign * one.values()[metric])

    def _opened(self, path: Path) -> tuple[str, Graph]:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        if digest not in self._graphs:
            self._graphs[digest] = Graph(path)
        return digest, self._graphs[digest]


def judge(
    conditions: Conditions,
    challenger: tuple[str, Path],
    champion: tuple[str, Path] | None,
    exam: Exam,
    seed: int,
    seen: Seen | None = None,
) -> Verdict:
    """Score both graphs on the test rows, compare them, and hold the challenger against the guardrails.

    Args:
        conditions: metric, margin, confidence and guardrails.
        challenger: name and graph of what wants to be in Production.
        champion: name and graph of what is there; None compares with the class shares of the rows.
        exam: the test rows.
        seed: of the bootstrap.
        seen: what is known of rows that either was fitted on, for the verdict.

    Raises:
        InputError: the challenger does not fit today's data.
    """
    contract = exam.contract
    name, path = champion or (BASELINE, None)
    if misfit := exam.misfit(challenger[1]):
        raise InputError(
            f"{contract.task}: {challenger[0]} does not fit today's data ({misfit}), so it cannot be judged; train its "
            "model again with `dvc repro`"
        )
    figures = exam.figures(challenger[1], conditions)
    verdict = partial(
        Verdict,
        challenger=challenger[0],
        champion=name,
        metric=conditions.metric,
        margin=conditions.margin,
        confidence=conditions.confidence,
        resamples=conditions.resamples,
        rows=len(exam),
        data=exam.data,
        seed=seed,
        seen=seen,
        challenger_value=figures.metric,
        guardrails=tuple(guardrails.check(figures, conditions)),
    )
    if path and (misfit := exam.misfit(path)):
        reason = (
            f"{name} does not fit today's data ({misfit}), so nothing was compared and it stays; to replace it: "
            f"python -m registry promote {contract.task} {challenger[0].split()[-1]} --to Production"
        )
        return _guarded(verdict(better=False, reason=reason, slices=_side_by_side(figures, None)))
    theirs = exam.figures(path, conditions) if path else None
    other = exam.take(path) if path else exam.baseline(conditions.metric)
    found = compare(exam.take(challenger[1]), other, exam.resamples(conditions, seed))
    reason = (
        f"{conditions.metric} {found.challenger:.4f} against {found.champion:.4f} of {name}: lead {found.lead} "
        f"is {'above' if found.better else 'not above'} the margin {conditions.margin:g}"
    )
    return _guarded(
        verdict(
            better=found.better,
            reason=reason,
            champion_value=found.champion,
            lead=found.lead,
            mcnemar=found.mcnemar,
            champion_guardrails=tuple(guardrails.check(theirs, conditions)) if theirs else (),
            slices=_side_by_side(figures, theirs),
        )
    )


def _guarded(verdict: Verdict) -> Verdict:
    """The verdict, which is not "better" if a guardrail fails, and then names each that does."""
    if not verdict.failed:
        return verdict
    failed = f"it fails {'a guardrail' if len(verdict.failed) == 1 else f'{len(verdict.failed)} guardrails'}: "
    reason = f"{verdict.reason}, {'but' if verdict.better else 'and'} {failed}{'; '.join(map(str, verdict.failed))}"
    return replace(verdict, better=False, reason=reason)


def _side_by_side(ours: Figures, theirs: Figures | None) -> tuple[ComparedSlice, ...]:
    def beside(place: int) -> float | None:
        return theirs.slices[place].figure if theirs else None

    return tuple(
        ComparedSlice(one.column, one.value, one.rows, one.figure, beside(place))
        for place, one in enumerate(ours.slices)
    )


def _takes(column: Column, given: Column | None) -> bool:
    """Whether a graph's column takes whatever the data's column holds."""
    return (
        given is not None
        and (given.kind, tuple(given.shape)) == (column.kind, tuple(column.shape))
        and column.low <= given.low
        and given.high <= column.high
    )
