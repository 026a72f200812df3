"""A column's values, as Python has them after parsing, as the array that a graph takes."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from serving.contract import Column, Contract
from serving.protocol.errors import Refused, bad_request, invalid
from serving.protocol.times import EXPECTED, times

Values = Sequence[Any] | np.ndarray
MAX_CHARACTERS = 1 << 26  # of a column: a graph copies each row's text
INT64 = 2**63
UINT64 = 2**64
UNREADABLE = (TypeError, ValueError, OverflowError, RecursionError)
NUMBERS = ("number", "boolean")
NUMERIC = frozenset((int, float, type(None)))


def feeds(cells: Mapping[str, Values], contract: Contract) -> dict[str, np.ndarray]:
    """The graph's inputs from each column's values.

    Raises:
        Refused: a column is missing, or a value is of another type, shape or range.
    """
    refuse_missing(cells, contract)
    return {column.name: feed(cells[column.name], column) for column in contract.columns}


def refuse_missing(cells: Mapping[str, Any], contract: Contract) -> None:
    """Refuse where a column of the contract is not given."""
    if missing := [name for name in contract.names if name not in cells]:
        raise invalid(f"columns are missing: {', '.join(missing)}; expected {', '.join(contract.names)}")


def feed(values: Values, column: Column) -> np.ndarray:
    """One column's values as the graph's input, shape (rows, 1) or (rows, ...)."""
    if column.shape:
        return tensor(values, column, flat=True)
    if column.kind in NUMBERS:
        return finite(doubles(values, column), column)
    if column.kind == "time":
        return moments(values, column.name).reshape(-1, 1)
    return texts(values, column.name).reshape(-1, 1)


def doubles(values: Values, column: Column) -> np.ndarray:
    """Numbers, booleans and texts of numbers as float64, shape (rows,), NaN for missing."""
    try:
        found = np.array(values, dtype=np.float64)
    except UNREADABLE:
        raise bad_request(f"{place(values, column)}: a value is no number; expected a {column.kind} or null") from None
    if found.ndim != 1:
        raise invalid(f"{column.name}: a value is a list; expected a {column.kind} or null")
    return found


def place(values: Any, column: Column) -> str:
    """The column's name, and the row of the first value that is no number, if there is one."""
    for row, value in enumerate(values if isinstance(values, list) else ()):
        try:
            np.array(value, dtype=np.float64)
        except UNREADABLE:
            return f"{column.name}, row {row}"
    return column.name


def finite(found: np.ndarray, column: Column) -> np.ndarray:
    """Numbers of float64 or float32 as the graph's input, float32, shape (rows, 1)."""
    with np.errstate(over="ignore"):
        numbers = found.astype(np.float32, copy=False).reshape(-1, 1)
    if (wrong := np.isinf(numbers)).any():
        raise invalid(f"{column.name}, row {wrong.argmax()}: a value is not finite, or too large for float32")
    if column.kind == "boolean" and (wrong := ~(np.isnan(numbers) | (numbers == 0) | (numbers == 1))).any():
        raise invalid(f"{column.name}, row {wrong.argmax()}: a value is neither true nor false nor null")
    return numbers


def texts(values: Values, name: str) -> np.ndarray:
    """Texts, object, shape (rows,), "" for missing; numbers are written as pandas writes a column of them."""
    kinds = set(map(type, values))
    if kinds == {str}:
        found = list(values)
    elif kinds <= {str, type(None)}:
        found = ["" if value is None else value for value in values]
    elif not kinds.isdisjoint((list, dict)):
        row = next(row for row, value in enumerate(values) if isinstance(value, list | dict))
        raise invalid(f"{name}, row {row}: a value is a list or an object; expected a text or null")
    elif kinds <= NUMERIC and kinds != {int}:
        found = _written(values, name)
    else:
        found = ["" if _missing(value) else str(value) for value in values]
    refuse_long(sum(map(len, found)), name)
    try:
        for text in {text for text in found if not text.isascii()}:
            text.encode()
    except UnicodeEncodeError:
        raise bad_request(f"{name}: a text has half of a surrogate pair, which is no character") from None
    return np.array(found, dtype=object)


def refuse_long(characters: int, name: str) -> None:
    """Refuse a column whose texts take too much memory, such as one long text that stands for all rows."""
    if characters > MAX_CHARACTERS:
        raise Refused(
            413, "REQUEST_LIMIT_EXCEEDED", f"{name}: more than {MAX_CHARACTERS} characters of text in a request"
        )


def _written(values: Values, name: str) -> list[str]:
    """Floats, or whole numbers of which some are missing: without a fraction if none has one."""
    whole = [value for value in values if isinstance(value, int)]
    least, most = min(whole, default=0), max(whole, default=0)
    if least < -INT64 or most >= UINT64 or (most >= INT64 and least < 0):
        return ["" if _missing(value) else str(value) for value in values]
    floats = [math.nan if value is None else float(value) for value in values]
    if any(value % 1 for value in floats if value == value and abs(value) != math.inf) or math.inf in map(abs, floats):
        return ["" if value != value else str(value) for value in floats]
    if any(abs(value) >= INT64 for value in floats):
        raise bad_request(f"{name}: a whole number in place of a text is larger than 64 bits hold")
    return ["" if value != value else str(int(value)) for value in floats]


def _missing(value: Any) -> bool:
    return value is None or value != value


def moments(values: Values, name: str) -> np.ndarray:
    """Seconds since 1970 (UTC), float64, shape (rows,), NaN for missing."""
    if set(map(type, values)) <= {str, type(None)}:
        return times(values, name)  # type: ignore[arg-type]
    for row, value in enumerate(values):
        if not (isinstance(value, str) or _missing(value)):
            raise invalid(f"{name}, row {row}: a value is no time in ISO 8601; {EXPECTED}")
    return times([None if _missing(value) else value for value in values], name)


def tensor(values: Values, column: Column, flat: bool = False) -> np.ndarray:
    """Nested lists as float32, shape (rows, ...); with `flat` a row may also be one list of all its numbers."""
    expected = f"expected nested lists of numbers of the shape {list(column.shape)}"
    try:
        with np.errstate(over="ignore"):
            found = np.array(values, dtype=np.float32)
    except UNREADABLE:
        raise bad_request(f"{column.name}: a value has lists of unequal lengths, or no numbers; {expected}") from None
    shapes = (column.shape, (math.prod(column.shape),)) if flat else (column.shape,)
    if found.ndim == 0 or found.shape[1:] not in shapes:
        raise invalid(f"{column.name}: a value has the shape {list(found.shape[1:])}; {expected}")
    return in_range(found.reshape(-1, *column.shape), column)


def in_range(found: np.ndarray, column: Column) -> np.ndarray:
    """The same array, if none of its numbers is missing or out of the column's range."""
    inside = (found >= column.low) & (found <= column.high)
    if not inside.all():
        row = int(np.argmin(inside.reshape(len(found), -1).all(axis=1)))
        place = f"{column.name}, row {row}"
        raise invalid(f"{place}: a value lies outside {column.low:g} to {column.high:g}, or is missing")
    return found
