"""The test rows of a task, and what graphs answer on them."""

import hashlib
from pathlib import Path

import numpy as np
import pandas as pd

from data.contract import Column, Contract
from registry import guardrails
from registry.comparison import Resamples
from registry.conditions import Conditions
from registry.guardrails import Figures
from registry.row_hashes import Rows
from training.graph import Graph
from training.metrics import LOWER_IS_BETTER, Evaluation


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


def _takes(column: Column, given: Column | None) -> bool:
    """Whether a graph's column takes whatever the data's column holds."""
    return (
        given is not None
        and (given.kind, tuple(given.shape)) == (column.kind, tuple(column.shape))
        and column.low <= given.low
        and given.high <= column.high
    )
