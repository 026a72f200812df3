"""What a person reads after a run: metrics, versions, Production and why, and what to type next."""

from collections.abc import Iterable

from mlflow.entities.model_registry import ModelVersion
from rich.console import Console
from rich.table import Table

from registry.register import BETTER, REASON_TAG, VERDICT_TAG, Entry
from training.metrics import METRICS

WIDTH = 100


def _console() -> Console:
    console = Console(highlight=False, soft_wrap=False)
    return console if console.is_terminal else Console(highlight=False, width=WIDTH)


def after_register(task: str, entries: list[Entry], production: ModelVersion | None) -> None:
    """Print the models' test metrics, what was registered, what is in Production and why, and next commands."""
    console = _console()
    table = Table(title=f"{task}: test metrics with 95 % bootstrap intervals", title_justify="left")
    table.add_column("")
    for entry in entries:
        table.add_column(entry.candidate.model)
    for metric in METRICS:
        table.add_row(metric.replace("_", " "), *(str(entry.candidate.test[metric]) for entry in entries))
    table.add_section()
    table.add_row("fitted in", *(f"{entry.candidate.fit_seconds:.1f} s" for entry in entries))
    table.add_row("one row scored in", *(f"{entry.candidate.latency_ms:.3f} ms" for entry in entries))
    table.add_row("version", *(str(entry.version.version) for entry in entries))
    table.add_row("stage", *(_stage(entry.version) for entry in entries))
    console.print(table)
    new = ", ".join(f"version {e.version.version} ({e.candidate.model})" for e in entries if e.new)
    console.print(f"\nRegistered: {new or 'nothing new'}")
    for entry in entries:
        if entry.new and entry.version.tags[VERDICT_TAG] != BETTER:
            console.print(f"  version {entry.version.version} is not better: {entry.version.tags[REASON_TAG]}")
    console.print(f"Production: {_production(production)}")
    console.print(
        "\nNext:\n"
        f"  {'make serve TASK=' + task:<35} answer over HTTP with the version in Production\n"
        f"  {'make ui':<35} compare the runs in MLflow\n"
        f"  {'python -m registry list ' + task:<35} all versions and their verdicts"
    )


def _production(version: ModelVersion | None) -> str:
    if version is None:
        return "none; `python -m registry list` shows the verdicts, `promote` puts a version there"
    tags = version.tags
    why = tags.get(REASON_TAG, "no reason is noted") if tags.get(VERDICT_TAG) == BETTER else "put there by hand"
    return f"version {version.version} ({tags.get('model', '?')}): {why}"


def versions(task: str, found: Iterable[ModelVersion]) -> None:
    """Print a task's versions, oldest first."""
    table = Table(title=f"{task}: versions", title_justify="left")
    for name in ("version", "model", "family", "stage", "test AUC", "verdict"):
        table.add_column(name)
    for version in found:
        tags = version.tags
        table.add_row(
            str(version.version),
            tags.get("model", ""),
            tags.get("family", ""),
            _stage(version),
            tags.get("test.auc", ""),
            tags.get(REASON_TAG, tags.get(VERDICT_TAG, "none")),
        )
    _console().print(table)


def _stage(version: ModelVersion) -> str:
    return "" if version.current_stage == "None" else str(version.current_stage)
