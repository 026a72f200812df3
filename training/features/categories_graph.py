"""Categories in ONNX, by one dictionary node per column; skl2onnx's own converters know neither rare categories
nor, for target encoding, more than two classes.
"""

from typing import Any

import numpy as np


def register() -> None:
    """Have skl2onnx convert `OneHotEncoder` and `TargetEncoder` of string columns by this module."""
    from skl2onnx import update_registered_converter
    from sklearn.preprocessing import OneHotEncoder, TargetEncoder

    for encoder, shape, convert in (
        (OneHotEncoder, _one_hot_shape, _one_hot),
        (TargetEncoder, _target_shape, _target),
    ):
        update_registered_converter(encoder, f"Sklearn{encoder.__name__}", shape, convert, overwrite=True, options=None)


def places(encoder: Any) -> list[dict[str, int]]:
    """Per column of a `OneHotEncoder`, the place among the column's features that stands for each category."""
    rare = getattr(encoder, "_default_to_infrequent_mappings", None) or [None] * len(encoder.categories_)
    return [
        {str(name): place for name, place in zip(names, range(len(names)) if of is None else of, strict=True)}
        for names, of in zip(encoder.categories_, rare, strict=True)
    ]


def shares(encoder: Any) -> list[np.ndarray]:
    """Per column of a `TargetEncoder`, what stands for each category and, last, for an unknown one.

    Each is float32 of shape (categories + 1, 1), or (…, classes) of more than two classes.
    """
    each = len(encoder.encodings_) // len(encoder.categories_)
    unknown = np.atleast_1d(encoder.target_mean_)
    tables = []
    for place in range(len(encoder.categories_)):
        known = np.stack(encoder.encodings_[place * each : (place + 1) * each], axis=1)
        tables.append(np.vstack([known, unknown]).astype(np.float32))
    return tables


def _one_hot_shape(operator: Any) -> None:
    _declare(operator, sum(max(place_of.values()) + 1 for place_of in places(operator.raw_operator)))


def _one_hot(scope: Any, operator: Any, container: Any) -> None:
    """A category's code picks the feature that is one; that of an unknown one picks a last row of zeros."""
    known = places(operator.raw_operator)
    widths = [max(place_of.values()) + 1 for place_of in known]
    tables = [np.eye(width + 1, width, dtype=np.float32) for width in widths]
    _look_up(scope, operator, container, known, tables)


def _target_shape(operator: Any) -> None:
    _declare(operator, len(operator.raw_operator.encodings_))


def _target(scope: Any, operator: Any, container: Any) -> None:
    """The code of a category picks a row of its column's table."""
    names = operator.raw_operator.categories_
    known = [{str(name): place for place, name in enumerate(column)} for column in names]
    _look_up(scope, operator, container, known, shares(operator.raw_operator))


def _look_up(scope: Any, operator: Any, container: Any, known: list[dict[str, int]], tables: list[np.ndarray]) -> None:
    """Per column, the row of its table that a category's code picks; the last row is for an unknown one."""
    from skl2onnx.algebra.onnx_ops import OnnxConcat, OnnxGatherND

    opset = container.target_opset
    codes = _codes(operator, known, [len(table) - 1 for table in tables], opset)
    parts = [OnnxGatherND(table, code, op_version=opset) for table, code in zip(tables, codes, strict=True)]
    OnnxConcat(*parts, axis=1, op_version=opset, output_names=operator.outputs[:1]).add_to(scope, container)


def _codes(operator: Any, known: list[dict[str, int]], unknown: list[int], opset: int) -> list[Any]:
    """Per column, the code of each row's category, int64, shape (rows, 1)."""
    from skl2onnx.algebra.onnx_ops import OnnxGather, OnnxLabelEncoder

    columns = []
    for block in operator.inputs:
        width = block.get_second_dimension()
        places = (np.array([place], dtype=np.int64) for place in range(width))
        columns += [block] if width == 1 else [OnnxGather(block, at, axis=1, op_version=opset) for at in places]
    return [
        OnnxLabelEncoder(
            column,
            keys_strings=[name.encode() for name in code_of],
            values_int64s=list(code_of.values()),
            default_int64=default,
            op_version=2,
        )
        for column, code_of, default in zip(columns, known, unknown, strict=True)
    ]


def _declare(operator: Any, width: int) -> None:
    from skl2onnx.common.data_types import FloatTensorType

    operator.outputs[0].type = FloatTensorType([operator.inputs[0].get_first_dimension(), width])
