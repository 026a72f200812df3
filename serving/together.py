"""Scoring whatever is ready in one turn of the event loop in one call of the graph."""

import asyncio
from collections.abc import Callable, Sequence
from time import perf_counter

from serving.connections import BUSY
from serving.graph import Graph
from serving.protocol.answers import Probabilities
from serving.protocol.errors import Refused
from serving.protocol.fast import Rows, Table, Tensor
from serving.watch.counts import Timed

Scores = tuple[list[str], list[list[float]] | Probabilities]
"""Labels and class probabilities, a list for each row."""
Settle = Callable[["Scores | Exception"], None]

MOST = 4096  # rows of one call
ENOUGH = 32  # requests of one call
INLINE = 0.002  # seconds that a call may hold the event loop


class Together:
    """The requests of one graph that wait for their scores.

    Nothing is waited for: a request that is alone is scored alone. Rows scored together may differ from the same
    rows scored alone in the last digit of a float32.
    """

    def __init__(self, graph: Graph, reader: Table | Tensor, validated: Timed, scored: Timed) -> None:
        self.graph = graph
        self.reader = reader
        self.fill = reader.fill if isinstance(reader, Table) else None
        self.validated = validated
        self.scored = scored
        self.waiting: list[tuple[Rows, Settle]] = []
        self.scheduled = False
        self.seen = 0
        self.aside: asyncio.Task[None] | None = None

    def free(self, rows: int) -> bool:
        """Whether there is nobody that so many rows would be scored together with, or held up by."""
        return len(BUSY) <= 1 and not self.waiting and self.aside is None and self.quick(rows)

    def quick(self, rows: int) -> bool:
        """Whether so many rows may hold the event loop."""
        return rows * self.graph.seconds_a_row <= INLINE

    def ask(self, rows: Rows) -> "asyncio.Future[Scores]":
        """The scores of some rows, at the end of this turn of the loop.

        Raises:
            Refused: out of the future, where a value is none that its column allows.
        """
        future: asyncio.Future[Scores] = asyncio.get_running_loop().create_future()

        def settle(found: Scores | Exception) -> None:
            if future.done():  # the client has gone
                return
            if isinstance(found, Exception):
                future.set_exception(found)
            else:
                future.set_result(found)

        self.soon(rows, settle)
        return future

    def soon(self, rows: Rows, settle: Settle) -> None:
        """Have `settle` called with the scores of some rows, or with why there are none, at the end of this turn."""
        self.waiting.append((rows, settle))
        self._next()

    def _turn(self) -> None:
        if self.seen < len(self.waiting) < ENOUGH:  # while more are ready to be read
            self.seen = len(self.waiting)
            asyncio.get_running_loop().call_soon(self._turn)
            return
        self.scheduled, self.seen = False, 0
        ready: list[tuple[Rows, Settle]] = []
        rows = 0
        while self.waiting and (not ready or rows + len(self.waiting[0][0]) <= MOST):
            ready.append(self.waiting.pop(0))
            rows += len(ready[-1][0])
        if not self.quick(rows):
            self.aside = asyncio.get_running_loop().create_task(self._aside(ready))
            return
        self._settle(ready, self._scores([rows for rows, _ in ready]))
        self._next()

    async def _aside(self, ready: list[tuple[Rows, Settle]]) -> None:
        """In a thread, so that others are answered meanwhile."""
        try:
            found = await asyncio.to_thread(self._scores, [rows for rows, _ in ready])
        except asyncio.CancelledError:
            self._settle(ready, [RuntimeError("the worker ends")] * len(ready))
            raise
        finally:
            self.aside = None
        self._settle(ready, found)
        self._next()

    def _next(self) -> None:
        if self.waiting and not self.scheduled and self.aside is None:
            self.scheduled = True
            asyncio.get_running_loop().call_soon(self._turn)

    def _scores(self, parts: list[Rows]) -> "list[Scores | Exception]":
        try:
            labels, probabilities = self.score(parts[0] if len(parts) == 1 else [row for rows in parts for row in rows])
        except Refused as refused:
            if len(parts) == 1:
                return [refused]
            return [self._scores([rows])[0] for rows in parts]  # the others are not to suffer
        except Exception as error:
            return [error] * len(parts)
        if len(parts) == 1:
            return [(labels, probabilities)]
        found: list[Scores | Exception] = []
        start = 0
        for rows in parts:
            end = start + len(rows)
            found.append((labels[start:end], probabilities[start:end]))
            start = end
        return found

    def score(self, rows: Rows) -> Scores:
        """The scores of some rows, now.

        Raises:
            Refused: a value is none that its column allows.
        """
        start = perf_counter()
        if self.fill is not None and len(rows) <= self.graph.most:
            block = self.graph.block(len(rows))
            texts = self.fill(block, rows)
            ready = perf_counter()
            labels, probabilities = block.score(texts)
            found: Scores = labels, probabilities.tolist()
            self.graph.give_back(block)
        else:
            feeds = self.reader.feeds(rows)
            ready = perf_counter()
            labels, probabilities = self.graph.score(feeds)
            found = labels, Probabilities(probabilities)
        self.validated.observe(ready - start)
        self.scored.observe(perf_counter() - ready)
        return found

    @staticmethod
    def _settle(ready: list[tuple[Rows, Settle]], found: "Sequence[Scores | Exception]") -> None:
        for (_, settle), scores in zip(ready, found, strict=True):
            settle(scores)
