"""`python -m benchmarks.serving`: this server, MLflow's and a naive one side by side, in interleaved rounds."""

import multiprocessing
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.serving import load, measure, servers
from benchmarks.serving.figures import FIGURES, Round
from benchmarks.serving.servers import GRAPH, MLFLOW, OURS, Server

PLACE = Path(__file__).parents[1]
TOLERANCE = 1e-5
ALIKE = (OURS, MLFLOW, GRAPH)
"""Servers whose answers must be equal; a naive one computes in the precision that its JSON happens to have."""


Answers = tuple[Server, list[list[float]]]


def main(
    rounds: Annotated[int, typer.Option(min=1, help="how often every server is measured")] = 3,
    seconds: Annotated[int, typer.Option(min=1, help="of each slice of load, at least")] = 2,
    only: Annotated[list[str] | None, typer.Option(help="part of a server's name or family; writes no files")] = None,
) -> None:
    """Measure, show a table, and write it and a plot beside the benchmarks."""
    try:
        load.find()
        found = _measure(rounds, seconds, only or [])
    except RuntimeError as error:
        raise SystemExit(f"error: {error}") from None
    from benchmarks.serving import plot, report

    text = report.table(found, seconds)
    print(text)
    if not only:
        (PLACE / "serving.md").write_text(text, encoding="utf-8")
        plot.draw(found, PLACE / "serving.png")


def _measure(rounds: int, seconds: int, only: list[str]) -> list[Round]:
    found: list[Round] = []
    start = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="serving-") as place:
        folder = Path(place).resolve()
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as apart:
            models = apart.submit(servers.prepare, folder).result()
        named = [one for one in servers.of(models) if not only or any(part in str(one) for part in only)]
        if not named:
            names = ", ".join(map(str, servers.of(models)))
            raise RuntimeError(f"--only {' --only '.join(only)} names no server; there are {names}")
        for turn in range(rounds):
            first = turn * len(named) // rounds  # every round begins with another server
            one, answers = Round(), list[Answers]()
            for server in named[first:] + named[:first]:
                sample, rows = measure.measure(server, models, seconds, folder)
                answers.append((server, rows))
                one[server.name, server.family] = sample
                told = ", ".join(
                    f"{figure.key} {figure.show(sample[figure.key])}" for figure in FIGURES if figure.key in sample
                )
                minutes = (time.perf_counter() - start) / 60
                print(f"[{minutes:4.1f} min] round {turn + 1}, {server}: {told}", file=sys.stderr, flush=True)
            _compare(answers)
            found.append(one)
    return found


def _compare(answers: list[Answers]) -> None:
    for family in servers.FAMILIES:
        alike = [(server, rows) for server, rows in answers if server.family == family and server.name in ALIKE]
        for server, rows in alike[1:]:
            first, expected = alike[0]
            pairs = zip(rows, expected, strict=True)
            far = max(abs(ours - theirs) for row, other in pairs for ours, theirs in zip(row, other, strict=True))
            if far > TOLERANCE:
                raise RuntimeError(
                    f"{server} and {first} answer the same rows with probabilities up to {far:.1e} apart; "
                    f"expected {TOLERANCE:g} at most, so that they serve the same model"
                )


if __name__ == "__main__":
    typer.run(main)
