"""Where the column names of a text table stand: in the first row, unless a title is above them."""

import re
from collections import Counter

NUMBER = re.compile(r"\s*[-+]?[€$£]?\s*\d[\d.,' ]*\s*[%€$£]?\s*")
MOST_ABOVE = 20  # rows of a title
MOSTLY = 0.9
Row = list[str]


def place(rows: list[Row]) -> int:
    """The place of the row of column names.

    It is another than the first one only where the rows above it are plainly no part of the table, having a single
    text or another number of fields, and where it is plainly no row of values.

    Args:
        rows: the first rows, divided into fields; empty ones have none.
    """
    first = next((at for at, row in enumerate(rows) if row), 0)
    width = Counter(len(row) for row in rows if row).most_common(1)[0][0] if any(rows) else 0
    for at, row in enumerate(rows[: first + MOST_ABOVE]):
        if len(row) == width and width > 1 and _filled(row) > 1:
            return at if at == first or _names(row, rows[first:at], rows[at + 1 :]) else first
    return first


def _names(row: Row, above: list[Row], below: list[Row]) -> bool:
    if _filled(row) < len(row) or len(set(row)) < len(row) or any(NUMBER.fullmatch(name) for name in row):
        return False
    below = [other for other in below if other]
    if sum(len(other) == len(row) for other in below) < MOSTLY * len(below):
        return False
    columns = zip(*(other for other in below if len(other) == len(row)), strict=True)
    return all(_filled(other) <= 1 for other in above) or any(_numbers(column) for column in columns)


def _numbers(column: tuple[str, ...]) -> bool:
    values = [value for value in column if value.strip()]
    return bool(values) and sum(bool(NUMBER.fullmatch(value)) for value in values) >= MOSTLY * len(values)


def _filled(row: Row) -> int:
    return sum(bool(field.strip()) for field in row)
