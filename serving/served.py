"""One version, ready to answer."""

import re
from pathlib import Path
from time import perf_counter
from weakref import WeakKeyDictionary

import msgspec

from serving import graph as graphs
from serving.contract import Contract
from serving.follow.artifacts import Faulty
from serving.follow.state import Version
from serving.graph import Graph
from serving.protocol import answers, fast
from serving.protocol.errors import Refused
from serving.protocol.loose import parse
from serving.protocol.question import Question
from serving.together import Scores, Together
from serving.watch.counts import Counts, Timed

UNPRINTABLE = re.compile("[^ -~]")


class Served:
    """A version's graph with all that reads its requests and writes its answers."""

    def __init__(self, version: Version, graph: Graph, example: dict[str, object], counts: Counts) -> None:
        self.version = version
        self.name = str(version)
        value = UNPRINTABLE.sub("?", self.name).encode()
        self.header = (b"x-model-version", value)
        self.line = b"x-model-version: %b\r\n" % value
        self.graph = graph
        self.contract: Contract = graph.contract
        self.example = example
        self.reader = fast.requests_of(graph.contract)
        self.counts = counts
        self.number = str(version.number)
        self.parsed, self.validated, self.scored, self.encoded = (
            counts.timed("serving_phase_seconds", (version.name, self.number, phase))
            for phase in ("parse", "validate", "score", "encode")
        )
        self.rows = counts.counted("serving_rows", (version.name, self.number))
        self.answered: dict[tuple[str, str, int], Timed] = {}
        self.together = Together(graph, self.reader, self.validated, self.scored)
        self.records = answers.records_of(graph.contract)
        self.alike: WeakKeyDictionary[Served, bool] = WeakKeyDictionary()

    def timed(self, reference: str, protocol: str, status: int) -> Timed:
        """The histogram of its answers of one kind."""
        key = (reference, protocol, status)
        found = self.answered.get(key)
        if found is None:
            labels = (self.version.name, reference, self.number, protocol, str(status))
            found = self.answered[key] = self.counts.timed("serving_request_seconds", labels)
        return found

    def scores_of(self, question: Question) -> Scores:
        """The scores of a question, now."""
        if not question.total:
            return [], []  # not every graph takes no rows
        if question.rows is not None:
            return self.together.score(question.rows)
        start = perf_counter()
        labels, probabilities = self.graph.score(question.feeds or {})
        self.scored.observe(perf_counter() - start)
        return labels, answers.Probabilities(probabilities)

    def reads_as(self, other: "Served") -> bool:
        """Whether every request of another version is one of this."""
        if other not in self.alike:
            self.alike[other] = not self.contract.refuses_requests_of(other.contract)
        return self.alike[other]


def load(version: Version, folder: Path, counts: Counts, threads: int = 1) -> Served:
    """Open a version from the local copy, once its digest, its contract and its own example are found good.

    Args:
        version: which.
        folder: of its files in the local copy.
        counts: where it is counted.
        threads: for one call of its graph, if it is faster with them.

    Raises:
        Faulty: it is not good; the message says why.
    """
    content = graphs.content(folder)
    graph = Graph(content, version.digest)
    example = graphs.example(folder)
    try:
        feeds = parse(msgspec.json.encode(example), "application/json", graph.contract)
    except Refused as refused:
        raise Faulty(f"its contract refuses its own example: {refused.message}") from None
    graph.prove(feeds)
    if threads > 1 and graph.dear:
        graph = Graph(content, version.digest, threads)
        graph.prove(feeds)
    return Served(version, graph, example, counts)
