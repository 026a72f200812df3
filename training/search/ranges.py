"""What a search may try for each parameter of a model, declared under `search:` in `params.yaml`."""

import json
from typing import Annotated, Any, Protocol, get_args

from pydantic import Field, TypeAdapter, ValidationError

from data import params
from data.errors import InputError
from training.models import Model

DIGITS = 3  # of a number that is tried, so that what is printed is what was tried
EXAMPLE = "{learning_rate: {low: 0.0001, high: 0.01, log: true}, layers: {choices: [[64], [128, 64]]}}"


class Span(params.Strict):
    """Numbers from `low` to `high`, both included; by their logarithm where `log` is true."""

    low: Annotated[float, Field(allow_inf_nan=False)]
    high: Annotated[float, Field(allow_inf_nan=False)]
    log: bool = False


class Choices(params.Strict):
    """Some values, of any kind."""

    choices: Annotated[list[Any], Field(min_length=1)]


Range = Span | Choices


class Trial(Protocol):
    """What a trial of Optuna is asked for."""

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float:
        """A number."""

    def suggest_int(self, name: str, low: int, high: int, *, log: bool = False) -> int:
        """A whole number."""

    def suggest_categorical(self, name: str, choices: Any) -> Any:
        """One of some values."""


def declared(content: dict[str, Any], model: Model) -> dict[str, Range]:
    """The ranges of a model, each of which its family takes.

    Raises:
        InputError: there are none, or a name or a value is wrong.
    """
    key, known = f"search.{model.name}", ", ".join(model.family.Params.model_fields)
    entries = (content.get("search") or {}).get(model.name)
    if not isinstance(entries, dict) or not entries:
        raise InputError(f"{params.PARAMS}: {key}: no ranges to search; declare some, such as {EXAMPLE}")
    ranges: dict[str, Range] = {}
    for name, entry in entries.items():
        place = f"{key}.{name}"
        if name not in model.family.Params.model_fields:
            raise InputError(f"{params.PARAMS}: {place}: no parameter of {model.family_name}; known are {known}")
        kind: type[Range] = Choices if isinstance(entry, dict) and "choices" in entry else Span
        ranges[name] = one = params.parse(kind, entry, place)
        if isinstance(one, Span) and not one.low < one.high:
            raise InputError(f"{params.PARAMS}: {place}: low {one.low:g} is not below high {one.high:g}; exchange them")
        if isinstance(one, Span) and one.log and one.low <= 0:
            raise InputError(f"{params.PARAMS}: {place}: log needs a low above 0, {one.low:g} was given")
        for value in one.choices if isinstance(one, Choices) else (one.low, one.high):
            _check(model, name, value, place)
    return ranges


def check(content: dict[str, Any]) -> None:
    """Refuse ranges of a model that is not declared.

    Raises:
        InputError: such a model, or no mapping at all.
    """
    entries = content.get("search") or {}
    if not isinstance(entries, dict):
        raise InputError(f"{params.PARAMS}: search: {entries!r} was given; expected a model's name and its ranges")
    for name in entries:
        if name not in content["models"]:
            known = ", ".join(content["models"])
            raise InputError(f"{params.PARAMS}: search.{name}: no such model under models; declared are {known}")


def _check(model: Model, name: str, value: Any, place: str) -> None:
    """Refuse a value that the family does not take for one parameter, whatever the others are."""
    field = model.family.Params.model_fields[name]
    kind: Any = Annotated[field.annotation, field]
    adapter: TypeAdapter[Any] = TypeAdapter(kind)
    try:
        adapter.validate_python(value)
    except ValidationError as error:
        said = error.errors()[0]["msg"]
        raise InputError(f"{params.PARAMS}: {place}: {value!r} was given; {said[0].lower()}{said[1:]}") from None


def suggest(trial: Trial, ranges: dict[str, Range], model: Model) -> dict[str, Any]:
    """A value for each parameter with a range, numbers cut to `DIGITS` digits."""
    values: dict[str, Any] = {}
    for name, one in ranges.items():
        if isinstance(one, Choices):
            values[name] = json.loads(trial.suggest_categorical(name, [json.dumps(value) for value in one.choices]))
        elif _whole(model, name):
            values[name] = trial.suggest_int(name, int(one.low), int(one.high), log=one.log)
        else:
            value = float(f"{trial.suggest_float(name, one.low, one.high, log=one.log):.{DIGITS}g}")
            values[name] = min(max(value, one.low), one.high)
    return values


def as_suggested(values: dict[str, Any], ranges: dict[str, Range]) -> dict[str, Any] | None:
    """Parameters as a trial would name them, or None where one lies outside its range."""
    found: dict[str, Any] = {}
    for name, one in ranges.items():
        value = values[name]
        if isinstance(one, Choices) and value in one.choices:
            found[name] = json.dumps(value)
        elif isinstance(one, Span) and isinstance(value, int | float) and one.low <= value <= one.high:
            found[name] = value
        else:
            return None
    return found


def _whole(model: Model, name: str) -> bool:
    annotation = model.family.Params.model_fields[name].annotation
    kinds = get_args(annotation) or (annotation,)
    return int in kinds and float not in kinds
