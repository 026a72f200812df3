"""How large a Parquet file is when unpacked, read from its pages' headers before any page is unpacked.

A few kilobytes can hold gigabytes. The file's own sum may lie, and pyarrow ends the process where a damaged file is
asked for it, so that this reads the headers, which are in Thrift's compact protocol.
"""

from collections.abc import Collection, Iterator
from typing import Any, NamedTuple

MAGIC = b"PAR1"
MAX_DEPTH = 16
MAX_PAGES = 50_000
STOP, TRUE, FALSE, BYTE, DOUBLE, BINARY, LIST, SET, STRUCT = 0, 1, 2, 3, 7, 8, 9, 10, 12
INTEGERS = (4, 5, 6)

ROW_GROUPS, COLUMNS, META_DATA = 4, 1, 3  # numbers of fields in the format's definition
PATH, PACKED_SIZE, DATA_OFFSET, DICTIONARY_OFFSET = 3, 7, 9, 11
UNPACKED_PAGE_SIZE, PACKED_PAGE_SIZE, DATA_PAGE, DICTIONARY_PAGE, DATA_PAGE_V2 = 2, 3, 5, 7, 8
VALUES = 1


class Size(NamedTuple):
    """Bytes of the pages when unpacked, and values in them."""

    unpacked: int
    values: int


def _struct(body: bytes, place: int, depth: int = 0) -> tuple[dict[int, Any], int]:
    """The struct that begins at a place, as a dict from fields' numbers to values, and where it ends.

    A footer has thousands of bytes and none is looked at twice, so that integers of one byte, most of all, are read
    right here. A place behind the end is found by the index that is out of range.
    """
    if depth > MAX_DEPTH:
        raise ValueError("nested too deeply")
    fields: dict[int, Any] = {}
    number = 0
    while head := body[place]:
        place += 1
        kind = head & 15
        if head > 15:
            number += head >> 4
        else:
            number, place = _signed(body, place)
        if kind in INTEGERS:
            value = body[place]
            if value < 128:
                fields[number] = value >> 1 ^ -(value & 1)
                place += 1
            else:
                fields[number], place = _signed(body, place)
        elif kind in (TRUE, FALSE):
            fields[number] = kind == TRUE
        else:
            fields[number], place = _value(body, place, kind, depth)
    return fields, place + 1


def _value(body: bytes, place: int, kind: int, depth: int) -> tuple[Any, int]:
    if kind == BINARY:
        length, start = _number(body, place)
        place = _within(body, start, length)
        return body[start:place], place
    if kind == STRUCT:
        return _struct(body, place, depth + 1)
    if kind in (LIST, SET):
        head = body[place]
        size, place = (head >> 4, place + 1) if head >> 4 < 15 else _number(body, place + 1)
        _within(body, place, size)
        values = []
        for _ in range(size):
            value, place = _value(body, place, head & 15, depth)
            values.append(value)
        return values, place
    if kind in INTEGERS:
        return _signed(body, place)
    if kind in (BYTE, TRUE, FALSE):
        return body[place], place + 1
    if kind == DOUBLE:
        return None, _within(body, place, 8)
    raise ValueError("no kind of the format")


def _within(body: bytes, place: int, size: int) -> int:
    """Where so many bytes end."""
    if size > len(body) - place:
        raise ValueError("longer than the file")
    return place + size


def _number(body: bytes, place: int) -> tuple[int, int]:
    number = shift = 0
    while (byte := body[place]) > 127:
        number |= (byte & 127) << shift
        shift += 7
        place += 1
        if shift > 63:
            raise ValueError("too large a number")
    return number | byte << shift, place + 1


def _signed(body: bytes, place: int) -> tuple[int, int]:
    number, place = _number(body, place)
    return number >> 1 ^ -(number & 1), place


def size(body: bytes, names: Collection[str]) -> Size:
    """The size of the columns of those names.

    Raises:
        ValueError, LookupError, TypeError, AttributeError: the bytes are no Parquet file.
    """
    if len(body) < 12 or body[-4:] != MAGIC:
        raise ValueError("no Parquet file")
    footer = len(body) - 8 - int.from_bytes(body[-8:-4], "little")
    if footer < 4:
        raise ValueError("longer than the file")
    wanted = {name.encode() for name in names}
    unpacked = values = pages = 0
    for group in _struct(body, footer)[0].get(ROW_GROUPS, []):
        for column in group[COLUMNS]:
            if column[META_DATA][PATH][0] not in wanted:
                continue
            for page in _pages(body, column[META_DATA]):
                unpacked += page.unpacked
                values += page.values
                pages += 1
                if pages > MAX_PAGES:
                    raise ValueError("too many pages")
    return Size(unpacked, values)


def _pages(body: bytes, column: dict[int, Any]) -> Iterator[Size]:
    starts = [column[name] for name in (DATA_OFFSET, DICTIONARY_OFFSET) if column.get(name)]
    place = min(starts)
    end = min(place + column[PACKED_SIZE], len(body))
    if place < 4:
        raise ValueError("outside the file")
    while place < end:
        head, start = _struct(body, place)
        if head[PACKED_PAGE_SIZE] < 0 or head[UNPACKED_PAGE_SIZE] < 0:
            raise ValueError("less than nothing")
        place = start + head[PACKED_PAGE_SIZE]
        data = head.get(DATA_PAGE) or head.get(DATA_PAGE_V2) or head.get(DICTIONARY_PAGE) or {}
        yield Size(head[UNPACKED_PAGE_SIZE], data.get(VALUES, 0))
