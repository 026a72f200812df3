"""Trees that compare raw numbers instead of filled and scaled ones, each threshold moved to where it was met."""

from typing import Any

import numpy as np
from onnx import helper

from training.folding.reading import ML, TREES, Change, Reading, attributes, said

LARGEST = int(np.finfo(np.float32).max.view(np.int32))


def of_raw_numbers(graph: Reading, node: Any) -> Change | None:
    """The same trees without the Imputer, Sub and Div of constants in front of them; None where there are none.

    What stands in front never falls where a number rises, so that a threshold is met from one float32 on.
    """
    if node.op_type != TREES or not set(said(node, "nodes_modes")) <= {b"LEAF", b"BRANCH_LT"}:
        return None
    given, steps, fill = node.input[0], list[tuple[str, np.ndarray]](), np.full(1, np.nan, np.float32)
    while (step := graph.made_by(given, "Sub", "Div")) is not None:
        by = graph.constant(step.input[1])
        if by is None or by.dtype != np.float32 or by.ndim != 1 or (step.op_type == "Div" and (by <= 0).any()):
            return None
        steps.insert(0, (step.op_type, by))
        given = step.input[0]
    imputer = graph.made_by(given, "Imputer")
    if imputer is not None and np.isnan(said(imputer, "replaced_value_float")):
        fill, given = np.array(said(imputer, "imputed_value_floats"), np.float32), imputer.input[0]
    elif not steps or said(node, "nodes_missing_value_tracks_true"):
        return None

    kept = attributes(node)
    branches = np.array(kept["nodes_modes"]) == b"BRANCH_LT"
    thresholds, columns = np.array(kept["nodes_values"], np.float32), np.array(kept["nodes_featureids"])
    per_node = [(operator, by[columns[branches]] if len(by) > 1 else by) for operator, by in steps]
    thresholds[branches] = _raw(thresholds[branches], per_node)
    filled = fill[columns] if len(fill) > 1 else fill
    kept["nodes_values"] = thresholds.tolist()
    kept["nodes_missing_value_tracks_true"] = (branches & (filled < thresholds)).astype(int).tolist()
    return Change([node.output[0]], [helper.make_node(TREES, [given], node.output, node.name, domain=ML, **kept)])


def _raw(thresholds: np.ndarray, steps: list[tuple[str, np.ndarray]]) -> np.ndarray:
    """For each threshold, the least float32 that the steps make at least as large; infinity where none is."""
    low, high = (np.full(len(thresholds), end, np.int64) for end in (-LARGEST, LARGEST + 1))
    while (low < high).any():
        middle = (low + high) // 2
        values = _number(middle)
        with np.errstate(over="ignore"):
            for operator, by in steps:
                values = values - by if operator == "Sub" else values / by
        met = values >= thresholds
        high = np.where(met, middle, high)
        low = np.where(met, low, np.minimum(middle + 1, high))
    return _number(low)


def _number(place: np.ndarray) -> np.ndarray:
    """The float32 numbers at places in their order, where 0 is at 0 and infinity follows the largest."""
    size = np.abs(place).astype(np.int32).view(np.float32)
    return np.where(place < 0, -size, size)
