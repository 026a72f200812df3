"""`python -m registry register TASK`, `list TASK`, `show TASK`, `promote TASK VERSION`, `table`."""

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

app = typer.Typer(help=__doc__, no_args_is_help=True, pretty_exceptions_enable=False)


class Stage(StrEnum):
    """Where `promote` can put a version."""

    production = "Production"
    staging = "Staging"


@app.command()
def check() -> None:
    """Check the gate that `params.yaml` declares."""
    from registry import conditions

    content = params.load()
    for task in content["tasks"]:
        conditions.of_task(content, task)


@app.command()
def register(task: str) -> None:
    """Register the declared candidates of TASK, judge the new versions and move the stages."""
    content = params.load()
    params.task(content, task)

    from registry import report, stages
    from registry.register import register as run
    from training.tracking import MlflowClient

    entries = run(content, task)
    report.after_register(task, entries, stages.current(MlflowClient(), task, stages.PRODUCTION))


@app.command("list")
def list_versions(task: str) -> None:
    """List the versions of TASK with their stages and verdicts."""
    from registry import report, versions
    from training.tracking import MlflowClient

    found = versions.of_task(MlflowClient(), task) if params.NAME.fullmatch(task) else []
    if not found:
        declared = ", ".join(params.load()["tasks"])
        raise errors.InputError(f"no version of {task!r} is registered; tasks are {declared}: run `dvc repro`")
    report.versions(task, found)


@app.command()
def show(
    task: str, reference: Annotated[str, typer.Argument(help="a stage or a version's number")] = "Production"
) -> None:
    """Show every metric of one version of TASK."""
    from registry import report, versions
    from training.tracking import MlflowClient

    client = MlflowClient()
    version = _version(client, task, reference)
    report.one_version(version, versions.candidate(client, version))


@app.command()
def table() -> None:
    """Print a table of all tasks and models in Markdown, from their candidates and stages."""
    from registry import report, versions
    from training import candidate, models
    from training.tracking import MlflowClient

    content = params.load()
    declared = [models.declared(content, name) for name in content["models"]]
    found = [one for model in declared if (one := candidate.read(model.task, model.name))]
    if not found:
        raise errors.InputError("no declared candidate is there; run `dvc repro` first")
    client = MlflowClient()
    stages = {task: versions.stages_by_digest(client, task) for task in {one.task for one in found}}
    order = {task: place for place, task in enumerate(content["tasks"])}
    found.sort(key=lambda one: (order[one.task], -one.test["auc"].value))
    print(report.markdown([(one, stages[one.task].get(one.digest, "")) for one in found]))


@app.command()
def find(task: str, reference: str) -> None:
    """Say which version REFERENCE (a stage or a version's number) of TASK is; fail if there is none."""
    from training.tracking import MlflowClient

    version = _version(MlflowClient(), task, reference)
    print(f"{task}: {reference} is version {version.version} ({version.tags.get('model', '?')})")


def _version(client: "MlflowClient", task: str, reference: str) -> "ModelVersion":
    from registry import versions

    known = versions.of_task(client, task) if params.NAME.fullmatch(task) else []
    found = [one for one in known if reference in (str(one.version), one.current_stage)]
    if not found:
        held = ", ".join(f"{one.version} ({one.current_stage})" for one in known) or "none"
        raise errors.InputError(f"{task} has no version in {reference!r}; registered versions are {held}")
    return found[-1]


@app.command()
def promote(task: str, version: str, to: Annotated[Stage, typer.Option(help="the stage to put VERSION into")]) -> None:
    """Put VERSION of TASK into a stage by hand, whatever the gate said."""
    from registry import stages, versions
    from training.tracking import MlflowClient

    client = MlflowClient()
    known = [str(one.version) for one in versions.of_task(client, task)]
    if version not in known:
        raise errors.InputError(
            f"{task} has no version {version!r}; registered are {', '.join(known) or 'none'}; "
            f"see python -m registry list {task}"
        )
    champion = stages.current(client, task, stages.PRODUCTION)
    if to is Stage.staging and champion is not None and str(champion.version) == version:
        raise errors.InputError(
            f"{task}: version {version} is in Production, which this would leave empty; "
            f"put another version there first: python -m registry promote {task} VERSION --to Production"
        )
    stages.put(client, task, version, to.value)
    print(f"{task}: version {version} is in {to.value}")


@app.command()
def reproduce(
    task: str,
    references: Annotated[list[str] | None, typer.Argument(help="versions' numbers, or stages")] = None,
    every: Annotated[bool, typer.Option("--all", help="every version of TASK")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="print the certificates for programs")] = False,
) -> None:
    """Train versions of TASK again from their commit, difference and rows, and print how far they agree.

    For example: python -m registry reproduce flights 7
    """
    content = params.load()

    from registry import reproduce as proof
    from registry import versions
    from registry.certificate import Refusal
    from training.tracking import MlflowClient

    terms, client = proof.declared(content), MlflowClient()
    asked = versions.of_task(client, task) if every else [_version(client, task, one) for one in references or []]
    if not asked:
        raise errors.InputError(f"no version was named; give numbers, such as {task} 7, or --all")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that what was restored is removed
    done = []
    for one in proof.reproduce(client, asked, terms):
        done.append(one)
        if isinstance(one, Refusal):
            print(f"error: {one.words}", file=sys.stderr, flush=True)
        elif not as_json:
            one.print()
    if as_json:
        print(json.dumps([one.record() for one in done], indent=1, ensure_ascii=False))
    if not all(one.agrees for one in done):
        raise SystemExit(1)


def main() -> None:
    """Run a command line; an MLflow that does not answer is told in one line too."""
    try:
        errors.run(app)
    except Exception as error:
        if type(error).__module__ != "mlflow.exceptions":  # which is slow to import for a question of its type
            raise
        from training.tracking import reason

        print(f"error: MLflow failed: {reason(error)}; see to the server, then run this again", file=sys.stderr)
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()
