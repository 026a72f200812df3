"""`python -m training train MODEL`."""

import os
import time
from typing import Annotated

import typer

from data import errors, params, source

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
def train(model: str) -> None:
    """Fit MODEL as `params.yaml` declares it, write its candidate and record its MLflow run."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from training import models

    content = params.load()
    declared = models.declared(content, model)

    from training.parity import ParityError
    from training.train import train as run

    try:
        candidate = run(declared, content["models"][model], content["seed"])
    except ParityError as error:
        raise errors.InputError(f"{model}: {error}") from None
    print(f"{model}: test AUC {candidate.test['auc']}, fitted in {candidate.fit_seconds:.0f} s")

    from mlflow.exceptions import MlflowException

    from training.tracking import reason, record

    try:
        record(candidate)
    except MlflowException as error:
        said = reason(error)
        print(f"{model}: the candidate is written, but MLflow did not take its run ({said}); register will try again")


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
