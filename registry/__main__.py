"""`python -m registry register | show | history | promote | rollback | reproduce | find | table | check`."""

import json
import signal
import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from data import errors, params

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

    from registry.history import State

app = typer.Typer(help=__doc__, no_args_is_help=True, pretty_exceptions_enable=False)

STORES = ("mlflow", "sqlalchemy", "requests", "urllib3", "psycopg2")
Json = Annotated[bool, typer.Option("--json", help="print JSON for programs")]
Why = Annotated[str, typer.Option(help="the reason, which the history keeps")]


class Stage(StrEnum):
    """Where `promote` can put a version."""

    production = "Production"
    staging = "Staging"


@app.command()
def check() -> None:
    """Check the gate and the proof that `params.yaml` declares.

    Example: python -m registry check
    """
    from registry import certificate, conditions

    content = params.load()
    certificate.declared(content)
    for task in content["tasks"]:
        conditions.of_task(content, task)


@app.command()
def register(task: str) -> None:
    """Register the declared candidates of TASK, judge the new versions and move the stages.

    Example: python -m registry register flights
    """
    content = params.load()
    params.task(content, task)

    from registry import moves, report
    from registry.conditions import of_task
    from registry.register import register as run
    from training.tracking import MlflowClient

    entries = run(content, task)
    report.after_register(task, entries, moves.settle(MlflowClient(), task), of_task(content, task))


@app.command()
def show(
    task: str,
    reference: Annotated[str, typer.Argument(help="a stage or a version's number; without it, all versions")] = "",
    as_json: Json = False,
) -> None:
    """Show all versions of TASK with their figures, origin and verdict, or every metric of one of them.

    A version whose graph is not the registered one is named, and the exit status is 1.

    Example: python -m registry show flights

    Example: python -m registry show flights Production --json
    """
    from registry import listing

    client, state, known = _task(task)
    chosen = [_version(task, state, known, reference)] if reference else known
    rows = [listing.row(client, state, version, _metric(task)) for version in chosen]
    if as_json:
        listing.print_json(rows)
    elif reference:
        listing.one(rows[0], chosen[0])
    else:
        listing.table(task, rows)
    if altered := [row for row in rows if row.problem]:
        raise errors.InputError("; ".join(str(row.problem) for row in altered))


@app.command()
def history(task: str, as_json: Json = False) -> None:
    """List every move of every stage of TASK since the beginning, the oldest first.

    Example: python -m registry history flights
    """
    from registry import listing

    _, state, _ = _task(task)
    listing.print_json(state.moves) if as_json else listing.history(task, state)


@app.command()
def promote(
    task: str, version: str, to: Annotated[Stage, typer.Option(help="the stage to put VERSION into")], why: Why
) -> None:
    """Put VERSION of TASK into a stage by hand, whatever the gate said; the history notes it as a person's decision.

    Example: python -m registry promote flights 7 --to Production --why "fewer false alarms at the gate"
    """
    from registry import by_hand

    client, state, known = _task(task)
    chosen = _version(task, state, known, version)
    after = by_hand.promote(client, chosen, to.value, why)
    print(f"{task}: version {chosen.version} is in {to.value}" + (" already" if after is state else ""))


@app.command()
def rollback(task: str, why: Why) -> None:
    """Put the version that was in Production of TASK before back there; again, and it is the one before that.

    Example: python -m registry rollback flights --why "complaints from Newark since noon"
    """
    from registry import by_hand

    client, state, known = _task(task)
    number = by_hand.rollback(client, task, known, why)
    print(f"{task}: version {number} is in Production again, in place of version {state.production}")


@app.command()
def find(task: str, reference: str) -> None:
    """Say which version REFERENCE (a stage or a version's number) of TASK is; fail if there is none.

    Example: python -m registry find flights Production
    """
    _, state, known = _task(task)
    version = _version(task, state, known, reference)
    print(f"{task}: {reference} is version {version.version} ({version.tags.get('model', '?')})")


@app.command()
def reproduce(
    task: str,
    references: Annotated[list[str] | None, typer.Argument(help="versions' numbers, or stages")] = None,
    every: Annotated[bool, typer.Option("--all", help="every version of TASK")] = False,
    as_json: Json = False,
) -> None:
    """Train versions of TASK again from their commit, difference and rows, and certify how far they agree.

    The exit status is 0 only if the rows are the same and the predictions are, up to `reproduce.tolerance`.

    Example: python -m registry reproduce flights 7
    """
    from registry import certificate
    from registry.reproduce import reproduce as run

    terms = certificate.declared(params.load())
    client, state, known = _task(task)
    asked = known if every else [_version(task, state, known, one) for one in references or []]
    if not asked:
        raise errors.InputError(f"no version was named; give numbers, such as {task} 7, or --all")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that what was restored is removed
    done = []
    for one in run(client, asked, terms):
        done.append(one)
        if isinstance(one, certificate.Refusal):
            print(f"error: {one.words}", file=sys.stderr, flush=True)
        elif not as_json:
            one.print()
    if as_json:
        print(json.dumps([one.record() for one in done], indent=1, ensure_ascii=False))
    if not all(one.agrees for one in done):
        raise SystemExit(1)


@app.command()
def table() -> None:
    """Print a table of all tasks and models in Markdown, from their candidates and stages.

    Example: python -m registry table
    """
    from registry import moves, report, versions
    from training import candidate, models
    from training.tracking import MlflowClient

    content = params.load()
    declared = [models.declared(content, name) for name in content["models"]]
    found = [one for model in declared if (one := candidate.read(model.task, model.name))]
    if not found:
        raise errors.InputError("no declared candidate is there; run `dvc repro` first")
    client = MlflowClient()
    stages: dict[tuple[str, str], str] = {}
    for task in {one.task for one in found}:
        known = versions.of_task(client, task)
        state = moves.settle(client, task) if known else None
        for version in known:
            stages[task, version.tags.get(versions.DIGEST, "")] = state.stage(str(version.version)) if state else ""
    order = {task: place for place, task in enumerate(content["tasks"])}
    found.sort(key=lambda one: (order[one.task], -one.test["auc"].value))
    print(report.markdown([(one, stages.get((one.task, one.digest), "")) for one in found]))


def _task(task: str) -> "tuple[MlflowClient, State, list[ModelVersion]]":
    """The client, where the stages of TASK stand, and its versions, oldest first."""
    from registry import moves, versions
    from training.tracking import MlflowClient

    client = MlflowClient()
    known = versions.of_task(client, task) if params.NAME.fullmatch(task) else []
    if not known:
        declared = ", ".join(params.load()["tasks"])
        raise errors.InputError(f"no version of {task!r} is registered; tasks are {declared}: run `dvc repro`")
    return client, moves.settle(client, task), known


def _version(task: str, state: "State", known: "list[ModelVersion]", reference: str) -> "ModelVersion":
    found = [one for one in known if reference in (str(one.version), state.stage(str(one.version)))]
    if not found:
        held = ", ".join(f"{one.version} {state.stage(str(one.version))}".strip() for one in known)
        raise errors.InputError(f"{task} has no version in {reference!r}; registered versions are {held}")
    return found[-1]


def _metric(task: str) -> str:
    """The metric that the gate of TASK goes by, where `params.yaml` still declares the task."""
    from registry import conditions

    content = params.load()
    return conditions.of_task(content, task).metric if task in content["tasks"] else conditions.DEFAULT


def main() -> None:
    """Run a command line; a store that does not answer is told in one line too."""
    try:
        errors.run(app)
    except Exception as error:
        if type(error).__module__.partition(".")[0] not in STORES:  # slow to import for a question of its type
            raise
        from training.tracking import reason

        print(f"error: MLflow failed: {reason(error)}; see to the server, then run this again", file=sys.stderr)
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()
