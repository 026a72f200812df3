"""How a text table is written: its encoding, separator and header."""

import codecs
import csv
import io
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from data.errors import InputError
from data.readers import encoding as encodings
from data.readers import header, packed

CHUNK = 1 << 20
SAMPLE = 1 << 20  # bytes from the beginning that the separator is found in
ROWS = 500  # rows of the sample that are compared
SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "vertical bar"}
ALONE = "\x1f"  # separates nothing in a file of one column
NO_TEXT = {
    b"PK\x03\x04": "a zip or Excel file",
    b"PAR1": "a Parquet file",
    b"\x1f\x8b": "a gzip file",
    b"%PDF": "a PDF",
}


@dataclass(frozen=True)
class Dialect:
    """How to read one text table."""

    encoding: str
    separator: str
    escape: str | None
    """What stands before a quote within quotes; None where it is doubled."""
    header: list[str]
    """The column names as they are written."""
    skip: int
    """Rows before the first data row."""
    tail: str
    """The last characters of the file."""
    notes: list[str]


def find(path: Path, encoding: str | None, separator: str | None) -> Dialect:
    """The dialect of a text table, found from its bytes; `encoding` and `separator` are taken as given if they are.

    Raises:
        InputError: the file is empty or no text, or is not written in the given encoding.
    """
    notes: list[str] = []
    with packed.opened(path) as stream:
        sample = stream.read(SAMPLE)
    if not sample.strip():
        raise InputError(f"{path} is empty; expected column names in its first row and rows below")
    for mark, kind in NO_TEXT.items():
        if sample.startswith(mark):
            raise InputError(f"{path} is no text but {kind}; save it as CSV, or give it the ending of its kind")
    if encoding is None:
        encoding = encodings.find(path, sample, notes)
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        text = decoder.decode(sample, final=len(sample) < SAMPLE)
        with packed.opened(path) as stream:
            tail = _tail(stream, encoding)
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path} is not written in {encoding} ({error.reason}, byte {error.start}); "
            "declare the right source.encoding"
        ) from None
    announced = re.match("sep=(.)\r?\n", text)  # as Excel writes and reads it
    if announced:
        text = text[announced.end() :]
        separator = separator or announced.group(1)
        notes.append(f"{path}: its first line says that fields are separated by {separator!r}")
    separator, escape, rows = _divided(text, separator)
    place = header.place(rows)
    names = rows[place] if rows else []
    if separator == ALONE:
        notes.append(f"{path}: one column, as no separator divides its rows evenly")
    elif separator != "," and not announced:
        notes.append(f"{path}: fields are separated by {SEPARATORS.get(separator, repr(separator))}")
    if escape:
        notes.append(f"{path}: a backslash stands before a quote within quotes")
    if above := [" ".join(filter(None, row)) for row in rows[:place] if any(row)]:
        notes.append(f"{path}: what stands above the column names is left out: {' / '.join(above)[:100]!r}")
    if names and all(header.NUMBER.fullmatch(name) for name in names):
        notes.append(f"{path}: the first row ({', '.join(names[:4])} …) was taken as column names though it is numbers")
    return Dialect(encoding, separator, escape, names, place + 1 + bool(announced), tail, notes)


def _divided(text: str, separator: str | None) -> tuple[str, str | None, list[list[str]]]:
    """The separator and the escape that divide most rows into as many fields as the names, then into more fields.

    A file that no separator divides has one column.
    """
    escapes = (None, "\\") if '\\"' in text else (None,)
    best: tuple[str, str | None, list[list[str]]] = (separator or ALONE, None, _rows(text, separator or ALONE, None))
    measure = (0.0, 0)
    for candidate in [separator] if separator else SEPARATORS:
        for escape in escapes:
            rows = _rows(text, candidate, escape)
            table = [row for row in rows[header.place(rows) :] if row]
            fields = len(table[0]) if table else 0
            even = sum(len(row) == fields for row in table) / len(table) if fields > 1 else 0.0
            if fields > 1 and (even, fields) > measure:
                measure, best = (even, fields), (candidate, escape, rows)
    return best


def _rows(text: str, separator: str, escape: str | None) -> list[list[str]]:
    """The first rows, empty ones without a field; the last of them may be cut and is left out where there are many."""
    rows = []
    with suppress(csv.Error):  # a field longer than csv takes: the rows before it will do
        for row in csv.reader(io.StringIO(text, newline=""), delimiter=separator, escapechar=escape):
            rows.append(row)
            if len(rows) > ROWS:
                break
    return rows[:-1] if len(rows) > ROWS or len(text) > SAMPLE // 4 else rows


def _tail(stream: IO[bytes], encoding: str) -> str:
    """The last characters; all bytes are decoded on the way, so that a wrong encoding is found before reading."""
    decoder, tail = codecs.getincrementaldecoder(encoding)(), ""
    while chunk := stream.read(CHUNK):
        tail = (tail + decoder.decode(chunk))[-200:]
    return (tail + decoder.decode(b"", final=True))[-200:]
