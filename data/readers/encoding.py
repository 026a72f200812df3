"""The encoding of a text, found from its bytes."""

import codecs
from collections import Counter
from pathlib import Path
from typing import IO

from data.errors import InputError
from data.readers import packed

CHUNK = 1 << 20
ODD_LINES = 1 << 18  # bytes of lines with other than ASCII characters that the encoding is found in
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


def find(path: Path, sample: bytes, notes: list[str]) -> str:
    """The encoding of a file, as Python calls it; anything but plain UTF-8 is added to `notes`.

    Args:
        path: the file, which is read until a byte tells that it is no UTF-8.
        sample: its first bytes.
        notes: what was decided in reading.

    Raises:
        InputError: the file is no text, or in no known encoding.
    """
    for mark, name in MARKS.items():
        if sample.startswith(mark):
            notes.append(f"{path}: written in {name.removesuffix('-sig').upper()}, with a byte-order mark")
            return name
    if b"\0" in sample:
        return _without_mark(path, sample, notes)
    with packed.opened(path) as stream:
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
    """Of the encodings that charset-normalizer finds as likely as the best, the one with fewest signs in words."""
    from charset_normalizer import from_bytes

    found = list(from_bytes(odd, cp_isolation=list(ENCODINGS), enable_fallback=False))
    near = [
        name
        for match in found
        if match.chaos <= found[0].chaos + 0.02 and match.coherence >= found[0].coherence - 0.05
        for name in match.could_be_from_charset
        if name in ENCODINGS
    ]
    return min(near, key=lambda name: (_signs(odd.decode(name, "replace")), ENCODINGS.index(name)), default=None)


def _signs(text: str) -> int:
    """How many signs other than ASCII touch a letter, as hardly any does in a text that is rightly decoded."""
    around = zip(" " + text, text, text[1:] + " ", strict=False)
    return sum(
        not sign.isascii() and not sign.isalpha() and (before.isalpha() or after.isalpha())
        for before, sign, after in around
    )
