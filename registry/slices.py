"""How well a model does on parts of the rows: one slice for each value of a column."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from training.metrics import Evaluation

NEEDS_BOTH = ("auc", "average_precision")  # rows of a class and rows of others


@dataclass(frozen=True)
class Slice:
    """The rows that have one value in a column, and a metric on them."""

    column: str
    value: str | None
    """As text; None for the rows where it is missing."""
    rows: int
    figure: float | None
    """The metric; None where it needs a class that the slice lacks."""

    def __str__(self) -> str:
        return f"{self.column} {'missing' if self.value is None else self.value}"


def measure(
    evaluation: Evaluation, rows: pd.DataFrame, columns: Sequence[str], metric: str, least_rows: int
) -> list[Slice]:
    """A metric on each value of each column that has `least_rows` rows or more, in the order of columns and values.

    Args:
        evaluation: of a model on all `rows`.
        rows: with the columns, in the order that was evaluated.
        columns: categories, booleans, numbers or times; missing values are a slice of their own.
        metric: one of the evaluation's names.
        least_rows: a slice of fewer is left out, as its metric would be mostly chance.
    """
    statistic = evaluation.statistic(metric)
    found = []
    for column in columns:
        held = rows[column].mask(rows[column].eq(""))  # how a prepared category is missing
        codes, values = pd.factorize(held, sort=True, use_na_sentinel=False)
        for code, (value, count) in enumerate(zip(values, np.bincount(codes, minlength=len(values)), strict=True)):
            if count >= least_rows:
                mask = codes == code
                known = metric not in NEEDS_BOTH or all(
                    _has_both(one.truth, mask[one.order]) for one in evaluation.rankings
                )
                figure = statistic(mask.astype(np.float64)) if known else None
                found.append(Slice(column, _text(value), int(count), figure))
    return found


def _has_both(truth: np.ndarray, mask: np.ndarray) -> bool:
    return bool(0 < truth[mask].sum() < mask.sum())


def _text(value: object) -> str | None:
    if pd.isna(value):  # type: ignore[call-overload]
        return None
    return f"{value:g}" if isinstance(value, float) else str(value)
