"""`python -m registry register TASK`, `list TASK`, `promote TASK VERSION`."""

from enum import StrEnum
from typing import Annotated

import typer

from data import errors, params

app = typer.Typer(help=__doc__, no_args_is_help=True, pretty_exceptions_enable=False)


class Stage(StrEnum):
    """Where `promote` can put a version."""

    production = "Production"
    staging = "Staging"


@app.command()
def check() -> None:
    """Check the gate that `params.yaml` declares."""
    from registry import conditions

    conditions.declared(params.load())


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

    found = versions.of_task(MlflowClient(), task)
    if not found:
        raise errors.InputError(f"no version of {task!r} is registered; run `dvc repro register@{task}`")
    report.versions(task, found)


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
    stages.put(client, task, version, to.value)
    print(f"{task}: version {version} is in {to.value}")


if __name__ == "__main__":
    errors.run(app)
