"""What a challenger must show, declared under `gate:` in `params.yaml`."""

from typing import Any, Literal

from pydantic import Field

from data.params import Strict, parse

Metric = Literal["auc", "average_precision", "accuracy", "f1", "log_loss", "brier"]


class Conditions(Strict):
    """The gate's metric, and how far the challenger's paired interval must lie above the champion."""

    metric: Metric = "auc"
    margin: float = Field(0.0, ge=0)
    confidence: float = Field(0.95, gt=0.5, lt=1)
    resamples: int = Field(1000, ge=100, le=100_000)


def declared(content: dict[str, Any]) -> Conditions:
    """The declared conditions, or the defaults.

    Raises:
        InputError: a key is unknown or has a wrong value.
    """
    return parse(Conditions, content.get("gate") or {}, "gate")
