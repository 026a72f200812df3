"""`python -m training check | train | share`."""

import os
import time
from typing import TYPE_CHECKING, Annotated

import typer

from data import errors, params, source

if TYPE_CHECKING:
    from training.candidate import Candidate

app = typer.Typer(help=__doc__, no_args_is_help=True, pretty_exceptions_enable=False)


@app.command()
def check(task: Annotated[str | None, typer.Argument(help="must be one of the declared tasks")] = None) -> None:
    """Check the tasks and models that `params.yaml` declares, or those of TASK."""
    from training import models
    from training.search import ranges

    content = params.load()
    if task is not None and task not in content["tasks"]:
        declared = ", ".join(content["tasks"])
        raise errors.InputError(
            f"{params.PARAMS}: no task {task!r} under tasks; declared are {declared}: make repro TASK=…"
        )
    ranges.check(content)
    for one in [task] if task else content["tasks"]:
        source.files(params.task(content, one).source, f"tasks.{one}.source")
        if not models.of_task(content, one):
            raise errors.InputError(f"{params.PARAMS}: tasks.{one} has no model; declare one under models")
    for name in content.get("search") or {}:
        ranges.declared(content, models.declared(content, name))


@app.command()
def train(
    models: list[str],
    record: Annotated[bool, typer.Option(help="whether MLflow gets a run of it")] = True,
) -> None:
    """Fit MODELS as `params.yaml` declares them, write a candidate and record an MLflow run of each."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from training.models import declared

    if record and len(models) > 1:
        raise errors.InputError(
            "a run tells the memory of one training, so that models are trained one at a time; "
            f"give one of {', '.join(models)}, or --no-record"
        )
    content = params.load()
    chosen = [declared(content, name) for name in models]

    from training.parity import ParityError
    from training.train import train as run

    for model in chosen:
        try:
            candidate = run(model, content["models"][model.name], content["seed"])
        except ParityError as error:
            raise errors.InputError(f"{model.name}: {error}") from None
        print(f"{model.name}: test AUC {candidate.test['auc']}, fitted in {candidate.fit_seconds:.0f} s", flush=True)
        if record:
            _record(candidate)


def _record(candidate: "Candidate") -> None:
    from mlflow.exceptions import MlflowException

    from training import tracking

    try:
        tracking.record(candidate)
    except MlflowException as error:
        said = tracking.reason(error)
        print(
            f"{candidate.model}: the candidate is written, but MLflow did not take its run ({said}); "
            "register will try again"
        )


@app.command()
def share(since: float) -> None:
    """Say what share of the seconds since SINCE (an epoch time) went into fitting."""
    from training import candidate, models

    content = params.load()
    declared = [models.declared(content, name) for name in content["models"]]
    found = [candidate.read(model.task, model.name) for model in declared]
    fitting = sum(one.fit_seconds for one in found if one and one.started >= since)
    total = time.time() - since
    print(f"{total:.0f} s, of which {fitting:.0f} s ({fitting / total:.0%}) were fitting")


if __name__ == "__main__":
    errors.run(app)
