"""What `show` and `history` print: versions with their figures, origin and verdict, and the moves of the stages."""

import json
import tempfile
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from rich.markup import escape

from data.errors import InputError
from registry import report, versions
from registry.history import Move, State
from registry.verdicts import REASON_TAG, VERDICT_TAG
from training.candidate import Candidate
from training.metrics import PER_CLASS, Interval

SHORT = 8  # digits of a hash


@dataclass(frozen=True)
class Row:
    """One version; bytes, and milliseconds for a single row."""

    version: int
    model: str
    family: str
    stage: str
    metric: str
    test: Interval | None
    data_digest: str
    git_commit: str
    git_dirty: bool
    graph_digest: str
    graph_bytes: int | None
    latency_ms: float | None
    verdict: str
    reason: str
    reproducible: str
    reproduced: str
    problem: str | None
    """Why it must not be used; None where its graph is the registered one."""
    candidate: Candidate | None


def row(client: MlflowClient, state: State, version: ModelVersion, metric: str) -> Row:
    """A version's row; its graph is fetched and checked."""
    tags, problem, size, found = version.tags, None, None, None
    with tempfile.TemporaryDirectory() as folder:
        try:
            size = versions.graph(version, Path(folder)).stat().st_size
            found = versions.candidate(client, version)
        except (InputError, MlflowException, OSError, TypeError, KeyError, ValueError) as error:
            problem = " ".join(str(error).split())
    return Row(
        version=int(version.version),
        model=tags.get("model", ""),
        family=tags.get("family", ""),
        stage=state.stage(str(version.version)),
        metric=metric,
        test=found.test.get(metric) if found else None,
        data_digest=tags.get("data.digest", ""),
        git_commit=tags.get("git.commit", ""),
        git_dirty=tags.get("git.dirty") == "True",
        graph_digest=tags.get(versions.DIGEST, ""),
        graph_bytes=size,
        latency_ms=found.latency_ms if found else None,
        verdict=tags.get(VERDICT_TAG, ""),
        reason=tags.get(REASON_TAG, ""),
        reproducible=tags.get("reproducible", ""),
        reproduced=tags.get("reproduced", ""),
        problem=problem,
        candidate=found,
    )


def print_json(rows: Iterable[Row | Move]) -> None:
    """Versions or moves as a JSON list."""
    print(json.dumps([_plain(one) for one in rows], indent=1, ensure_ascii=False))


def _plain(one: Row | Move) -> dict[str, Any]:
    content = asdict(one)
    candidate = content.pop("candidate", None)
    parts = ("test", "validation", "per_class", "folds")
    return content | ({"metrics": {part: candidate[part] for part in parts}} if candidate else {})


def table(task: str, rows: list[Row]) -> None:
    """A line of figures for each version, then its verdict."""
    console = report.console()
    console.print(f"{task}: {len(rows)} versions, {rows[0].metric} on test rows with its interval\n", markup=False)
    shown = report.table()
    for name in ("version", "family", "stage", rows[0].metric, "data", "commit", "graph", "KiB", "row ms"):
        shown.add_column(name, overflow="fold", no_wrap=name != "family")
    for one in rows:
        shown.add_row(
            str(one.version),
            escape(one.family),
            one.stage,
            report.short(one.test) if one.test else "",
            one.data_digest[:SHORT],
            one.git_commit[:SHORT] + ("+" if one.git_dirty else ""),
            one.graph_digest[:SHORT],
            f"{one.graph_bytes / 1024:,.0f}" if one.graph_bytes else "?",
            f"{one.latency_ms:.3f}" if one.latency_ms else "?",
        )
    console.print(shown)
    if any(one.git_dirty for one in rows):
        console.print("+ the work tree differed from that commit; the difference is kept on the run", markup=False)
    console.print()
    for one in rows:
        said = f"{one.verdict}: {one.reason}" if one.verdict else "no verdict"
        console.print(f"version {one.version} ({one.model}): {one.problem or said}", markup=False)
        if one.reproducible.startswith("no"):
            console.print(f"  reproducible: {one.reproducible}", markup=False)
        if one.reproduced:
            console.print(f"  reproduced: {one.reproduced}", markup=False)


def one(shown: Row, version: ModelVersion) -> None:
    """Every metric of a version, of each class too."""
    console = report.console()
    stage = f" in {shown.stage}" if shown.stage else ""
    console.print(f"{version.name}: version {shown.version}{stage}: {shown.model} ({shown.family})", markup=False)
    if shown.verdict:
        console.print(f"verdict: {shown.verdict}: {shown.reason}", markup=False)
    if shown.candidate is None:
        return
    candidate = shown.candidate
    console.print(f"label: {candidate.label_rule}", markup=False)
    console.print("\ntest rows, with 95 % bootstrap intervals\n")
    metrics = report.table()
    for name in ("metric", "test", "validation", *(["over folds"] if candidate.folds else [])):
        metrics.add_column(name)
    for name, interval in candidate.test.items():
        folds = [str(candidate.folds[name])] if candidate.folds else []
        metrics.add_row(name.replace("_", " "), escape(str(interval)), escape(str(candidate.validation[name])), *folds)
    console.print(metrics)
    console.print("\neach class against the rest\n")
    per_class = report.table()
    for name in ("class", *PER_CLASS, "rows"):
        per_class.add_column(name, overflow="fold")
    for name, figures in candidate.per_class.items():
        cells = (report.short(getattr(figures, part)) for part in PER_CLASS)
        per_class.add_row(escape(name), *cells, f"{figures.support:,}")
    console.print(per_class)
    for line in report.notes([candidate]):
        console.print(line, markup=False)


def history(task: str, state: State) -> None:
    """Every move, the oldest first, a line for each stage that changed."""
    console = report.console()
    console.print(f"{task}: {len(state.moves)} moves\n", markup=False)
    shown = report.table()
    for name in ("when (UTC)", "stage", "from", "to", "by", "why"):
        shown.add_column(name, overflow="fold", no_wrap=name in ("when (UTC)", "stage"))
    for move in state.moves:
        when = move.when[:19].replace("T", " ")
        said = f"{move.kind}: {move.why}" + (f" (verdict: {move.verdict})" if move.verdict else "")
        for place, (stage, (old, new)) in enumerate(move.changes.items()):
            again = place > 0
            cells = ("" if again else when, stage, old or "none", new or "none")
            shown.add_row(*cells, "" if again else escape(move.who), "" if again else escape(said))
    console.print(shown)
