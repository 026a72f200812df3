"""Linear layers that take one-hot features: a category or a bin picks its row of the weights."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from training.folding.reading import CODES, LINEAR, TREES, Reading, said

MOST_NUMBERS = 1_000_000
"""In a folded table, or in the leaves of folded trees, 4 MB; wider layers are multiplied as before."""


@dataclass
class Part:
    """Features next to each other, and their rows of the weights, float64, shape (features, outputs)."""

    names: list[str]
    weights: np.ndarray


@dataclass
class Table(Part):
    """Features that a code picks from a table: the rows to pick instead, and the code's name and LabelEncoder."""

    rows: np.ndarray
    """Shape (codes, outputs), float64."""
    code: str
    encoder: Any


@dataclass
class Trees(Part):
    """Features that trees give: their node."""

    node: Any


@dataclass
class Layer:
    """A linear node and the parts of what it takes."""

    node: Any
    output: str
    replaced: list[str]
    """First outputs of the layer's nodes."""
    parts: list[Part]
    bias: np.ndarray | None
    """Shape (outputs,); None of a LinearClassifier, which keeps its own."""


def foldable(graph: Reading, node: Any) -> Layer | None:
    """The layer of a MatMul, a Gemm or a LinearClassifier; None of another node, and where nothing can be folded.

    Recognised are, put together by Concat along axis 1 for this node alone: `GatherND` of a constant table, as
    categories are, and a `TreeEnsembleRegressor`, as bins are. All else keeps its rows of the weights.
    """
    found = _linear(graph, node)
    if found is None:
        return None
    weights, bias, after = found
    names = graph.parts(node.input[0])
    if not any(graph.made_by(name, TREES, "GatherND") for name in names):
        return None
    ends = _ends(graph, names, len(weights))
    if ends is None:
        return None
    parts: list[Part] = []
    for name, rows in zip(names, np.split(weights, ends[:-1]), strict=True):
        part = _table(graph, name, rows, node.op_type == LINEAR) or _trees(graph, name, rows) or Part([name], rows)
        if parts and type(part) is type(parts[-1]) is Part:
            parts[-1] = Part([*parts[-1].names, name], np.vstack([parts[-1].weights, rows]))
        else:
            parts.append(part)
    if all(type(part) is Part for part in parts):
        return None
    replaced = [one.output[0] for one in (node, after) if one is not None]
    return Layer(node, replaced[-1], replaced, parts, bias)


def _linear(graph: Reading, node: Any) -> tuple[np.ndarray, np.ndarray | None, Any] | None:
    """Weights, shape (features, outputs), bias, shape (outputs,), and the node behind that adds it, if one does.

    Of a LinearClassifier of two opposite classes, the weights are the second's alone.
    """
    if node.op_type == LINEAR:
        rows = np.float64(said(node, "coefficients")).reshape(len(said(node, "intercepts")), -1)
        opposite = len(rows) == 2 and (rows[0] == -rows[1]).all()
        return (rows[1:] if opposite else rows).T, None, None
    if node.op_type not in ("MatMul", "Gemm"):
        return None
    weights = graph.constant(node.input[1])
    if weights is None or weights.ndim != 2 or weights.dtype != np.float32:
        return None
    after, added = None, ""
    if node.op_type == "MatMul":
        after = graph.reader(node.output[0])
        after = after if after is not None and after.op_type == "Add" else None
        added = next((name for name in after.input if name != node.output[0]), "") if after is not None else ""
    elif any(said(node, name) not in (None, usual) for name, usual in (("alpha", 1), ("beta", 1), ("transA", 0))):
        return None
    else:
        weights = weights.T if said(node, "transB") else weights
        added = node.input[2] if len(node.input) > 2 else ""
    bias = graph.constant(added) if added else None
    if bias is None or bias.shape not in ((weights.shape[1],), (1, weights.shape[1])):
        if node.op_type == "Gemm" and added:
            return None
        return weights.astype(np.float64), np.zeros(weights.shape[1]), None
    return weights.astype(np.float64), bias.astype(np.float64).ravel(), after


def _ends(graph: Reading, names: list[str], total: int) -> np.ndarray | None:
    """Where the features of each name end among `total` ones; the width of one name may be unknown."""
    widths = [_table_width(graph, name) or graph.width(name) or 0 for name in names]
    if widths.count(0) == 1:
        widths[widths.index(0)] = total - sum(widths)
    return np.cumsum(widths) if min(widths) > 0 and sum(widths) == total else None


def constant_table(graph: Reading, name: str) -> tuple[np.ndarray, Any] | None:
    """The table whose rows are picked to give `name`, shape (codes, features), and the GatherND; None of all else."""
    node = graph.made_by(name, "GatherND")
    table = graph.constant(node.input[0]) if node is not None and not said(node, "batch_dims") else None
    return (table, node) if table is not None and table.ndim == 2 and table.dtype == np.float32 else None


def _table_width(graph: Reading, name: str) -> int | None:
    found = constant_table(graph, name)
    return found[0].shape[1] if found else None


def _table(graph: Reading, name: str, weights: np.ndarray, summed: bool) -> Table | None:
    """The table, unless it would be too large or, where a product sums what is picked, no narrower than it was."""
    features, outputs = weights.shape
    found = constant_table(graph, name)
    if found is None or len(found[0]) * outputs > MOST_NUMBERS or (summed and outputs >= features):
        return None
    table, node = found
    return Table(
        [name], weights, table.astype(np.float64) @ weights, node.input[1], graph.made_by(node.input[1], CODES)
    )


def _trees(graph: Reading, name: str, weights: np.ndarray) -> Trees | None:
    """The trees, where it pays: a leaf adds its numbers one by one, which is slower than a product of a wide layer."""
    features, outputs = weights.shape
    node = graph.made_by(name, TREES)
    if node is None or said(node, "base_values"):
        return None
    if said(node, "aggregate_function") not in (None, b"SUM") or said(node, "post_transform") not in (None, b"NONE"):
        return None
    trees, leaves = len(set(said(node, "nodes_treeids"))), len(said(node, "target_weights"))
    pays = trees * outputs < features and leaves * outputs <= MOST_NUMBERS
    return Trees([name], weights, node) if pays else None
