"""The measured table, in Markdown."""

import os
import platform
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

from benchmarks.serving import figures
from benchmarks.serving.figures import BY_KEY, FIGURES, TARGETS, Round, Target, as_ratio, as_share
from benchmarks.serving.servers import ECHO, FAMILIES, GRAPH, MLFLOW, NAIVE, OURS, TWO

PACKAGES = ("mlflow", "uvicorn", "uvloop", "onnxruntime", "scikit-learn", "tensorflow", "flask", "gunicorn")


def table(rounds: list[Round], seconds: float) -> str:
    """What was reached and how the servers compare, over the rounds."""
    return "\n".join(_lines(rounds, seconds)) + "\n"


def _lines(rounds: list[Round], seconds: float) -> Iterator[str]:
    packages = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    yield "# Serving, measured\n"
    yield (
        f"Written by `make bench-serving`: {len(rounds)} rounds, slices of {seconds:g} s or more, on {_machine()}; "
        f"Python {platform.python_version()}, {packages}. Each round starts every server in turn, alone. "
        "A ratio is taken within a round; shown are the median and the range over the rounds.\n"
    )
    for family in FAMILIES:
        yield f"## {family}\n"
        yield "| figure | this server | against | ratio | to reach | reached |"
        yield "| --- | --- | --- | --- | --- | --- |"
        yield from (_row(rounds, target) for target in TARGETS if target.family == family)
        yield ""
        others = [name for name in (MLFLOW, TWO, GRAPH, NAIVE) if _measured(rounds, (name, family))]
        yield f"This server's figure over another's:\n\n| figure | {' | '.join(others)} |"
        yield "| --- |" + " --- |" * len(others)
        for figure in FIGURES:
            found = (figures.ratio(rounds, family, figure.key, name) for name in others)
            yield f"| {figure.title} | {' | '.join(one.show(as_ratio) if one else '' for one in found)} |"
        yield ""
        yield from _absolute(rounds, [(OURS, family), *((name, family) for name in others), (ECHO, "")])


def _row(rounds: list[Round], target: Target) -> str:
    ours = figures.absolute(rounds, (OURS, target.family), target.key)
    found = figures.result(rounds, target)
    figure = BY_KEY[target.key]
    show = figure.show if target.against is None else as_share if target.against == ECHO else as_ratio
    reached = "" if found is None else "yes" if target.reached(found.median) else "**no**"
    cells = (
        figure.title,
        figure.show(ours.median) if ours else "",
        target.against or "",
        found.show(show) if found and target.against else "",
        target.shown,
        reached,
    )
    return f"| {' | '.join(cells)} |"


def _absolute(rounds: list[Round], servers: list[tuple[str, str]]) -> Iterator[str]:
    servers = [server for server in servers if _measured(rounds, server)]
    yield f"Medians:\n\n| figure | {' | '.join(name for name, _ in servers)} |"
    yield "| --- |" + " --- |" * len(servers)
    for figure in FIGURES:
        found = (figures.absolute(rounds, server, figure.key) for server in servers)
        yield f"| {figure.title} | {' | '.join(figure.show(one.median) if one else '' for one in found)} |"
    yield ""


def _measured(rounds: list[Round], server: tuple[str, str]) -> bool:
    return any(server in one for one in rounds)


def _machine() -> str:
    try:
        told = Path("/proc/cpuinfo").read_text(encoding="utf-8")
        model = next(line.partition(":")[2].strip() for line in told.splitlines() if line.startswith("model name"))
    except (OSError, StopIteration):
        model = platform.processor() or platform.machine()
    return f"{os.cpu_count()} cores ({model}) that server and load generator share"
