"""Scaling as two ONNX nodes that round as scikit-learn does; skl2onnx's own converter multiplies by the inverse."""

from typing import Any

import numpy as np


def register() -> None:
    """Have skl2onnx convert `StandardScaler` by `_convert`."""
    from skl2onnx import update_registered_converter
    from sklearn.preprocessing import StandardScaler

    update_registered_converter(StandardScaler, "SklearnStandardScaler", _shape, _convert, overwrite=True, options=None)


def _shape(operator: Any) -> None:
    from skl2onnx.common.data_types import FloatTensorType

    rows = operator.inputs[0].get_first_dimension()
    operator.outputs[0].type = FloatTensorType([rows, operator.raw_operator.n_features_in_])


def _convert(scope: Any, operator: Any, container: Any) -> None:
    from skl2onnx.algebra.onnx_ops import OnnxConcat, OnnxDiv, OnnxIdentity, OnnxSub

    scaler, opset = operator.raw_operator, container.target_opset
    given = operator.inputs
    values = given[0] if len(given) == 1 else OnnxConcat(*given, axis=1, op_version=opset)
    if scaler.with_mean:
        values = OnnxSub(values, scaler.mean_.astype(np.float32), op_version=opset)
    if scaler.with_std:
        values = OnnxDiv(values, scaler.scale_.astype(np.float32), op_version=opset)
    OnnxIdentity(values, op_version=opset, output_names=operator.outputs[:1]).add_to(scope, container)
