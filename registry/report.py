"""What a person reads after a run: metrics, versions, Production and why, and what to type next."""

from collections.abc import Iterable

from mlflow.entities.model_registry import ModelVersion
from rich.console import Console
from rich.table import Table

from registry import stages
from registry.register import REASON_TAG, VERDICT_TAG, Entry
from training.metrics import METRICS

WIDTH = 100


def _console() -> Console:
    console = Console(highlight=False, soft_wrap=False)
    return console if console.is_terminal else Console(highlight=False, width=WIDTH)


def after_register(task: str, entries: list[Entry]) -> None:
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
    table.add_row("version", *(f"{entry.version.version}{' (new)' if entry.new else ''}" for entry in entries))
    table.add_row("stage", *(_stage(entry.version) for entry in entries))
    console.print(table)
    for entry in sorted(entries, key=lambda entry: int(entry.version.version)):
        tags = entry.version.tags
        console.print(f"version {entry.version.version} ({entry.candidate.model}): {tags[VERDICT_TAG]}, {tags[REASON_TAG]}")
    _production(console, task, entries)
    console.print(
        "\nNext:\n"
        f"  make serve TASK={task}          answer over HTTP with the version in Production\n"
        "  make ui                         compare the runs in MLflow\n"
        f"  python -m registry list {task}  all versions and their verdicts"
    )


def _production(console: Console, task: str, entries: list[Entry]) -> None:
    held = [entry for entry in entries if entry.version.current_stage == stages.PRODUCTION]
    if held:
        console.print(f"Production: version {held[0].version.version} ({held[0].candidate.model})")
    else:
        console.print("Production: none of these; see the verdicts above")


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
