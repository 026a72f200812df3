"""One server's figures in one round."""

import json
import time
from dataclasses import replace
from pathlib import Path

from benchmarks.serving import load
from benchmarks.serving.figures import Sample
from benchmarks.serving.load import Load
from benchmarks.serving.process import Running, running
from benchmarks.serving.servers import Models, Server

CONNECTIONS = 16
TWO = 2  # for many rows: the next request is there when one is answered
MANY = 10_000
FEWEST_ONE_ROW, FEWEST_MANY_ROWS = 40, 5  # requests of a slice, which slow servers get more time for
LONGEST_SLICE = 6
WARM_UP = 1


def measure(server: Server, models: Models, seconds: float, folder: Path) -> tuple[Sample, list[list[float]]]:
    """Start a server, measure it, stop it.

    Args:
        server: which.
        models: what it is asked.
        seconds: of a slice.
        folder: for its log.

    Returns:
        The figures, in seconds, requests or rows a second and MiB, and its class probabilities of 100 rows.

    Raises:
        RuntimeError: it did not start, or did not answer each request with 200.
    """
    layout = server.layouts[0]
    one, hundred = (models.bodies[layout, rows] for rows in (1, 100))
    with running(server, one, folder / "server.log") as live:
        for _ in range(FEWEST_MANY_ROWS):
            live.ask(one, one.files[-1])
        sample = {"start": live.start, "memory": live.memory()}
        answers = probabilities(live.ask(hundred, hundred.files[0]), models.classes) if server.family else []
        single = _slice(live, layout, 1, 1, models, seconds)
        sample["p50"] = single.p50
        tried = []
        load.drive(live.url, one, CONNECTIONS, WARM_UP)
        for _ in range(server.tries):
            live.settle()
            driven = _slice(live, layout, 1, CONNECTIONS, models, seconds)
            tried.append((driven.rate, driven.cpu / driven.requests, driven.p99 / driven.p50))
        sample |= dict(zip(("rate", "cpu", "tail"), max(tried), strict=True))
        if not server.family:
            return sample, answers
        sample["hundred"] = 100 * _slice(live, layout, 100, CONNECTIONS, models, seconds).settled_rate
        for key, form in (("json", layout), ("parquet", "parquet")):
            if server.many_rows and form in server.layouts:
                sample[key] = MANY * _slice(live, form, MANY, TWO, models, seconds).settled_rate
    return sample, answers


def _slice(live: Running, layout: str, rows: int, connections: int, models: Models, seconds: float) -> Load:
    """Drive one kind of request, each of whose bodies was answered with 200 before; the second takes show the pace."""
    body = models.bodies[layout, rows]
    live.settle()
    for file in body.files[:2]:
        clock = time.perf_counter()
        live.ask(body, file)
        pace = time.perf_counter() - clock
    fewest = FEWEST_MANY_ROWS if rows == MANY else FEWEST_ONE_ROW
    before = live.cpu()
    driven = load.drive(live.url, body, connections, min(max(seconds, pace * fewest), LONGEST_SLICE))
    return replace(driven, cpu=live.cpu() - before)


def probabilities(answer: bytes, classes: tuple[str, ...]) -> list[list[float]]:
    """Class probabilities of each row, whether a server names them or gives them in their order.

    Raises:
        RuntimeError: a label is not that of the highest probability.
    """
    content = json.loads(answer)
    rows = content["predictions"] if isinstance(content, dict) else content
    if not isinstance(rows[0], dict):
        return [list(map(float, row)) for row in rows]
    found = [[float(row[f"probability_{name}"]) for name in classes] for row in rows]
    for row, values in zip(rows, found, strict=True):
        if row["label"] != classes[values.index(max(values))]:
            raise RuntimeError(f"the label of {row} is not that of its highest probability")
    return found
