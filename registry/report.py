"""What a person reads after a run: metrics, versions, Production and why, and what to type next."""

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from registry.conditions import Conditions
from registry.history import State
from registry.stages import PRODUCTION
from registry.verdicts import BETTER, REASON_TAG, VERDICT_TAG, Entry, proposed_why
from training.candidate import Candidate
from training.metrics import MEAN_COST, Interval

WIDTH = 100
WEIGHTED = "fitted with class weights, so its probabilities are no shares of rows: log loss and calibration suffer"


def console() -> Console:
    """The terminal, or a hundred columns where there is none."""
    found = Console(highlight=False, soft_wrap=False)
    return found if found.is_terminal else Console(highlight=False, width=WIDTH)


def table() -> Table:
    """A table without frames."""
    return Table(box=box.SIMPLE_HEAD, padding=0, pad_edge=False, show_edge=False)


def after_register(task: str, entries: list[Entry], state: State, conditions: Conditions) -> None:
    """Print a line of figures for each model, what was registered, what is in Production and why, and what next."""
    out = console()
    candidates = [entry.candidate for entry in entries]
    out.print(f"{task}: test rows, AUC with its 95 % bootstrap interval\n", markup=False)
    shown = table()
    names = columns(candidates)
    for name in ("model", *names, "version"):
        shown.add_column(name, no_wrap=name != "model", overflow="fold")
    for entry in entries:
        version = f"{entry.number} {state.stage(entry.number)}".strip()
        shown.add_row(escape(entry.candidate.model), *cells(entry.candidate, names), version)
    out.print(shown)
    for line in notes(candidates):
        out.print(line, markup=False)
    new = ", ".join(f"version {entry.number} ({entry.candidate.model})" for entry in entries if entry.new)
    out.print(f"\nRegistered: {new or 'nothing new'}", markup=False)
    for entry in entries:
        tags = entry.version.tags
        if entry.new and tags.get(VERDICT_TAG) and entry.number != state.production:
            out.print(f"  version {entry.number} is {tags[VERDICT_TAG]}: {tags[REASON_TAG]}", markup=False)
    out.print(f"Production: {_production(task, entries, state, conditions)}", markup=False)
    out.print(
        "\nNext:\n"
        f"  {'make serve TASK=' + task:<41} answer over HTTP with the version in Production\n"
        f"  {'make ui':<41} compare the runs in MLflow\n"
        f"  {'python -m registry show ' + task:<41} all versions, their origin and verdicts\n"
        f"  {f'python -m registry show {task} Production':<41} every metric of the version in Production\n"
        f"  {'python -m registry history ' + task:<41} every move of a stage, who made it and why",
        markup=False,
    )


def _production(task: str, entries: list[Entry], state: State, conditions: Conditions) -> str:
    if conditions.promotion == "off":
        aside = "; nothing was judged, since gate.promotion is off"
    elif proposals := [one.number for one in entries if one.new and proposed_why(one.version, conditions)]:
        better = [one.number for one in entries if one.number in proposals and one.version.tags[VERDICT_TAG] == BETTER]
        aside = f"; proposed is version {', '.join(better)}" if better else ""
    else:
        aside = ""
    number = state.production
    if number is None:
        promote = f'python -m registry promote {task} VERSION --to Production --why "…"'
        return f"none{aside}; a person puts a version there by `{promote}`"
    last = next(move for move in reversed(state.moves) if move.changes.get(PRODUCTION, (None, None))[1] == number)
    return f"version {number}, by {last.who} ({last.kind}): {last.why}{aside}"


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
        "AUC": short(candidate.test["auc"]),
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


def short(interval: Interval) -> str:
    """A figure with its interval, for a narrow column."""
    low, high = (f"{end:.4f}".removeprefix("0") for end in (interval.low, interval.high))
    return f"{interval.value:.4f} [{low}, {high}]".replace("[", r"\[")


def markdown(rows: list[tuple[Candidate, str]]) -> str:
    """A table in Markdown of candidates, best AUC of each task first, with the stage of each."""
    names = columns([candidate for candidate, _ in rows])
    head = ["task", "model", *names, "stage"]
    lines = ["| " + " | ".join(head) + " |", "| " + " | ".join("---" for _ in head) + " |"]
    for candidate, stage in rows:
        figures = [cell.replace("\\[", "[") for cell in cells(candidate, names)]
        lines.append("| " + " | ".join([candidate.task, f"`{candidate.model}`", *figures, stage]) + " |")
    return "\n".join(lines)
