"""What a challenger must show, declared under `gate:` in `params.yaml`, with what a task declares otherwise."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from data import params
from data.contract import Contract
from data.errors import InputError
from data.params import PARAMS, Strict, Task, parse
from training.metrics import DEFAULT, LOWER_IS_BETTER, MEAN_COST

Metric = Literal["auc", "average_precision", "accuracy", "f1", "log_loss", "brier", "mean_cost"]
Promotion = Literal["auto", "propose", "off"]
Bound = Literal["lowest", "highest"]
Figure = Annotated[float, Field(allow_inf_nan=False)] | None
Positive = Annotated[float, Field(gt=0)] | None

SLICED: tuple[params.Kind, ...] = ("category", "boolean", "number", "time")


class Slices(Strict):
    """The worst that the metric may be on the rows of any one value of some columns."""

    columns: Annotated[tuple[str, ...], Field(min_length=1)]
    lowest: Figure = None
    highest: Figure = None
    least_rows: int = Field(200, ge=2)


class Guardrails(Strict):
    """What no challenger may break, however much better it is; null turns one off.

    `lowest` is of a metric where more is better, `highest` of one where less is.
    """

    lowest: Figure = None
    highest: Figure = None
    slices: Slices | None = None
    calibration_error: Positive = None
    latency_ms: Positive = 100.0
    size_mib: Positive = 500.0


class Conditions(Strict):
    """The gate's metric, how far the challenger's paired interval must lie above the champion, and guardrails.

    `promotion` says what follows from the verdict "better": `auto` puts the version into Production, `propose` leaves
    that to a person, and with `off` versions are not judged as they are registered.
    """

    metric: Metric = DEFAULT
    margin: float = Field(0.0, ge=0)
    confidence: float = Field(0.95, gt=0.5, lt=1)
    resamples: int = Field(1000, ge=100, le=100_000)
    promotion: Promotion = "auto"
    guardrails: Guardrails = Guardrails()

    @property
    def bound(self) -> Bound:
        """Which end of the metric is bad: its lowest, or its highest where less is better."""
        return "highest" if self.metric in LOWER_IS_BETTER else "lowest"


class Gate(Conditions):
    """The conditions of every task, and under `tasks` what single ones have otherwise, key by key."""

    tasks: dict[str, dict[str, Any]] = Field(default_factory=dict)

    @field_validator("tasks", mode="before")
    @classmethod
    def _names_may_be_numbers(cls, value: object) -> object:
        return {str(name): own for name, own in value.items()} if isinstance(value, dict) else value


def of_task(content: dict[str, Any], task: str) -> Conditions:
    """The declared conditions of a task, or the defaults, checked against what the tasks declare.

    Raises:
        InputError: a key is unknown or has a wrong value, or does not go with the task.
    """
    declared, of = content.get("gate") or {}, params.task(content, task)
    own = _own(content, task)
    shared = {key: value for key, value in declared.items() if key != "tasks"}
    conditions = parse(Conditions, _over(shared, own), f"gate.tasks.{task}" if own else "gate")
    _check_metric(conditions, own, of, task)
    if of.columns:
        kinds = {name: kind if isinstance(kind, str) else kind.kind for name, kind in of.columns.items()}
        _check_slices(conditions, own, kinds, task)
    return conditions


def check_columns(content: dict[str, Any], contract: Contract) -> None:
    """Check that slices go by columns of a contract, which of inferred columns only the prepared rows tell.

    Raises:
        InputError: a column is none of the contract's, or has no values to go by.
    """
    task = contract.task
    kinds = {column.name: column.kind for column in contract.columns}
    _check_slices(of_task(content, task), _own(content, task), kinds, task)


def _own(content: dict[str, Any], task: str) -> dict[str, Any]:
    tasks = parse(Gate, content.get("gate") or {}, "gate").tasks
    if unknown := sorted(set(tasks) - set(content["tasks"])):
        raise InputError(
            f"{PARAMS}: gate.tasks.{unknown[0]}: no task of this name is declared; "
            f"declared are {', '.join(content['tasks'])}: correct the name or remove it"
        )
    return tasks.get(task, {})


def _over(shared: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(shared)
    for key, value in own.items():
        below = merged.get(key)
        merged[key] = _over(below, value) if isinstance(below, Mapping) and isinstance(value, Mapping) else value
    return merged


def _check_metric(conditions: Conditions, own: Mapping[str, Any], of: Task, task: str) -> None:
    metric = conditions.metric
    if metric == MEAN_COST and (of.decision is None or of.decision.costs is None):
        raise InputError(
            f"{PARAMS}: {_key(own, task, 'metric')}: mean_cost needs costs, and tasks.{task} declares none; "
            f"declare tasks.{task}.decision: {{aim: cost, costs: …}} or choose another metric"
        )
    limits = {("guardrails",): conditions.guardrails, ("guardrails", "slices"): conditions.guardrails.slices}
    wrong: Bound = "lowest" if conditions.bound == "highest" else "highest"
    for path, one in limits.items():
        if one is not None and getattr(one, wrong) is not None:
            raise InputError(
                f"{PARAMS}: {_key(own, task, *path, wrong)}: of {metric} {'less' if wrong == 'lowest' else 'more'} is "
                f"better, so that only its {conditions.bound} value can be limited; declare {conditions.bound} instead "
                f"({wrong}: null under gate.tasks.{task} drops what holds for every task)"
            )
    slices = conditions.guardrails.slices
    if slices is not None and getattr(slices, conditions.bound) is None:
        raise InputError(
            f"{PARAMS}: {_key(own, task, 'guardrails', 'slices')}: the {conditions.bound} {metric} that is allowed on "
            f"a slice is missing; add {conditions.bound}"
        )


def _check_slices(conditions: Conditions, own: Mapping[str, Any], kinds: Mapping[str, str], task: str) -> None:
    for name in conditions.guardrails.slices.columns if conditions.guardrails.slices else ():
        if kinds.get(name) not in SLICED:
            fits = ", ".join(column for column, kind in kinds.items() if kind in SLICED) or "none"
            what = f"is of kind {kinds[name]}" if name in kinds else f"is no column of {task}"
            raise InputError(
                f"{PARAMS}: {_key(own, task, 'guardrails', 'slices', 'columns')}: {name!r} {what}, so that there are "
                f"no slices by it; columns that fit are {fits}"
            )


def _key(own: Any, task: str, *path: str) -> str:
    """Where a key stands: under the task, if it is there, else under what holds for every task."""
    below = own
    for part in path:
        below = below.get(part) if isinstance(below, Mapping) else None
    return ".".join(["gate", *(["tasks", task] if below is not None else []), *path])
