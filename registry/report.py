"""What a person reads after a run: metrics, versions, Production and why, and what to type next."""

from collections.abc import Iterable

from mlflow.entities.model_registry import ModelVersion
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from registry.register import BETTER, REASON_TAG, VERDICT_TAG, Entry
from training.candidate import Candidate
from training.metrics import MEAN_COST, PER_CLASS, Interval

WIDTH = 100
WEIGHTED = "fitted with class weights, so its probabilities are no shares of rows: log loss and calibration suffer"


def _console() -> Console:
    console = Console(highlight=False, soft_wrap=False)
    return console if console.is_terminal else Console(highlight=False, width=WIDTH)


def _table() -> Table:
    return Table(box=box.SIMPLE_HEAD, padding=0, pad_edge=False, show_edge=False)


def after_register(task: str, entries: list[Entry], production: ModelVersion | None) -> None:
    """Print a line of figures for each model, what was registered, what is in Production and why, and what next."""
    console = _console()
    candidates = [entry.candidate for entry in entries]
    console.print(f"{task}: test rows, AUC with its 95 % bootstrap interval\n", markup=False)
    table = _table()
    names = columns(candidates)
    for name in ("model", *names, "version"):
        table.add_column(name, no_wrap=name != "model", overflow="fold")
    for entry in entries:
        stage = _stage(entry.version)
        version = f"{entry.version.version} {stage}".strip()
        table.add_row(escape(entry.candidate.model), *cells(entry.candidate, names), version)
    console.print(table)
    for line in notes(candidates):
        console.print(line, markup=False)
    new = ", ".join(f"version {e.version.version} ({e.candidate.model})" for e in entries if e.new)
    console.print(f"\nRegistered: {new or 'nothing new'}", markup=False)
    for entry in entries:
        if entry.new and entry.version.tags[VERDICT_TAG] != BETTER:
            reason = entry.version.tags[REASON_TAG]
            console.print(f"  version {entry.version.version} is not better: {reason}", markup=False)
    console.print(f"Production: {_production(production)}", markup=False)
    console.print(
        "\nNext:\n"
        f"  {'make serve TASK=' + task:<35} answer over HTTP with the version in Production\n"
        f"  {'make ui':<35} compare the runs in MLflow\n"
        f"  {'python -m registry show ' + task:<35} every metric of the version in Production\n"
        f"  {'python -m registry list ' + task:<35} all versions and their verdicts",
        markup=False,
    )


def columns(candidates: list[Candidate]) -> list[str]:
    """The figures that fit on a line; folds and costs where a task declares them."""
    folds = ["AUC over folds"] if any(one.folds for one in candidates) else []
    costs = ["mean cost"] if any(MEAN_COST in one.test for one in candidates) else []
    return ["AUC", *folds, "accuracy", "F1", *costs, "log loss", "fit s", "row ms"]


def cells(candidate: Candidate, names: list[str]) -> list[str]:
    """A candidate's figures in the order of `names`."""

    def value(metric: str) -> str:
        return f"{candidate.test[metric].value:.4f}" if metric in candidate.test else ""

    figures = {
        "AUC": _short(candidate.test["auc"]),
        "AUC over folds": str(candidate.folds["auc"]) if candidate.folds else "",
        "accuracy": value("accuracy"),
        "F1": value("f1"),
        "mean cost": value(MEAN_COST),
        "log loss": value("log_loss"),
        "fit s": f"{candidate.fit_seconds:.1f}",
        "row ms": f"{candidate.latency_ms:.3f}",
    }
    return [figures[name] for name in names]


def notes(candidates: list[Candidate]) -> list[str]:
    """What the figures of some models need to be understood."""
    lines = [
        f"{one.model}: the label is {one.label_rule}" for one in candidates if one.decision.get("rule") != "highest"
    ]
    return lines + [f"{one.model}: {WEIGHTED}" for one in candidates if one.params.get("class_weight") is not None]


def _short(interval: Interval) -> str:
    low, high = (f"{end:.4f}".removeprefix("0") for end in (interval.low, interval.high))
    return f"{interval.value:.4f} [{low}, {high}]".replace("[", r"\[")


def _production(version: ModelVersion | None) -> str:
    if version is None:
        return "none; `python -m registry list` shows the verdicts, `promote` puts a version there"
    tags = version.tags
    why = tags.get(REASON_TAG, "no reason is noted") if tags.get(VERDICT_TAG) == BETTER else "put there by hand"
    return f"version {version.version} ({tags.get('model', '?')}): {why}"


def versions(task: str, found: Iterable[ModelVersion]) -> None:
    """Print a task's versions, oldest first."""
    table = Table(title=f"{escape(task)}: versions", title_justify="left")
    for name in ("version", "model", "family", "stage", "test AUC", "verdict"):
        table.add_column(name)
    for version in found:
        tags = version.tags
        row = (
            str(version.version),
            tags.get("model", ""),
            tags.get("family", ""),
            _stage(version),
            tags.get("test.auc", ""),
            tags.get(REASON_TAG, tags.get(VERDICT_TAG, "none")),
        )
        table.add_row(*map(escape, row))
    _console().print(table)


def one_version(version: ModelVersion, candidate: Candidate) -> None:
    """Print every metric of a version, of each class too."""
    console = _console()
    stage = f" in {_stage(version)}" if _stage(version) else ""
    console.print(
        f"{version.name}: version {version.version}{stage}: {candidate.model} ({candidate.family})", markup=False
    )
    console.print(f"label: {candidate.label_rule}", markup=False)
    console.print("\ntest rows, with 95 % bootstrap intervals\n")
    table = _table()
    for name in ("metric", "test", "validation", *(["over folds"] if candidate.folds else [])):
        table.add_column(name)
    for name, interval in candidate.test.items():
        folds = [str(candidate.folds[name])] if candidate.folds else []
        table.add_row(name.replace("_", " "), escape(str(interval)), escape(str(candidate.validation[name])), *folds)
    console.print(table)
    console.print("\neach class against the rest\n")
    per_class = _table()
    for name in ("class", *PER_CLASS, "rows"):
        per_class.add_column(name, overflow="fold")
    for name, one in candidate.per_class.items():
        per_class.add_row(escape(name), *(_short(getattr(one, part)) for part in PER_CLASS), f"{one.support:,}")
    console.print(per_class)
    for line in notes([candidate]):
        console.print(line, markup=False)


def _stage(version: ModelVersion) -> str:
    return "" if version.current_stage == "None" else str(version.current_stage)


def markdown(rows: list[tuple[Candidate, str]]) -> str:
    """A table in Markdown of candidates, best AUC of each task first, with the stage of each."""
    names = columns([candidate for candidate, _ in rows])
    head = ["task", "model", *names, "stage"]
    lines = ["| " + " | ".join(head) + " |", "| " + " | ".join("---" for _ in head) + " |"]
    for candidate, stage in rows:
        figures = [cell.replace("\\[", "[") for cell in cells(candidate, names)]
        lines.append("| " + " | ".join([candidate.task, f"`{candidate.model}`", *figures, stage]) + " |")
    return "\n".join(lines)
