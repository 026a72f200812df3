"""How a text table is written: its compression, encoding, separator and header."""

import bz2
import codecs
import csv
import gzip
import io
import lzma
import re
import zipfile
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from data.errors import InputError

CHUNK = 1 << 20
SAMPLE = 1 << 20  # bytes from the beginning that the separator is found in
ROWS = 500  # rows of the sample that are compared
ODD_LINES = 1 << 18  # bytes of lines with other than ASCII characters that the encoding is found in
SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "vertical bar"}
ALONE = "\x1f"  # separates nothing in a file of one column
MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
ENCODINGS = (
    "cp1252",
    "cp1250",
    "cp1251",
    "cp1253",
    "cp1254",
    "koi8_r",
    "mac_roman",
    "cp932",
    "gb18030",
    "big5",
    "cp949",
)
"""One-byte and East Asian encodings that are tried, the likelier first."""
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
    header: list[str]
    """The first row as it is written."""
    skip: int
    """Rows before the first data row."""
    tail: str
    """The last characters of the file."""
    notes: list[str]


def opened(path: Path) -> IO[bytes]:
    """The bytes of a text table, decompressed.

    Raises:
        InputError: a zip file does not hold exactly one file.
    """
    readers: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
    suffix = path.suffix.lower()
    if suffix == ".zip":
        archive = zipfile.ZipFile(path)
        names = [one.filename for one in archive.infolist() if not one.is_dir() and "__MACOSX" not in one.filename]
        if len(names) != 1:
            raise InputError(f"{path} holds {len(names)} files ({', '.join(names[:5])}), expected one; unpack it")
        return archive.open(names[0])
    stream: IO[bytes] = readers[suffix](path) if suffix in readers else path.open("rb")
    return stream


def find(path: Path, encoding: str | None, separator: str | None) -> Dialect:
    """The dialect of a text table, found from its bytes; `encoding` and `separator` are taken as given if they are.

    Raises:
        InputError: the file is empty or no text, or is not written in the given encoding.
    """
    notes: list[str] = []
    with opened(path) as stream:
        sample = stream.read(SAMPLE)
    if not sample.strip():
        raise InputError(f"{path} is empty; expected column names in its first row and rows below")
    for mark, kind in NO_TEXT.items():
        if sample.startswith(mark):
            raise InputError(f"{path} is no text but {kind}; save it as CSV, or give it the ending of its kind")
    if encoding is None:
        encoding = _encoding(path, sample, notes)
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        text = decoder.decode(sample, final=len(sample) < SAMPLE)
        with opened(path) as stream:
            tail = _tail(stream, encoding)
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path} is not written in {encoding} ({error.reason}, byte {error.start}); declare the right source.encoding"
        ) from None
    skip = 1
    if announced := re.match("sep=(.)\r?\n", text):  # as Excel writes and reads it
        text = text[announced.end() :]
        skip += 1
        separator = separator or announced.group(1)
        notes.append(f"{path}: its first line says that fields are separated by {separator!r}")
    blank = re.match("[\r\n]*", text)
    skip += len(blank.group().splitlines()) if blank else 0
    rows = _rows(text, separator) if separator else []
    if separator is None:
        separator, rows = _separator(text)
        if separator == ALONE:
            notes.append(f"{path}: one column, as no separator divides its rows evenly")
        elif separator != ",":
            notes.append(f"{path}: fields are separated by {SEPARATORS.get(separator, repr(separator))}")
    if rows and all(re.fullmatch(r"[-+]?\d+([.,]\d+)?", name.strip()) for name in rows[0]):
        notes.append(
            f"{path}: the first row ({', '.join(rows[0][:4])} …) was taken as column names though it is numbers"
        )
    return Dialect(encoding, separator, rows[0] if rows else [], skip, tail, notes)


def _rows(text: str, separator: str) -> list[list[str]]:
    """The first rows, without empty lines; the last of them may be cut and is left out where there are many."""
    rows = []
    with suppress(csv.Error):  # a field longer than csv takes: the rows before it will do
        for row in csv.reader(io.StringIO(text, newline=""), delimiter=separator):
            if row:
                rows.append(row)
            if len(rows) > ROWS:
                break
    return rows[:-1] if len(rows) > ROWS or len(text) > SAMPLE // 4 else rows


def _separator(text: str) -> tuple[str, list[list[str]]]:
    """The separator that divides most rows into as many fields as the header, then into more fields."""
    best = (0.0, 0, ALONE, _rows(text, ALONE))
    for separator in SEPARATORS:
        rows = _rows(text, separator)
        if len(rows) > 0 and len(rows[0]) > 1:
            even = sum(len(row) == len(rows[0]) for row in rows) / len(rows)
            best = max(best, (even, len(rows[0]), separator, rows), key=lambda found: found[:2])
    return best[2], best[3]


def _encoding(path: Path, sample: bytes, notes: list[str]) -> str:
    for mark, name in MARKS.items():
        if sample.startswith(mark):
            notes.append(f"{path}: written in {name.removesuffix('-sig').upper()}, with a byte-order mark")
            return name
    if b"\0" in sample:
        return _without_mark(path, sample, notes)
    with opened(path) as stream:
        odd = _odd_lines(stream)
    if not odd:
        return "utf-8"
    guessed = _guess(odd)
    if guessed is None:
        raise InputError(f"{path} is no text in a known encoding; save it as UTF-8, or declare source.encoding")
    shown = next((line for line in odd.decode(guessed, "replace").splitlines() if not line.isascii()), "")
    notes.append(
        f"{path}: no UTF-8; read as {guessed} (a line of it: {shown.strip()[:60]!r}); else declare source.encoding"
    )
    return guessed


def _without_mark(path: Path, sample: bytes, notes: list[str]) -> str:
    """UTF-16 tells itself by the zero bytes of ASCII characters, which stand at even or at odd places."""
    places = Counter(place % 2 for place, byte in enumerate(sample) if byte == 0)
    for parity, name in ((1, "utf-16-le"), (0, "utf-16-be")):
        if places[parity] > max(len(sample) / 8, 4 * places[1 - parity]):
            notes.append(f"{path}: written in {name.upper()}, without a byte-order mark")
            return name
    raise InputError(f"{path} is no text, as it holds zero bytes; save it as CSV, or give it the ending of its kind")


def _odd_lines(stream: IO[bytes]) -> bytes:
    """Nothing for UTF-8, else the first distinct lines with bytes that are not ASCII."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    while True:
        chunk = stream.read(CHUNK)
        try:
            decoder.decode(chunk, final=not chunk)
        except UnicodeDecodeError:
            lines = dict.fromkeys(line for line in (chunk + stream.read(CHUNK)).split(b"\n") if not line.isascii())
            return b"\n".join(lines)[:ODD_LINES] or chunk
        if not chunk:
            return b""


def _guess(odd: bytes) -> str | None:
    """Of the encodings that charset-normalizer finds as likely as the best, the one that gives most letters."""
    from charset_normalizer import from_bytes

    found = list(from_bytes(odd, cp_isolation=list(ENCODINGS), enable_fallback=False))
    if not found:
        return None
    near = [
        match.encoding
        for match in found
        if match.chaos <= found[0].chaos + 0.02 and match.coherence >= found[0].coherence - 0.05
    ]

    def signs(name: str) -> int:
        return sum(not character.isascii() and not character.isalpha() for character in odd.decode(name, "replace"))

    return min(near, key=lambda name: (signs(name), ENCODINGS.index(name)))


def _tail(stream: IO[bytes], encoding: str) -> str:
    """The last characters; all bytes are decoded on the way, so that a wrong encoding is found before reading."""
    decoder, tail = codecs.getincrementaldecoder(encoding)(), ""
    while chunk := stream.read(CHUNK):
        tail = (tail + decoder.decode(chunk))[-200:]
    return (tail + decoder.decode(b"", final=True))[-200:]
