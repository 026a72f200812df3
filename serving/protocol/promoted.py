"""What NumPy makes of a list of texts, numbers and nulls, as MLflow has it do with `instances`."""

from typing import Any

import numpy as np

from serving.protocol.errors import bad_request
from serving.protocol.tensors import UINT64, UNREADABLE, Values


def cells(values: Values, name: str) -> Values:
    """The values as Python has them after they were in an array: among texts all are texts, among numbers numbers.

    Texts are converted one by one, since an array of them would take four bytes a character of the longest for each.

    Raises:
        Refused: some values are lists, but not all of one shape.
    """
    kinds = set(map(type, values))
    if kinds == {str}:
        return values
    if list in kinds and not _is_even(values):
        raise bad_request(f"{name}: some values are lists of unequal lengths")
    if not kinds.isdisjoint((list, dict, type(None))) or isinstance(values, np.ndarray):
        return values
    if str not in kinds:
        return np.array(values).tolist()
    if any(type(value) is int and not -UINT64 // 2 <= value < UINT64 for value in values):
        return values
    return list(map(str, values))


def _is_even(values: Values) -> bool:
    """Whether nested lists have one shape, so that NumPy takes them as an array."""
    try:
        np.array(list(map(_leafless, values)))
    except UNREADABLE:
        return False
    return True


def _leafless(value: Any) -> Any:
    return [_leafless(one) for one in value] if isinstance(value, list) else 0
