"""A version's graph in ONNX Runtime, opened only if it is the one that was registered and answers its own example."""

import hashlib
import json
import time
from pathlib import Path

import msgspec
import numpy as np
import onnxruntime

from serving.contract import Contract
from serving.follow.artifacts import EXAMPLE, GRAPH, Faulty

CONTRACT, LABEL, PROBABILITIES = "contract", "label", "probabilities"
OUTPUTS = [LABEL, PROBABILITIES]
LARGE = frozenset(("text", "image", "sequence"))
SOME, MANY = 256, 65536  # rows that go through a graph at once, of large cells and of small ones
WARM = (1, 2, 16, 256)  # rows of the requests that a graph answers before it is asked by anybody
WARM_SECONDS = 0.05  # that such a request may take, if it is not one of the first
DEAR = 2e-6  # seconds a row, from which on a graph is faster with several threads

Feeds = dict[str, np.ndarray]


class Graph:
    """A scoring graph: `label` and `probabilities` from one input per raw column."""

    def __init__(self, content: bytes, digest: str, threads: int = 1) -> None:
        """Open the graph in `content`, an ONNX file.

        Raises:
            Faulty: it is another than was registered, or is no scoring graph.
        """
        found = hashlib.sha256(content).hexdigest()
        if found != digest:
            raise Faulty(f"the graph has SHA-256 {found[:12]}…, registered was {digest[:12]}…")
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self.session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
            metadata = self.session.get_modelmeta().custom_metadata_map
            self.contract = msgspec.json.decode(metadata[CONTRACT].encode(), type=Contract)
        except Exception as error:  # ONNX Runtime has a dozen kinds
            raise Faulty(f"no scoring graph: {' '.join(str(error).split())[:200]}") from None
        self._agrees()
        # what ONNX Runtime's wrapper checks on every call, a fifth of one, was checked just now
        self._run = self.session._sess.run
        self.batch = SOME if LARGE.intersection(column.kind for column in self.contract.columns) else MANY
        self.seconds_a_row = 0.0

    def _agrees(self) -> None:
        """Whether inputs and outputs are those of its contract."""
        inputs, outputs = self.session.get_inputs(), self.session.get_outputs()
        if {one.name for one in inputs} != set(self.contract.names):
            raise Faulty(
                f"its inputs are {[one.name for one in inputs]}, its contract's are {list(self.contract.names)}"
            )
        shapes = {one.name: one.shape for one in outputs}
        if not {LABEL, PROBABILITIES} <= shapes.keys():
            raise Faulty(f"its outputs are {list(shapes)}, expected {LABEL} and {PROBABILITIES}")

    def score(self, feeds: Feeds) -> tuple[np.ndarray, np.ndarray]:
        """Labels, shape (rows,), and class probabilities, float32, shape (rows, classes)."""
        total = len(next(iter(feeds.values())))
        if total <= self.batch:
            labels, probabilities = self._run(OUTPUTS, feeds, None)
            return labels, probabilities
        parts = [
            self._run(OUTPUTS, {name: feed[start : start + self.batch] for name, feed in feeds.items()}, None)
            for start in range(0, total, self.batch)
        ]
        return np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts])

    @property
    def dear(self) -> bool:
        """Whether it gains by threads; needs `prove` to have been called."""
        return self.seconds_a_row > DEAR

    def prove(self, feeds: Feeds) -> None:
        """Answer an example, and grow warm by it.

        Raises:
            Faulty: the answers are no labels with probabilities of the contract's classes.
        """
        for rows in WARM:
            if rows * self.seconds_a_row > WARM_SECONDS:
                break
            some = {name: np.resize(feed, (rows, *feed.shape[1:])) for name, feed in feeds.items()}
            start = time.perf_counter()
            try:
                labels, probabilities = self.score(some)
            except Exception as error:  # ONNX Runtime has a dozen kinds
                raise Faulty(f"it fails on its own example: {' '.join(str(error).split())[:200]}") from None
            self.seconds_a_row = (time.perf_counter() - start) / rows
            good = (
                set(labels.tolist()) <= set(self.contract.classes)
                and probabilities.shape == (rows, len(self.contract.classes))
                and bool(np.isclose(probabilities.sum(axis=1), 1, atol=1e-3).all())
                and bool((probabilities >= 0).all())
            )
            if not good:
                raise Faulty(
                    "its answer to its own example is no label with probabilities of its classes that sum to 1"
                )


def example(folder: Path) -> dict[str, object]:
    """The example with which a version was registered, as a request of MLflow's protocol; NaN becomes null."""
    try:
        text = (folder / EXAMPLE).read_text(encoding="utf-8")
        found = json.loads(text, parse_constant=lambda _: None)
    except (OSError, ValueError) as error:
        raise Faulty(f"its example cannot be read: {error}") from None
    if not isinstance(found, dict):
        raise Faulty("its example is no request")
    return found


def content(folder: Path) -> bytes:
    """The bytes of the graph in a folder of the local copy."""
    try:
        return (folder / GRAPH).read_bytes()
    except OSError as error:
        raise Faulty(f"its graph cannot be read: {error}") from None
