"""Quantile bins as five ONNX nodes; skl2onnx's own converter makes eight per column."""

from typing import Any

import numpy as np


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
    """A value is in a bin where it is at least the lower edge and less than the upper; the outer bins are open."""
    from skl2onnx.algebra.onnx_ops import OnnxAnd, OnnxCast, OnnxGather, OnnxGreaterOrEqual, OnnxLess
    from skl2onnx.proto import onnx_proto

    edges = [_float32_above(column) for column in operator.raw_operator.bin_edges_]
    lower = np.concatenate([np.r_[np.float32(-np.inf), column[1:-1]] for column in edges])
    upper = np.concatenate([np.r_[column[1:-1], np.float32(np.inf)] for column in edges])
    column_of_bin = np.repeat(np.arange(len(edges)), operator.raw_operator.n_bins_).astype(np.int64)
    opset = container.target_opset
    values = OnnxGather(operator.inputs[0], column_of_bin, axis=1, op_version=opset)
    inside = OnnxAnd(
        OnnxGreaterOrEqual(values, lower[None, :], op_version=opset),
        OnnxLess(values, upper[None, :], op_version=opset),
        op_version=opset,
    )
    onehot = OnnxCast(inside, to=onnx_proto.TensorProto.FLOAT, op_version=opset, output_names=operator.outputs[:1])
    onehot.add_to(scope, container)


def _float32_above(edges: np.ndarray) -> np.ndarray:
    """The smallest float32 at or above each float64 edge: a float32 value compares alike with both."""
    near = edges.astype(np.float32)
    return np.where(near < edges, np.nextafter(near, np.float32(np.inf)), near).astype(np.float32)
