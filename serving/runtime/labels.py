"""Labels, read out of a tensor of texts."""

from collections.abc import Sequence
from ctypes import byref, c_size_t
from itertools import pairwise

import numpy as np

from serving.runtime.library import Pointer, copy_texts, size_of_texts

FEW = 64  # labels that are cut out one by one
MOST = 6  # letters that tell classes apart, along with their lengths
LENGTH = 16  # bits of a length


class Classes:
    """The labels that a graph gives, told apart by their length and as few letters as that takes."""

    def __init__(self, names: Sequence[str]) -> None:
        """Take the classes' names, in the order of the probabilities."""
        encoded = [name.encode() for name in names]
        self.total = len(names)
        self.width = max(map(len, encoded))
        self.letters: list[int] = []
        while _apart(encoded, self.letters) < self.total and len(self.letters) < MOST:
            self.letters.append(max(range(self.width), key=lambda at: _apart(encoded, [*self.letters, at])))
        keys = [_key(word, self.letters) for word in encoded]
        self.apart = len(set(keys)) == self.total and self.width < 1 << LENGTH
        self.keys = np.array(sorted(keys), dtype=np.uint64)
        self.names = np.array([name for _, name in sorted(zip(keys, names, strict=True))], dtype=object)

    def read(self, tensor: Pointer, rows: int) -> list[str]:
        """The texts of a tensor of the shape (rows,).

        Raises:
            Failed: it has another shape.
        """
        size, starts = c_size_t(), np.empty(rows + 1, dtype=np.uintp)
        size_of_texts(tensor, byref(size))
        text = np.zeros(size.value + self.width, dtype=np.uint8)
        copy_texts(tensor, text.ctypes.data, size.value, starts.ctypes.data, rows)
        starts[rows] = size.value
        found = self._known(text, starts) if self.apart and rows > FEW else None
        if found is None:
            return cut(text[: size.value].tobytes(), starts.tolist())
        return found

    def _known(self, text: np.ndarray, starts: np.ndarray) -> list[str] | None:
        """The labels, unless one has the letters of no class."""
        starts, lengths = starts[:-1], np.diff(starts)
        found = lengths
        for place, at in enumerate(self.letters):
            letters = np.where(lengths > at, text[starts + np.uintp(at)], 0).astype(np.uint64)
            found = found | letters << np.uint64(LENGTH + 8 * place)
        places = np.minimum(np.searchsorted(self.keys, found), self.total - 1)
        if not (self.keys[places] == found).all():
            return None
        names: list[str] = self.names[places].tolist()
        return names


def cut(text: bytes, places: Sequence[int]) -> list[str]:
    """The texts between some places."""
    if text.isascii():
        letters = text.decode()
        return [letters[start:end] for start, end in pairwise(places)]
    return [text[start:end].decode() for start, end in pairwise(places)]


def _key(word: bytes, letters: Sequence[int]) -> int:
    """A word's length and some of its letters, as one number."""
    chosen = (word[at] if at < len(word) else 0 for at in letters)
    return len(word) + sum(letter << LENGTH + 8 * place for place, letter in enumerate(chosen))


def _apart(words: Sequence[bytes], letters: Sequence[int]) -> int:
    """How many words some letters tell apart."""
    return len({_key(word, letters) for word in words})
