"""A few rows of numbers and texts, whose tensors are made once and written again for each request."""

from collections.abc import Mapping, Sequence
from ctypes import addressof, c_size_t, create_string_buffer
from itertools import chain
from math import nan
from struct import Struct
from typing import Any

import numpy as np

from serving.contract import Contract
from serving.runtime.labels import Classes, cut
from serving.runtime.library import (
    Failed,
    Pointer,
    check,
    copy_texts_short,
    fill_text_short,
    fill_texts_short,
    size_of_texts_short,
)
from serving.runtime.session import LABEL, PROBABILITIES, Binding, Session, Value
from serving.runtime.texts import Cells, write

POINTER = 8  # bytes
ROOM = 1 << 18  # bytes that the texts of a block may come to take, of which each keeps the memory of its longest


class Block:
    """The inputs and outputs of so many rows, for one request at a time."""

    def __init__(self, session: Session, rows: int, contract: Contract, classes: Classes) -> None:
        """Make the tensors of the columns of a contract that has neither images nor sequences."""
        self.rows = rows
        self.contract = contract
        self.large = False  # whether its texts might take too much memory
        self._longest = ROOM // max(1, rows * len(contract.texts))
        self._pack = Struct(f"{len(contract.numbers)}f").pack_into  # in less code than NumPy's
        self.numbers = np.zeros((len(contract.numbers), rows), dtype=np.float32)
        self.times = np.zeros((len(contract.times), rows), dtype=np.float64)
        values = {name: Value.of_texts((rows, 1)) for name in contract.texts}
        self._pointers = [value.pointer for value in values.values()]
        for names, block in self._arrays():
            for place, name in enumerate(names):
                values[name] = Value.of_numbers(block[place].reshape(-1, 1))
        self._probabilities = np.zeros((rows, classes.total), dtype=np.float32)
        self._labels = Value.of_texts((rows,))
        outputs = {LABEL: self._labels, PROBABILITIES: Value.of_numbers(self._probabilities)}
        self._run = Binding(session, values, outputs).run
        self._written: list[str | None] = [""] * len(self._pointers)
        self._size, self._starts = c_size_t(), (c_size_t * rows)()
        self._text = create_string_buffer(max(1, classes.width * rows))
        size, text, starts = (Pointer(addressof(one)) for one in (self._size, self._text, self._starts))
        self._size_of = self._labels.pointer, size
        self._copy = self._labels.pointer, text, self._size, starts, c_size_t(rows)

    def _arrays(self) -> tuple[tuple[tuple[str, ...], np.ndarray], ...]:
        return (self.contract.numbers, self.numbers), (self.contract.times, self.times)

    def take(self, numbers: Sequence[float | None]) -> None:
        """Write the numbers of one row; None is missing."""
        self._pack(
            self.numbers.data, 0, *(numbers if None not in numbers else [nan if x is None else x for x in numbers])
        )

    def fill(self, feeds: Mapping[str, Any]) -> list[str | None]:
        """Write the numbers and times of a graph's inputs; returns the texts, column after column."""
        for names, block in self._arrays():
            for place, name in enumerate(names):
                block[place] = feeds[name].ravel()
        return list(chain.from_iterable(feeds[name].ravel().tolist() for name in self.contract.texts))

    def score(self, texts: Sequence[str | None]) -> tuple[list[str], np.ndarray]:
        """Labels, and class probabilities, float32, shape (rows, classes), which hold until the next request.

        Args:
            texts: of all rows, column after column; `numbers` and `times` were written before.

        Raises:
            Failed: the graph fails.
        """
        if self.rows == 1:
            self._fill_one(texts)
        elif texts:
            self._fill(Cells(texts))
        self._run()
        return self._read(), self._probabilities

    def _fill_one(self, texts: Sequence[str | None]) -> None:
        written = self._written
        for place, text in enumerate(texts):
            if text != written[place]:
                word = text.encode() if text else b""
                self.large = self.large or len(word) > self._longest
                if b"\0" in word:
                    write(self._pointers[place], 0, word)
                elif status := fill_text_short(self._pointers[place], word, 0):
                    check(status)
                written[place] = text

    def _fill(self, cells: Cells) -> None:
        rows, address = self.rows, cells.address
        self.large = self.large or cells.longest > self._longest
        for pointer in self._pointers:
            if status := fill_texts_short(pointer, address, rows):
                check(status)
            address += POINTER * rows
        if cells.cut:
            for place, pointer in enumerate(self._pointers):
                cells.mend(pointer, place * rows, (place + 1) * rows)

    def _read(self) -> list[str]:
        if status := size_of_texts_short(*self._size_of):
            check(status)
        size = self._size.value
        if size > len(self._text):
            raise Failed("the graph gives labels that are none of its classes")
        if status := copy_texts_short(*self._copy):
            check(status)
        text = self._text.raw[:size]
        if self.rows == 1:
            return [text.decode()]
        return cut(text, [*self._starts, size])
