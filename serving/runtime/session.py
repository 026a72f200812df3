"""A scoring graph in ONNX Runtime."""

from collections.abc import Mapping
from ctypes import Array, byref, c_char_p, c_int64, c_size_t, c_void_p, string_at

import numpy as np

from serving.runtime import library
from serving.runtime.labels import Classes
from serving.runtime.library import DOUBLE, FLOAT, TEXT, Pointer
from serving.runtime.texts import Cells, Texts

LABEL, PROBABILITIES = "label", "probabilities"
TYPES = {np.dtype(np.float32): FLOAT, np.dtype(np.float64): DOUBLE}
"""Of numbers that lie in an array."""

Feeds = Mapping[str, np.ndarray | Texts]
"""The values of each input; their first axis are the rows, and those of an array of objects are texts."""


class Value:
    """A tensor of ONNX Runtime."""

    def __init__(self, pointer: Pointer, over: np.ndarray | None = None) -> None:
        """Own a tensor, which may lie over the memory of an array."""
        self.pointer = pointer
        self.over = over

    def __del__(self) -> None:
        library.release_value(self.pointer)

    @classmethod
    def of_texts(cls, shape: tuple[int, ...]) -> "Value":
        """A tensor of empty texts."""
        pointer = Pointer()
        library.create_tensor(library.allocator(), (c_int64 * len(shape))(*shape), len(shape), TEXT, byref(pointer))
        return cls(pointer)

    @classmethod
    def of_numbers(cls, array: np.ndarray) -> "Value":
        """A tensor over an array's memory."""
        array = np.ascontiguousarray(array)
        pointer, shape = Pointer(), (c_int64 * array.ndim)(*array.shape)
        library.create_tensor_over(
            library.memory(), array.ctypes.data, array.nbytes, shape, array.ndim, TYPES[array.dtype], byref(pointer)
        )
        return cls(pointer, array)


class Session:
    """A graph, open."""

    def __init__(self, content: bytes, threads: int) -> None:
        """Open the graph in `content`, an ONNX file.

        Raises:
            Failed: it is none.
        """
        self.pointer, options = Pointer(), Pointer()
        library.create_options(byref(options))
        try:
            library.set_severity(options, 3)
            library.set_threads(options, threads)
            library.set_parallel(options, 1)
            library.set_entry(options, b"session.intra_op.allow_spinning", b"0")
            library.create_session(library.environment(), content, len(content), options, byref(self.pointer))
        finally:
            library.release_options(options)
        self.inputs = self._names(library.count_inputs, library.name_input)
        self.outputs = self._names(library.count_outputs, library.name_output)
        self._names_in: Array[c_char_p] = (c_char_p * len(self.inputs))(*(name.encode() for name in self.inputs))
        self._names_out = (c_char_p * 2)(LABEL.encode(), PROBABILITIES.encode())

    def __del__(self) -> None:
        library.release_session(self.pointer)

    def _names(self, count: library.Function, name: library.Function) -> list[str]:
        total = c_size_t()
        count(self.pointer, byref(total))
        names = []
        for place in range(total.value):
            found = c_void_p()
            name(self.pointer, place, library.allocator(), byref(found))
            names.append(_taken(found))
        return names

    def metadata(self, key: str) -> str | None:
        """What the file says under a key."""
        metadata, found = Pointer(), c_void_p()
        library.get_metadata(self.pointer, byref(metadata))
        try:
            library.look_up(metadata, library.allocator(), key.encode(), byref(found))
        finally:
            library.release_metadata(metadata)
        return _taken(found) if found else None

    def score(self, feeds: Feeds, classes: Classes) -> tuple[list[str], np.ndarray]:
        """Labels, and the probabilities of the classes, float32, shape (rows, classes).

        Raises:
            Failed: the graph takes other inputs, or answers in other shapes.
        """
        rows = len(next(iter(feeds.values())))
        inputs = [tensor(feeds[name]) for name in self.inputs]
        probabilities = np.empty((rows, classes.total), dtype=np.float32)
        scores = Value.of_numbers(probabilities)
        values = (Pointer * len(inputs))(*(one.pointer for one in inputs))
        outputs = (Pointer * 2)(None, scores.pointer)
        library.run(self.pointer, None, self._names_in, values, len(inputs), self._names_out, len(outputs), outputs)
        labels = Value(Pointer(outputs[0]))
        return classes.read(labels.pointer, rows), probabilities


class Binding:
    """Tensors that a session reads and writes each time that it is run."""

    def __init__(self, session: Session, inputs: Mapping[str, Value], outputs: Mapping[str, Value]) -> None:
        """Bind all inputs and outputs by their names, and hold them."""
        self._held = session, inputs, outputs
        self.pointer = Pointer()
        library.create_binding(session.pointer, byref(self.pointer))
        for bind, values in ((library.bind_input, inputs), (library.bind_output, outputs)):
            for name, value in values.items():
                bind(self.pointer, name.encode(), value.pointer)
        self._run = session.pointer, library.run_options(), self.pointer

    def __del__(self) -> None:
        library.release_binding(self.pointer)

    def run(self) -> None:
        """Write the outputs.

        Raises:
            Failed: the graph takes other inputs, or answers in other shapes.
        """
        if status := library.run_bound(*self._run):
            library.check(status)


def _taken(text: c_void_p) -> str:
    """A text of ONNX Runtime's, which is freed."""
    found = string_at(text).decode()
    library.free(library.allocator(), text)
    return found


def tensor(feed: np.ndarray | Texts) -> Value:
    """The tensor of an input's values."""
    if isinstance(feed, np.ndarray) and feed.dtype != object:
        return Value.of_numbers(feed)
    value = Value.of_texts((len(feed), 1))
    if isinstance(feed, Texts):
        feed.fill(value.pointer)
        return value
    cells = Cells(feed.ravel().tolist())
    library.fill_texts(value.pointer, cells.address, len(feed))
    if cells.cut:
        cells.mend(value.pointer, 0, len(feed))
    return value
