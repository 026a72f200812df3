"""Guardrails: what no challenger may break, however much better it is."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from registry import slices
from registry.conditions import Bound, Conditions
from registry.slices import Slice
from training import latency
from training.graph import Graph
from training.metrics import Evaluation


@dataclass(frozen=True)
class Guardrail:
    """A declared limit and what a graph has."""

    name: str
    value: float | None
    """None where nothing could be measured, which is not passed."""
    limit: float
    bound: Bound
    """Whether the limit is the lowest or the highest value allowed."""
    passed: bool

    def __str__(self) -> str:
        value = "could not be measured" if self.value is None else f"is {self.value:.4g}"
        return f"{self.name} {value}, {self.bound} allowed is {self.limit:g}"


@dataclass(frozen=True)
class Figures:
    """What a graph has of the things that guardrails limit."""

    metric: float
    """The gate's metric on all test rows."""
    calibration_error: float
    latency_ms: float
    """Median of one row, measured now on this machine."""
    size_mib: float
    slices: list[Slice]


def measure(path: Path, graph: Graph, evaluation: Evaluation, rows: pd.DataFrame, conditions: Conditions) -> Figures:
    """Measure a graph.

    Args:
        path: its file.
        graph: the same, opened.
        evaluation: of its answers to `rows`.
        rows: the test rows.
        conditions: the gate's metric, and the slices if any are declared.
    """
    every = np.ones(len(rows))
    declared = conditions.guardrails.slices
    return Figures(
        metric=evaluation.statistic(conditions.metric)(every),
        calibration_error=evaluation.statistic("calibration_error")(every),
        latency_ms=latency.measure(graph, rows),
        size_mib=path.stat().st_size / 2**20,
        slices=slices.measure(evaluation, rows, declared.columns, conditions.metric, declared.least_rows)
        if declared
        else [],
    )


def check(figures: Figures, conditions: Conditions) -> list[Guardrail]:
    """Each declared guardrail, passed or not; of slices the worst."""
    declared, metric, bound = conditions.guardrails, conditions.metric, conditions.bound
    found = []

    def hold(name: str, value: float | None, limit: float | None, bound: Bound = "highest") -> None:
        if limit is not None:
            passed = value is not None and (value >= limit if bound == "lowest" else value <= limit)
            found.append(Guardrail(name, value, limit, bound, passed))

    hold(f"{metric} on all test rows", figures.metric, getattr(declared, bound), bound)
    if declared.slices:
        known = [(one.figure, str(one)) for one in figures.slices if one.figure is not None]
        worst = (min if bound == "lowest" else max)(known, default=(None, "any slice, as none is large enough"))
        hold(f"{metric} on {worst[1]}", worst[0], getattr(declared.slices, bound), bound)
    hold("calibration error", figures.calibration_error, declared.calibration_error)
    hold("latency of a row in ms", figures.latency_ms, declared.latency_ms)
    hold("size of the graph in MiB", figures.size_mib, declared.size_mib)
    return found
