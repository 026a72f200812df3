"""`python -m training.search MODEL`: the best parameters on validation rows, over ranges of `params.yaml`."""

import contextlib
import importlib
import math
import os
import sys
import time
from collections import Counter
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from data import errors, params
from data.errors import InputError
from training import folds, quiet
from training.search import declaration
from training.search.study import Outcome, Search, tell, winner

if TYPE_CHECKING:
    import optuna


class Display:
    """A line for each trial, and on a terminal a bar that says what the running one is at."""

    def __init__(self, search: Search, trials: int) -> None:
        """Speak of `trials` trials."""
        self.goal = search.goal
        over = f"mean of {search.model.of.split.folds} folds" if search.model.of.split.folds else "validation"
        self.of = f"{over} {self.goal.metric.replace('_', ' ')}"
        self.console = Console(file=sys.stdout, highlight=False, soft_wrap=True)  # what a fit prints is held back
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        self.progress = Progress(*columns, console=self.console, transient=True)
        self.bar = self.progress.add_task("", total=trials)
        self.unpruned = f"{search.model.family_name} gives no losses while it is fitted, so no trial of it is cut short"

    def tell(self, trial: int, step: int, loss: float) -> None:
        """Show where the running trial is."""
        self.progress.update(self.bar, description=f"trial {trial}, step {step % folds.STEPS}: loss {loss:.4f}")

    def ended(self, number: int, outcome: Outcome, values: dict[str, Any]) -> None:
        """Print what a trial came to."""
        said = f"{self.of} {outcome.metrics[self.goal.metric]:.4f}" if outcome.state == "complete" else outcome.state
        said += f" {outcome.reason}" if outcome.reason else ""
        shown = ", ".join(f"{name} {value}" for name, value in values.items())
        self.console.print(f"trial {number}: {said} ({time.time() - outcome.started:.0f} s) {shown}", markup=False)
        if outcome.state == "complete" and not outcome.curve and self.unpruned:
            self.console.print(self.unpruned, markup=False)
            self.unpruned = ""
        self.progress.advance(self.bar)


def run(search: Search, study: "optuna.Study", trials: int, timeout: float | None) -> str:
    """Try parameters until `trials` are done, the `timeout` in seconds is over, or a person has had enough.

    Returns:
        "complete", or "stopped" where a person ended it.
    """
    from mlflow.exceptions import MlflowException

    from training.search.trials import Trials
    from training.tracking import reason

    with quiet.stderr():
        for library in search.model.family.LIBRARIES:
            importlib.import_module(library)
    spans = {name: one.model_dump() for name, one in search.ranges.items()}
    try:
        runs = Trials(search.model, {"metric": search.goal.metric, "trials": trials, "timeout": timeout, **spans})
    except MlflowException as error:
        raise InputError(f"MLflow does not take the search's run ({reason(error)}); see to it first") from None
    deadline = time.monotonic() + timeout if timeout else math.inf
    display, state = Display(search, trials), "complete"
    with display.progress:
        try:
            for _ in range(trials):
                if time.monotonic() > deadline:
                    break
                trial = study.ask()
                outcome = search.attempt(trial, deadline, display.tell)
                tell(study, trial, outcome, search.goal)
                display.ended(trial.number, outcome, trial.user_attrs["params"])
                try:
                    runs.record(trial.number, outcome)
                except MlflowException as error:
                    display.console.print(f"MLflow did not take this trial's run ({reason(error)})", markup=False)
                if outcome.state == "stopped":
                    state = "complete" if time.monotonic() > deadline else "stopped"
                    break
        except KeyboardInterrupt:
            state = "stopped"
    best = winner(study)
    with contextlib.suppress(MlflowException):  # the journal has it all
        if best is None or best.value is None:
            runs.end({}, {}, state)
        else:
            runs.end(best.user_attrs["params"], {search.goal.metric: best.value}, state)
    return state


app = typer.Typer(help=__doc__, pretty_exceptions_enable=False)


@app.command()
def main(
    model: str,
    trials: Annotated[int, typer.Option(min=0, help="how many trials to add")] = 20,
    timeout: Annotated[float | None, typer.Option(min=0, help="seconds after which no trial begins or goes on")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="of the draws; by default the seed of params.yaml")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="go on from the trials of the search before")] = False,
    write: Annotated[bool, typer.Option("--write", help="write the winner into params.yaml")] = False,
) -> None:
    """Try parameters of MODEL over its ranges under `search:` in `params.yaml`; the test rows are never read."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    content = params.load()
    search = Search(content, model)
    study = search.study(content["seed"] if seed is None else seed, resume)
    state = run(search, study, trials, timeout)
    best = winner(study)
    if best is None:
        raise InputError(f"no trial of {model} was completed; look at the reasons above, or widen the ranges")
    _show(search, study, best, content["models"][model].get("params") or {})
    if write and state == "complete":
        declaration.write(model, best.user_attrs["params"])
        print(f"\nwritten into {params.PARAMS}; next: dvc repro train@{model}")
    if state != "complete":
        print(f"\nstopped; go on with: python -m training.search {model} --resume")
        raise typer.Exit(130)


def _show(search: Search, study: "optuna.Study", best: "optuna.trial.FrozenTrial", written: dict[str, Any]) -> None:
    metric, first = search.goal.metric, study.trials[0]
    declared = search.model.params.model_dump()
    before = (
        f"; as declared {first.value:.4f}"
        if first.value and first.user_attrs.get("params") == {name: declared[name] for name in search.ranges}
        else ""
    )
    counts = Counter(trial.state.name.lower() for trial in study.trials)
    print(f"{search.model.name}: {', '.join(f'{count} {state}' for state, count in counts.items())}")
    print(f"best is trial {best.number}: {metric} {best.value:.4f} on the rows it was chosen by{before}\n")
    print(declaration.lines(search.model.name, {**written, **best.user_attrs["params"]}))


if __name__ == "__main__":
    errors.run(app)
