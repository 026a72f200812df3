"""The trials of a search as nested MLflow runs under one parent."""

import json
import time
from typing import TYPE_CHECKING, Any

from mlflow import MlflowClient
from mlflow.entities import Metric, RunTag

from training import tracking
from training.models import Model

if TYPE_CHECKING:
    from training.search.study import Outcome

STATUS = {"complete": "FINISHED", "pruned": "KILLED", "stopped": "KILLED", "failed": "FAILED"}


class Trials:
    """The parent run of a search, which each trial's run is nested under."""

    def __init__(self, model: Model, settings: dict[str, Any]) -> None:
        """Begin the parent run, with what the search was asked to do as its parameters."""
        self.client = MlflowClient()
        self.model = model
        self.experiment = tracking.experiment(self.client, model.task, tracking.purpose(model.task))
        self.source = tracking.source_tags(f"python -m training.search {model.name}")
        self.parent = self._begin(f"search {model.name}", {"search": model.name})
        self.client.log_batch(self.parent, params=tracking.parameters(settings))

    def _begin(self, name: str, tags: dict[str, str]) -> str:
        return str(self.client.create_run(self.experiment, tags=tags | self.source, run_name=name).info.run_id)

    def record(self, number: int, outcome: "Outcome") -> None:
        """Write a trial that has ended."""
        run = self.client.create_run(
            self.experiment,
            start_time=int(outcome.started * 1000),
            tags={"mlflow.parentRunId": self.parent, "model": self.model.name, "trial.state": outcome.state}
            | self.source,
            run_name=f"{self.model.name} trial {number}",
        ).info.run_id
        now = int(time.time() * 1000)
        values = [Metric(f"validation/{name}", value, now, 0) for name, value in outcome.metrics.items()]
        values += [Metric("training/validation_loss", loss, now, step) for step, loss in outcome.curve]
        self.client.log_batch(run, params=tracking.parameters(outcome.params))
        tracking.log_metrics(self.client, run, values)
        self.client.set_terminated(run, STATUS[outcome.state])

    def end(self, best: dict[str, Any], metrics: dict[str, float], state: str) -> None:
        """Note the winner on the parent run and close it."""
        now = int(time.time() * 1000)
        metrics_found = [Metric(f"best/{name}", value, now, 0) for name, value in metrics.items()]
        tags = [RunTag(f"best.{name}", json.dumps(value)) for name, value in best.items()]
        self.client.log_batch(self.parent, metrics=metrics_found, tags=tags)
        self.client.set_terminated(self.parent, STATUS[state])
