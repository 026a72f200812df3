"""A version's graph in ONNX Runtime, opened only if it is the one that was registered and answers its own example."""

import hashlib
import json
import time
from pathlib import Path

import msgspec
import numpy as np

from serving.contract import Contract
from serving.follow.artifacts import EXAMPLE, GRAPH, Faulty
from serving.runtime.block import Block
from serving.runtime.labels import Classes
from serving.runtime.library import Failed
from serving.runtime.session import LABEL, PROBABILITIES, Feeds, Session

CONTRACT = "contract"
LARGE = frozenset(("text", "image", "sequence"))
FEW = 512  # rows whose tensors are kept
KEPT, BESIDE = 48, 2  # numbers of rows whose tensors are kept, and how often each
SOME, MANY = 256, 16_384  # rows that go through a graph at once, of large cells and of small ones
WARM = (1, 2, 16, 256)  # rows of the requests that a graph answers before it is asked by anybody
WARM_SECONDS = 0.05  # that such a request may take, if it is not one of the first
DEAR = 2e-6  # seconds a row, from which on a graph is faster with several threads


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
        try:
            self.session = Session(content, threads)
            self.contract = msgspec.json.decode(self.session.metadata(CONTRACT) or "", type=Contract)
        except (Failed, msgspec.MsgspecError) as error:
            raise Faulty(f"no scoring graph: {' '.join(str(error).split())[:200]}") from None
        self._agrees()
        self.classes = Classes(self.contract.classes)
        self.batch = SOME if LARGE.intersection(column.kind for column in self.contract.columns) else MANY
        self.seconds_a_row = 0.0
        self.most = FEW if self.contract.tensor is None else 0
        self.blocks: dict[int, list[Block]] = {}

    def _agrees(self) -> None:
        """Whether inputs and outputs are those of its contract."""
        inputs, outputs = self.session.inputs, self.session.outputs
        if set(inputs) != set(self.contract.names):
            raise Faulty(f"its inputs are {inputs}, its contract's are {list(self.contract.names)}")
        if not {LABEL, PROBABILITIES} <= set(outputs):
            raise Faulty(f"its outputs are {outputs}, expected {LABEL} and {PROBABILITIES}")

    def score(self, feeds: Feeds) -> tuple[list[str], np.ndarray]:
        """Labels, and class probabilities, float32, shape (rows, classes)."""
        total = len(next(iter(feeds.values())))
        if total <= self.most:
            block = self.block(total)
            labels, probabilities = block.score(block.fill(feeds))
            probabilities = probabilities.copy()
            self.give_back(block)
            return labels, probabilities
        if total <= self.batch:
            return self.session.score(feeds, self.classes)
        parts = []
        for start in range(0, total, self.batch):
            some = {name: feed[start : start + self.batch] for name, feed in feeds.items()}
            parts.append(self.session.score(some, self.classes))
        return [label for labels, _ in parts for label in labels], np.concatenate([part[1] for part in parts])

    def block(self, rows: int) -> Block:
        """A block of at most `most` rows that nobody else has."""
        try:
            return self.blocks[rows].pop()
        except (KeyError, IndexError):  # another thread may have taken the last
            return Block(self.session, rows, self.contract, self.classes)

    def give_back(self, block: Block) -> None:
        """Keep a block for the next, unless it is large; one whose graph failed is not to be kept."""
        if block.large:
            return
        if len(self.blocks) >= KEPT and block.rows not in self.blocks:
            self.blocks.clear()
        free = self.blocks.setdefault(block.rows, [])
        if len(free) < BESIDE:
            free.append(block)

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
            again = np.resize(np.arange(len(next(iter(feeds.values())))), rows)
            some: Feeds = {name: feed[again] for name, feed in feeds.items()}
            start = time.perf_counter()
            try:
                labels, probabilities = self.score(some)
            except Exception as error:  # ONNX Runtime has a dozen kinds
                raise Faulty(f"it fails on its own example: {' '.join(str(error).split())[:200]}") from None
            self.seconds_a_row = (time.perf_counter() - start) / rows
            good = (
                set(labels) <= set(self.contract.classes)
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
