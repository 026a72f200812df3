"""Test metrics of class probabilities under row weights, so that a bootstrap resample is one pass."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from scipy import stats

METRICS = (
    "auc",
    "average_precision",
    "accuracy",
    "precision",
    "recall",
    "f1",
    "log_loss",
    "brier",
    "calibration_error",
)
DEFAULT: Final = "auc"
"""What models are compared by where `gate:` names no other metric."""
MEAN_COST = "mean_cost"
"""Mean cost of a row's label, a metric where the task declares costs."""
PER_CLASS = ("precision", "recall", "f1")
LOWER_IS_BETTER = frozenset({"log_loss", "brier", "calibration_error", MEAN_COST})
BINS = 15
DRAWN = (
    200_000  # rows that a bootstrap draws at once: the fewer calls, the quicker, as long as memory's caches hold them
)


@dataclass(frozen=True)
class Interval:
    """A metric with its percentile bootstrap interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.4f} [{self.low:.4f}, {self.high:.4f}]"


@dataclass(frozen=True)
class OfClass:
    """How one class is found, against the rest; `support` is its number of rows."""

    precision: Interval
    recall: Interval
    f1: Interval
    support: int

    @classmethod
    def from_record(cls, content: dict[str, Any]) -> "OfClass":
        """What `asdict` or JSON made of one."""
        precision, recall, f1 = (Interval(**content[part]) for part in PER_CLASS)
        return cls(precision, recall, f1, content["support"])


@dataclass(frozen=True)
class Spread:
    """A metric over folds."""

    mean: float
    deviation: float
    """The standard deviation of the values, as of a sample."""
    values: list[float]

    @classmethod
    def of(cls, values: list[float]) -> "Spread":
        """The mean and the deviation of the values that are numbers."""
        known = [value for value in values if np.isfinite(value)]
        if not known:
            return cls(float("nan"), float("nan"), values)
        return cls(float(np.mean(known)), float(np.std(known, ddof=1)) if len(known) > 1 else 0.0, values)

    def __str__(self) -> str:
        return f"{self.mean:.4f} ± {self.deviation:.4f}"


class Ranking:
    """Area under the ROC curve and average precision of one score, with ties counted in full."""

    def __init__(self, score: np.ndarray, truth: np.ndarray) -> None:
        """Score and truth (bool), both of shape (rows,)."""
        self.order = np.argsort(-score, kind="stable")
        ordered = score[self.order]
        self.ends = np.flatnonzero(np.r_[ordered[1:] != ordered[:-1], True])
        self.truth = truth[self.order].astype(np.float64)
        upwards = self.order[::-1]
        self.positive, self.negative = upwards[truth[upwards]], upwards[~truth[upwards]]
        self.below, self.up_to = (
            np.searchsorted(score[self.negative], score[self.positive], side) for side in ("left", "right")
        )

    def found(self, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Weight of positive rows, and of all rows, at or above each distinct score, descending."""
        ordered = weights[self.order]
        named = np.cumsum(ordered)[self.ends]
        return np.cumsum(np.multiply(ordered, self.truth, out=ordered))[self.ends], named

    def auc(self, weights: np.ndarray) -> float:
        """Probability that a positive row outranks a negative one; NaN if either is absent."""
        outranked = np.concatenate([[0.0], np.cumsum(weights[self.negative])])
        hits = weights[self.positive]
        pairs = hits.sum() * outranked[-1]
        return float(hits @ (outranked[self.below] + outranked[self.up_to]) / 2 / pairs) if pairs else float("nan")

    def average_precision(self, weights: np.ndarray) -> float:
        """Mean precision at each positive row, from the highest score down; NaN if there is none."""
        hits, named = self.found(weights)
        precision = hits / np.maximum(named, np.finfo(np.float64).tiny)
        return float(np.dot(np.diff(hits, prepend=0.0), precision) / hits[-1]) if hits[-1] else float("nan")


class Evaluation:
    """All `METRICS` of one model on one set of rows, and the mean cost where there are costs.

    With two classes precision, recall, F1, AUC and average precision speak of the last class; with more
    they are the mean over classes, each against the rest, and the calibration error is that of the
    likeliest class. Brier follows scikit-learn: (p - y)² of the last of two classes, else summed over classes.
    Rows count alike, whatever weights a model was fitted with.
    """

    def __init__(
        self,
        probabilities: np.ndarray,
        codes: np.ndarray,
        chosen: np.ndarray | None = None,
        costs: np.ndarray | None = None,
    ) -> None:
        """Take what a model answered.

        Args:
            probabilities: shape (rows, classes).
            codes: true classes, int, shape (rows,).
            chosen: the classes of the labels, int, shape (rows,); by default the likeliest.
            costs: of each predicted class for each actual one, shape (classes, classes).
        """
        rows, classes = probabilities.shape
        p = probabilities.astype(np.float64)
        likeliest, truth = p.argmax(axis=1), codes[:, None] == np.arange(classes)
        chosen = likeliest if chosen is None else chosen
        eps = np.finfo(np.float64).eps
        self.rows, self.probabilities = rows, probabilities
        self.spoken_of = [1] if classes == 2 else list(range(classes))
        self.rankings = [Ranking(probabilities[:, k], truth[:, k]) for k in self.spoken_of]
        self.correct = (chosen == codes).astype(np.float64)
        self.loss = -np.log(np.clip(p[np.arange(rows), codes], eps, 1.0))
        squares = (p - truth) ** 2
        self.square = squares[:, 1] if classes == 2 else squares.sum(axis=1)
        self.cells = codes * classes + chosen
        self.classes = classes
        self.costs = costs
        self.names = METRICS if costs is None else (*METRICS, MEAN_COST)
        confidence = p[:, 1] if classes == 2 else p.max(axis=1)
        outcome = truth[:, 1] if classes == 2 else likeliest == codes
        self.bin = np.minimum((confidence * BINS).astype(np.int64), BINS - 1)
        self.gap = outcome - confidence

    def under(self, weights: np.ndarray) -> np.ndarray:
        """The metrics in the order of `names`, for row weights of shape (rows,)."""
        total = weights.sum()
        ranked = np.mean([(one.auc(weights), one.average_precision(weights)) for one in self.rankings], axis=0)
        gaps = np.bincount(self.bin, weights * self.gap, BINS)
        costs = [] if self.costs is None else [(self.confusion(weights) * self.costs).sum() / total]
        return np.array(
            [
                *ranked,
                weights @ self.correct / total,
                *self.per_class(weights)[self.spoken_of].mean(axis=0),
                weights @ self.loss / total,
                weights @ self.square / total,
                np.abs(gaps).sum() / total,
                *costs,
            ]
        )

    def confusion(self, weights: np.ndarray) -> np.ndarray:
        """Weight of the rows by actual and by predicted class, shape (classes, classes)."""
        return np.bincount(self.cells, weights, self.classes**2).reshape(self.classes, self.classes)

    def per_class(self, weights: np.ndarray) -> np.ndarray:
        """`PER_CLASS` of each class against the rest, shape (classes, 3); nought where nothing is there to count."""
        confusion = self.confusion(weights)
        hit, actual, named = np.diag(confusion), confusion.sum(axis=1), confusion.sum(axis=0)
        precision = np.divide(hit, named, out=np.zeros_like(hit), where=named > 0)
        recall = np.divide(hit, actual, out=np.zeros_like(hit), where=actual > 0)
        f1 = np.divide(2 * hit, actual + named, out=np.zeros_like(hit), where=actual + named > 0)
        return np.column_stack([precision, recall, f1])

    def statistic(self, metric: str) -> Callable[[np.ndarray], float]:
        """One metric as a function of row weights."""
        if metric == "auc":
            return lambda weights: float(np.mean([ranking.auc(weights) for ranking in self.rankings]))
        place = self.names.index(metric)
        return lambda weights: float(self.under(weights)[place])

    def values(self) -> dict[str, float]:
        """Each metric by name."""
        return dict(zip(self.names, self.under(np.ones(self.rows)).tolist(), strict=True))

    def intervals(self, seed: int, resamples: int = 500, confidence: float = 0.95) -> dict[str, Interval]:
        """Each metric with its bootstrap interval over test rows."""
        values = self.values()
        low, high = bootstrap(self.under, self.rows, seed, resamples, confidence)
        return {name: Interval(values[name], low[i], high[i]) for i, name in enumerate(self.names)}

    def intervals_per_class(self, seed: int, resamples: int = 500, confidence: float = 0.95) -> list[OfClass]:
        """How each class is found, with bootstrap intervals over test rows."""
        ones = np.ones(self.rows)
        values, support = self.per_class(ones), self.confusion(ones).sum(axis=1)
        low, high = bootstrap(self.per_class, self.rows, seed, resamples, confidence)
        cells = np.stack([values, low, high], axis=2).tolist()
        return [
            OfClass(Interval(*precision), Interval(*recall), Interval(*f1), int(rows))
            for (precision, recall, f1), rows in zip(cells, support, strict=True)
        ]


def bootstrap(
    statistic: Callable[[np.ndarray], Any], rows: int, seed: int, resamples: int, confidence: float
) -> tuple[Any, Any]:
    """Percentile bootstrap interval of `statistic(weights)` over rows drawn with replacement.

    Args:
        statistic: takes row weights (how often each row was drawn), returns a number or a vector.
        rows: how many rows there are.
        seed: of the draws.
        resamples: how many times to draw.
        confidence: coverage of the interval, between 0 and 1.

    Returns:
        Lower and upper ends, shaped like the statistic; resamples that lack a class, where it is NaN, do not count.
    """
    return percentiles(resampled(statistic, rows, seed, resamples), confidence)


def resampled(statistic: Callable[[np.ndarray], Any], rows: int, seed: int, resamples: int) -> np.ndarray:
    """The statistic of each resample that `bootstrap` draws, shape (..., resamples)."""

    def of_each(drawn: np.ndarray, axis: int) -> np.ndarray:
        counts = (np.bincount(one, minlength=rows).astype(np.float64) for one in drawn)
        return np.stack([statistic(weights) for weights in counts], axis=axis)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", stats.DegenerateDataWarning)
        result = stats.bootstrap(
            (np.arange(rows),),
            of_each,
            vectorized=True,
            batch=max(1, DRAWN // rows),
            n_resamples=resamples,
            method="percentile",
            rng=np.random.default_rng(seed),
        )
    return np.asarray(result.bootstrap_distribution)


def percentiles(distribution: np.ndarray, confidence: float) -> tuple[Any, Any]:
    """The ends of the interval that holds the share `confidence` of resamples, shape (...); NaN does not count."""
    tail = (1 - confidence) / 2
    low, high = np.nanquantile(distribution, [tail, 1 - tail], axis=-1)
    return low, high
