"""Columns of texts as ONNX Runtime takes them: pointers to UTF-8 that ends with a byte 0."""

from collections.abc import Sequence
from ctypes import Array, addressof, byref, c_char_p, memmove
from typing import Self

import numpy as np

from serving.runtime.library import Pointer, fill_texts, resize_text

FEW = 64  # texts that are encoded one by one
END = "\0"


class Texts:
    """A column in which each text stands once, shape (rows, 1)."""

    def __init__(self, words: Sequence[bytes], places: np.ndarray) -> None:
        """Take distinct texts in UTF-8, and each row's place among them, int64, shape (rows,)."""
        self.words = words
        self.places = places

    @property
    def shape(self) -> tuple[int, int]:
        """Rows, and 1."""
        return len(self.places), 1

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, rows: slice | np.ndarray) -> Self:
        return type(self)(self.words, self.places[rows])

    def ravel(self) -> np.ndarray:
        """The text of each row, object, shape (rows,)."""
        return np.array([word.decode() for word in self.words], dtype=object)[self.places]

    def fill(self, tensor: Pointer) -> None:
        """Write the column into a tensor."""
        found = pointers(self.words)[self.places]
        fill_texts(tensor, found.ctypes.data, len(found))
        for place, word in enumerate(self.words):
            if b"\0" in word:
                for row in np.flatnonzero(self.places == place).tolist():
                    write(tensor, row, word)


def pointers(words: Sequence[bytes]) -> np.ndarray:
    """Where some texts lie in memory, shape (texts,); they have to be held as long."""
    return np.frombuffer((c_char_p * len(words))(*words), dtype=np.uintp)  # type: ignore[call-overload]


def write(tensor: Pointer, row: int, word: bytes) -> None:
    """Write one text, of any bytes, into a tensor."""
    buffer = Pointer()
    resize_text(tensor, row, len(word), byref(buffer))
    memmove(buffer, word, len(word))


class Cells:
    """Texts one after the other, of one column or of several."""

    def __init__(self, texts: Sequence[str | None]) -> None:
        """Encode them; None is written as no characters."""
        self.longest: int  # bytes of the longest, or a little more
        self.cut: bool  # whether one has a byte 0, up to which it is read
        self._texts = texts
        if len(texts) <= FEW:
            words = [text.encode() if text else b"" for text in texts]
            array: Array[c_char_p] = (c_char_p * len(words))(*words)
            self._held: object = array
            self.address = addressof(array)
            self.longest = max(map(len, words))
            self.cut = b"\0" in b"".join(words)
            return
        try:
            joined = END.join(texts)  # type: ignore[arg-type]
        except TypeError:
            joined = END.join([text or "" for text in texts])
        letters = np.frombuffer(joined.encode() + b"\0", dtype=np.uint8)
        ends = np.flatnonzero(letters == 0)
        self.longest = int(np.diff(ends, prepend=-1).max())
        self.cut = len(ends) > len(texts)
        starts = np.empty(len(texts), dtype=np.intp)
        starts[0] = -1
        starts[1:] = ends[: len(texts) - 1]
        starts += letters.ctypes.data + 1
        self._held, self.address = (letters, starts), starts.ctypes.data

    def mend(self, tensor: Pointer, start: int, end: int) -> None:
        """Write those from a start to an end once more, with every byte."""
        for row, text in enumerate(self._texts[start:end]):
            write(tensor, row, (text or "").encode())
