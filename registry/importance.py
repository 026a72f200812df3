"""How much of a graph's metric is lost when one part of its input is exchanged between test rows."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from data.contract import Column, Contract
from data.params import Kind
from training.graph import LABEL, PROBABILITIES, Graph
from training.metrics import LOWER_IS_BETTER, Evaluation

REPEATS = 3
LEAST_ROWS, MOST_ROWS = 100, 2000
LARGE: tuple[Kind, ...] = ("text", "image", "sequence")  # cells that a graph takes no sooner in batches
SECONDS = 2.0  # about so long may all answers take, where more than the least rows do not need longer
IN_BATCHES = 10  # times sooner than one by one are rows of other cells answered
BATCH, LARGE_BATCH = 4096, 256
REGIONS = tuple(
    " ".join(filter(None, (row, column))) or "middle"
    for row in ("top", "", "bottom")
    for column in ("left", "", "right")
)


@dataclass(frozen=True)
class Importance:
    """A part of the input, and how much the metric loses on average without it."""

    part: str
    """A column, a region of an image or a channel of a sequence."""
    drop: float
    """In the metric's unit, positive where the metric gets worse."""
    deviation: float
    """Standard deviation over `REPEATS` permutations."""


@dataclass(frozen=True)
class Permuted:
    """The parts, those that matter most first, and the number of rows that they were permuted among."""

    parts: list[Importance]
    rows: int


@dataclass(frozen=True)
class _Part:
    name: str
    column: str
    index: tuple[Any, ...]
    """Where it is in the column's array of all rows."""


def measure(
    graph: Graph,
    rows: pd.DataFrame,
    contract: Contract,
    metric: str,
    seed: int,
    latency_ms: float,
    costs: np.ndarray | None = None,
) -> Permuted:
    """Permute each part of the input among a sample of rows, and measure the graph's answers.

    A column is a part; of an image each of nine regions, of a sequence each channel. Several permutations go through
    the graph at once, without which a table of many columns would take minutes.

    Args:
        graph: what answers.
        rows: with inputs and target.
        contract: names columns and classes.
        metric: what is lost, one of an evaluation's names.
        seed: of the sample and of the permutations.
        latency_ms: of one row, which decides how many rows are taken.
        costs: of labels, shape (classes, classes), for the mean cost.
    """
    parts = [part for column in contract.columns for part in _parts(column)]
    large = bool(contract.of_kind(*LARGE))
    answers = SECONDS * 1000 / latency_ms * (1 if large else IN_BATCHES)
    codes = contract.codes(rows[contract.target])
    chosen = sample(codes, int(np.clip(answers / (len(parts) * REPEATS), LEAST_ROWS, MOST_ROWS)), seed)
    feeds, codes = graph.feeds(rows.iloc[chosen]), codes[chosen]
    random, count = np.random.default_rng(seed), len(chosen)

    def worth(answered: np.ndarray, probabilities: np.ndarray) -> float:
        evaluation = Evaluation(probabilities, codes, contract.codes(pd.Series(answered)), costs)
        return evaluation.statistic(metric)(np.ones(count)) * (-1 if metric in LOWER_IS_BETTER else 1)

    whole = worth(*graph.session.run([LABEL, PROBABILITIES], feeds))
    jobs = [part for part in parts for _ in range(REPEATS)]
    at_once, lost = max(1, (LARGE_BATCH if large else BATCH) // count), []
    for start in range(0, len(jobs), at_once):
        some = jobs[start : start + at_once]
        stacked = {name: np.concatenate([values] * len(some)) for name, values in feeds.items()}
        for place, part in enumerate(some):
            exchanged = feeds[part.column][random.permutation(count)]
            stacked[part.column][place * count : (place + 1) * count][part.index] = exchanged[part.index]
        labels, probabilities = graph.session.run([LABEL, PROBABILITIES], stacked)
        pairs = zip(np.split(labels, len(some)), np.split(probabilities, len(some)), strict=True)
        lost += [whole - worth(*pair) for pair in pairs]
    each = np.reshape(lost, (len(parts), REPEATS))
    found = [
        Importance(part.name, float(drops.mean()), float(drops.std())) for part, drops in zip(parts, each, strict=True)
    ]
    return Permuted(sorted(found, key=lambda one: -one.drop), count)


def sample(codes: np.ndarray, limit: int, seed: int) -> np.ndarray:
    """Places of about `limit` rows, sorted; each class keeps its share, and a row at least.

    Args:
        codes: the rows' classes, int, shape (rows,).
        limit: how many rows, or all where there are no more.
        seed: of the draw.
    """
    random, share = np.random.default_rng(seed), min(1.0, limit / len(codes))
    of_class = [np.flatnonzero(codes == code) for code in np.unique(codes)]
    return np.sort(np.concatenate([random.permutation(one)[: max(1, round(len(one) * share))] for one in of_class]))


def _parts(column: Column) -> list[_Part]:
    if column.kind == "image":
        down, across = (np.array_split(np.arange(size), 3) for size in column.shape[:2])
        boxes = [(row, part) for row in down for part in across]
        return [
            _Part(name, column.name, (slice(None), *(slice(one[0], one[-1] + 1) for one in box)))
            for name, box in zip(REGIONS, boxes, strict=True)
            if all(map(len, box))
        ]
    if column.kind == "sequence":
        channels = enumerate(np.ndindex(column.shape[1:]), start=1)
        return [_Part(f"channel {at}", column.name, (slice(None), slice(None), *place)) for at, place in channels]
    return [_Part(column.name, column.name, (slice(None),))]
