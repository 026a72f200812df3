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


class Thrift:
    """A reader of structs at a place in some bytes, as dicts from fields' numbers to values."""

    def __init__(self, body: bytes, place: int) -> None:
        self.body = body
        self.place = place

    def struct(self, depth: int = 0) -> dict[int, Any]:
        """The struct that begins here."""
        if depth > MAX_DEPTH:
            raise ValueError("nested too deeply")
        fields: dict[int, Any] = {}
        number = 0
        while head := self._byte():
            number = number + (head >> 4) if head >> 4 else self._signed()
            kind = head & 15
            fields[number] = kind == TRUE if kind in (TRUE, FALSE) else self._value(kind, depth)
        return fields

    def _value(self, kind: int, depth: int) -> Any:
        if kind in INTEGERS:
            return self._signed()
        if kind == STRUCT:
            return self.struct(depth + 1)
        if kind in (LIST, SET):
            head = self._byte()
            size = head >> 4 if head >> 4 < 15 else self._number()
            return [self._value(head & 15, depth + 1) for _ in range(self._within(size))]
        if kind == BINARY:
            return self._bytes(self._number())
        if kind in (BYTE, TRUE, FALSE):
            return self._byte()
        if kind == DOUBLE:
            return self._bytes(8)
        raise ValueError("no kind of the format")

    def _byte(self) -> int:
        return self._bytes(1)[0]

    def _bytes(self, size: int) -> bytes:
        start, self.place = self.place, self.place + self._within(size)
        return self.body[start : self.place]

    def _within(self, size: int) -> int:
        if not 0 <= size <= len(self.body) - self.place:
            raise ValueError("longer than the file")
        return size

    def _number(self) -> int:
        number = shift = 0
        while (byte := self._byte()) > 127:
            number |= (byte & 127) << shift
            shift += 7
            if shift > 63:
                raise ValueError("too large a number")
        return number | byte << shift

    def _signed(self) -> int:
        number = self._number()
        return number >> 1 ^ -(number & 1)


def size(body: bytes, names: Collection[str]) -> Size:
    """The size of the columns of those names.

    Raises:
        ValueError, KeyError, TypeError, AttributeError: the bytes are no Parquet file.
    """
    if len(body) < 12 or body[-4:] != MAGIC:
        raise ValueError("no Parquet file")
    footer = len(body) - 8 - int.from_bytes(body[-8:-4], "little")
    if footer < 4:
        raise ValueError("longer than the file")
    wanted = {name.encode() for name in names}
    unpacked = values = pages = 0
    for group in Thrift(body, footer).struct().get(ROW_GROUPS, []):
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
        reader = Thrift(body, place)
        head = reader.struct()
        if head[PACKED_PAGE_SIZE] < 0 or head[UNPACKED_PAGE_SIZE] < 0:
            raise ValueError("less than nothing")
        place = reader.place + head[PACKED_PAGE_SIZE]
        data = head.get(DATA_PAGE) or head.get(DATA_PAGE_V2) or head.get(DICTIONARY_PAGE) or {}
        yield Size(head[UNPACKED_PAGE_SIZE], data.get(VALUES, 0))
