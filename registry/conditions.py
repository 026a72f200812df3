"""What a challenger must show, declared under `gate:` in `params.yaml`."""

from typing import Any, Literal

from pydantic import Field

from data import params
from data.errors import InputError
from data.params import Strict, parse
from training.metrics import DEFAULT

Metric = Literal["auc", "average_precision", "accuracy", "f1", "log_loss", "brier", "mean_cost"]


class Conditions(Strict):
    """The gate's metric, and how far the challenger's paired interval must lie above the champion."""

    metric: Metric = DEFAULT
    margin: float = Field(0.0, ge=0)
    confidence: float = Field(0.95, gt=0.5, lt=1)
    resamples: int = Field(1000, ge=100, le=100_000)
    promotion: Literal["auto", "propose", "off"] = "auto"


def declared(content: dict[str, Any]) -> Conditions:
    """The declared conditions, or the defaults.

    Raises:
        InputError: a key is unknown or has a wrong value.
    """
    return parse(Conditions, content.get("gate") or {}, "gate")


def of_task(content: dict[str, Any], task: str) -> Conditions:
    """The declared conditions, checked against what the task declares.

    Raises:
        InputError: the metric is the mean cost and the task declares no costs.
    """
    conditions, decision = declared(content), params.task(content, task).decision
    if conditions.metric == "mean_cost" and (decision is None or decision.costs is None):
        raise InputError(
            f"{params.PARAMS}: gate.metric: mean_cost needs costs, and tasks.{task} declares none; "
            f"declare tasks.{task}.decision: {{aim: cost, costs: …}} or choose another metric"
        )
    return conditions
