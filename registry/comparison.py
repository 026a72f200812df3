"""Two models on the same rows: a paired bootstrap interval of their difference, and McNemar's test of their labels."""

from dataclasses import dataclass

import numpy as np
from scipy import stats

from registry.conditions import Conditions
from training.metrics import LOWER_IS_BETTER, Evaluation, Interval, percentiles, resampled


@dataclass(frozen=True)
class McNemar:
    """McNemar's exact test of whether two models label equally many rows rightly."""

    challenger_only: int
    """Rows that the challenger alone labels rightly."""
    champion_only: int
    p: float
    """Of a split at least as uneven, if both were equally good; two-sided."""

    @classmethod
    def of(cls, challenger: np.ndarray, champion: np.ndarray) -> "McNemar":
        """Of which rows each labelled rightly, 1 or 0, both of shape (rows,)."""
        ours, theirs = int((challenger > champion).sum()), int((champion > challenger).sum())
        p = float(stats.binomtest(ours, ours + theirs).pvalue) if ours + theirs else 1.0
        return cls(ours, theirs, p)


@dataclass(frozen=True)
class Comparison:
    """A challenger against a champion."""

    challenger: float
    """The metric of the challenger."""
    champion: float
    lead: Interval
    """Challenger over champion, positive where the challenger is better, with its paired bootstrap interval."""
    mcnemar: McNemar
    better: bool
    """Whether the interval's lower end lies above the margin: a tie keeps the champion."""


class Resamples:
    """A metric of several models on the same bootstrap resamples of the rows, each computed once."""

    def __init__(self, conditions: Conditions, rows: int, seed: int) -> None:
        """The gate's metric and number of resamples, of so many rows, drawn from a seed."""
        self.conditions, self.rows, self.seed = conditions, rows, seed
        self._known: dict[Evaluation, np.ndarray] = {}

    def of(self, *evaluations: Evaluation) -> list[np.ndarray]:
        """The metric of each resample, for each model; shape (resamples,)."""
        if missing := [one for one in evaluations if one not in self._known]:
            each = [one.statistic(self.conditions.metric) for one in missing]
            values = resampled(
                lambda weights: [of(weights) for of in each], self.rows, self.seed, self.conditions.resamples
            )
            self._known |= zip(missing, values, strict=True)
        return [self._known[one] for one in evaluations]


def compare(challenger: Evaluation, champion: Evaluation, resamples: Resamples) -> Comparison:
    """Bootstrap the difference of the gate's metric row by row, and test the labels.

    Args:
        challenger: evaluated on the same rows as the champion.
        champion: what it wants to replace.
        resamples: of these rows.
    """
    conditions = resamples.conditions
    sign = -1.0 if conditions.metric in LOWER_IS_BETTER else 1.0
    ours, theirs = resamples.of(challenger, champion)
    low, high = percentiles(sign * (ours - theirs), conditions.confidence)
    every = np.ones(challenger.rows)
    value, other = (one.statistic(conditions.metric)(every) for one in (challenger, champion))
    return Comparison(
        challenger=value,
        champion=other,
        lead=Interval(sign * (value - other), float(low), float(high)),
        mcnemar=McNemar.of(challenger.correct, champion.correct),
        better=bool(low > conditions.margin),
    )
