"""`python -m benchmarks.graphs`: what the scoring graphs of a task's candidates take, with one thread.

Rows of the test split, in the graph's own types, as this server scores them and by ONNX Runtime's Python interface.
A row alone is called over and over, so that all is in the processor's caches; a server's requests, with other work
between them, take longer.
"""

import hashlib
import time
from collections.abc import Callable
from functools import partial
from typing import Annotated

import pandas as pd
import typer
from rich.console import Console
from rich.table import Table

from data.prepare import PREPARED
from training.candidate import CANDIDATES
from training.graph import LABEL, PROBABILITIES, Graph

SIZES = (1, 100, 10_000)
SECONDS, TRIES = 0.2, 5


def main(task: Annotated[str, typer.Argument(help="whose candidates are measured")] = "flights") -> None:
    """Show microseconds of a call, the best of several."""
    import onnxruntime  # after `training.graph`, which turns its telemetry off

    from serving.graph import Graph as Served

    paths = sorted((CANDIDATES / task).glob("*/graph.onnx"))
    if not paths:
        raise SystemExit(f"error: no candidates in {CANDIDATES / task}; make them with `make repro TASK={task}`")
    rows = pd.read_parquet(PREPARED / task / "test.parquet").head(max(SIZES))
    shown = Table(
        "candidate",
        *(f"{size:,} row{'s' * (size > 1)}" for size in SIZES),
        title="µs of a call, and by the Python interface",
    )
    for path in paths:
        graph = Graph(path)
        feeds = graph.feeds(rows)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        content = path.read_bytes()
        served = Served(content, hashlib.sha256(content).hexdigest())
        cells = []
        for size in SIZES:
            some = {name: values[:size] for name, values in feeds.items()}
            ours, theirs = partial(served.score, some), partial(session.run, [LABEL, PROBABILITIES], some)
            cells.append(f"{_best(ours) * 1e6:,.0f}, {_best(theirs) * 1e6:,.0f}")
        shown.add_row(path.parent.name, *cells)
    Console().print(shown)


def _best(call: Callable[[], object]) -> float:
    """Seconds of a call: the mean of a slice, the lowest of several slices."""
    call()
    start = time.perf_counter()
    call()
    calls = max(1, int(SECONDS / (time.perf_counter() - start)))
    found = []
    for _ in range(TRIES):
        start = time.perf_counter()
        for _ in range(calls):
            call()
        found.append((time.perf_counter() - start) / calls)
    return min(found)


if __name__ == "__main__":
    typer.run(main)
