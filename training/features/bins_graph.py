"""Quantile bins of all columns as one ONNX node; skl2onnx's own converter makes eight per column."""

from typing import Any

import numpy as np

NODE = tuple(
    f"nodes_{name}" for name in ("treeids", "nodeids", "featureids", "values", "modes", "truenodeids", "falsenodeids")
)
LEAF = tuple(f"target_{name}" for name in ("treeids", "nodeids", "ids", "weights"))


def register() -> None:
    """Have skl2onnx convert one-hot `KBinsDiscretizer` by `_convert`."""
    from skl2onnx import update_registered_converter
    from sklearn.preprocessing import KBinsDiscretizer

    update_registered_converter(
        KBinsDiscretizer, "SklearnKBinsDiscretizer", _shape, _convert, overwrite=True, options=None
    )


def _shape(operator: Any) -> None:
    from skl2onnx.common.data_types import FloatTensorType

    rows = operator.inputs[0].get_first_dimension()
    operator.outputs[0].type = FloatTensorType([rows, int(operator.raw_operator.n_bins_.sum())])


def _convert(scope: Any, operator: Any, container: Any) -> None:
    """A tree per column, a leaf per bin: it says one for its bin, and all that no leaf speaks of are zero."""
    from training.onnx_graph import OPSET

    trees: dict[str, list[Any]] = {name: [] for name in NODE + LEAF}
    bins = 0
    for column, edges in enumerate(operator.raw_operator.bin_edges_):
        inner = _float32_above(edges[1:-1])
        _add_tree(trees, column, inner, bins)
        bins += len(inner) + 1
    container.add_node(
        "TreeEnsembleRegressor",
        operator.inputs[0].full_name,
        operator.outputs[0].full_name,
        op_domain="ai.onnx.ml",
        op_version=OPSET["ai.onnx.ml"],
        name=scope.get_unique_operator_name("bins"),
        n_targets=bins,
        **trees,
    )


def _add_tree(trees: dict[str, list[Any]], column: int, edges: np.ndarray, first: int) -> None:
    """Add a balanced tree, whose leaves say one for the bins from `first` on."""
    size = 0

    def add(low: int, high: int) -> int:
        """The node for the bins from `low` to below `high`, counted from 0."""
        nonlocal size
        node, place = size, len(trees["nodes_values"])
        size += 1
        middle = (low + high) // 2
        leaf = high - low == 1
        values = (
            column,
            node,
            column,
            0.0 if leaf else float(edges[middle - 1]),
            "LEAF" if leaf else "BRANCH_LT",
            0,
            0,
        )
        for name, value in zip(NODE, values, strict=True):
            trees[name].append(value)
        if leaf:
            for name, value in zip(LEAF, (column, node, first + low, 1.0), strict=True):
                trees[name].append(value)
        else:
            trees["nodes_truenodeids"][place] = add(low, middle)
            trees["nodes_falsenodeids"][place] = add(middle, high)
        return node

    add(0, len(edges) + 1)


def _float32_above(edges: np.ndarray) -> np.ndarray:
    """The smallest float32 at or above each float64 edge: a float32 value compares alike with both."""
    near = edges.astype(np.float32)
    return np.where(near < edges, np.nextafter(near, np.float32(np.inf)), near).astype(np.float32)
