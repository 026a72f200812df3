"""A sequence's summary in ONNX: what `summary` does in NumPy."""

from collections.abc import Callable

import numpy as np
from onnx import TensorProto

from data.contract import Column
from training.features import summary


def features(add: Callable[..., str], given: str, column: Column) -> int:
    """Add the nodes from a sequence to `features`, shape (rows, features).

    Args:
        add: collects nodes, as `inputs_graph.Builder` does.
        given: name of the sequences, shape (rows, *column.shape).
        column: of the sequence.

    Returns:
        How many features there are.
    """
    steps, channels, later = summary.sizes(column)
    axis, all_steps = np.array([1]), np.array(np.float64(steps))

    def total(values: str) -> str:
        return add("ReduceSum", values, axis, keepdims=1)

    def from_to(values: str, start: int, end: int) -> str:
        return add("Slice", values, np.array([start]), np.array([end]), axis)

    def turned(values: str) -> str:
        return add("Transpose", values, perm=[0, 2, 1])

    wide = add("Cast", given, to=TensorProto.DOUBLE)
    if summary.has_rows(column):
        flat = add("Reshape", wide, np.array([-1, steps, np.prod(column.shape[1:])]))
        lengths = add("Sqrt", add("ReduceSum", add("Mul", wide, wide), np.array([3]), keepdims=0))
        wide = add("Concat", flat, lengths, axis=2)
    mean = add("Div", total(wide), all_steps)
    centred = add("Sub", wide, mean)
    spread = add("Sqrt", total(add("Mul", centred, centred)))
    moves = add("Abs", add("Sub", from_to(wide, 1, steps), from_to(wide, 0, steps - 1)))
    parts = [
        mean,
        add("Div", spread, np.array(np.sqrt(steps))),
        add("ReduceMin", wide, axis, keepdims=1),
        add("ReduceMax", wide, axis, keepdims=1),
        add("Div", total(moves), all_steps),
    ]
    width = len(parts) * channels
    if count := summary.frequencies(steps):
        series = add("Reshape", turned(centred), np.array([-1, steps]))  # ONNX Runtime fails on no rows of matrices
        both = [add("MatMul", series, wave) for wave in summary.waves(steps)]
        strength = add("Sqrt", add("Sum", *(add("Mul", one, one) for one in both)))
        logarithm = add("Log", add("Add", strength, np.array(summary.share(summary.FAINT, column))))
        parts.append(add("Reshape", logarithm, np.array([-1, channels * count])))
        width += channels * count
    if channels <= summary.MOST_CHANNELS:
        least = np.array(summary.share(summary.QUIET, column) * np.sqrt(steps))
        each = add("Div", centred, add("Max", spread, least))
        first, second = summary.pairs(channels)
        together = add("Flatten", add("MatMul", turned(each), each))
        parts.append(add("Gather", together, first * channels + second, axis=1))
        parts.append(add("MatMul", turned(from_to(each, later, steps)), from_to(each, 0, steps - later)))
        width += len(first) + channels**2
    row = add("Concat", *(add("Flatten", part) for part in parts), axis=1)
    add("Cast", row, to=TensorProto.FLOAT, name="features")
    return width
