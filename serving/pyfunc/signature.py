"""A model's signature as MLflow keeps it: what a request has to bring, and which requests stay valid."""

import json
from functools import cached_property
from typing import Any

import msgspec

from serving.contract import Contract

SHOWN = 30  # inputs that a message names


class Input(msgspec.Struct, frozen=True):
    """A column, or a tensor with its shape, in which -1 is any length."""

    name: str
    """Empty for what is told by its place alone."""
    type: str
    shape: tuple[int, ...] = ()
    tensor: bool = False
    required: bool = True

    def __str__(self) -> str:
        kind = f"{self.type} of shape {list(self.shape)}" if self.tensor else self.type
        return (f"{self.name}: {kind}" if self.name else kind) + ("" if self.required else " (optional)")


class Signature(msgspec.Struct, frozen=True, dict=True):
    """What a model takes and gives; `known` is False for a model that was logged without a signature."""

    known: bool = False
    inputs: tuple[Input, ...] = ()
    outputs: tuple[Input, ...] = ()
    params: tuple[str, ...] = ()

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The inputs' names, in the order of the plain API."""
        return tuple(one.name for one in self.inputs)

    @property
    def tensors(self) -> bool:
        """Whether the inputs are tensors."""
        return bool(self.inputs) and self.inputs[0].tensor

    @cached_property
    def expected(self) -> str:
        """What a request has to bring, in words."""
        if not self.inputs:
            return "whatever its code takes, as it was registered without a signature"
        more = len(self.inputs) - SHOWN
        return ", ".join(map(str, self.inputs[:SHOWN])) + (f" and {more} more" if more > 0 else "")

    def refuses_requests_of(self, old: "Signature") -> str:
        """Why requests of the `old` signature would fail under this one; empty if none would."""
        if not old.known and not self.known:
            return ""
        if why := _refuses(self, old):
            return why
        for new, before in zip(self.inputs, old.inputs, strict=False):
            if (new.type, new.shape) != (before.type, before.shape):
                return f"its input is {new}, before {before}"
            if new.required and not before.required:
                return f"{new.name} is no longer optional"
        if lost := [name for name in old.params if name not in self.params]:
            return f"it has no parameter {', '.join(lost)}"
        return ""


def refuses(new: Contract | Signature, old: Contract | Signature) -> str:
    """Why requests of the `old` version would fail under the `new` one; empty if none would.

    Between a graph of this project and another model only the columns' names can be compared.
    """
    if isinstance(new, Contract) and isinstance(old, Contract):
        return new.refuses_requests_of(old)
    if isinstance(new, Signature) and isinstance(old, Signature):
        return new.refuses_requests_of(old)
    return _refuses(new, old)


def _refuses(new: Contract | Signature, old: Contract | Signature) -> str:
    for one, when in ((new, "it"), (old, "the version before")):
        if isinstance(one, Signature) and not one.known:
            return f"{when} has no signature that could be compared"
    added = new.names[len(old.names) :]
    optional = {one.name for one in new.inputs if not one.required} if isinstance(new, Signature) else set()
    if new.names[: len(old.names)] == old.names and set(added) <= optional:
        return ""
    return f"its columns are {', '.join(new.names)}, before {', '.join(old.names)}"


def of(description: dict[str, Any] | None) -> Signature:
    """The signature in the form in which MLflow writes it; None if the model has none."""
    if not description:
        return Signature()
    inputs, outputs, params = (
        json.loads(description.get(part) or "[]") or [] for part in ("inputs", "outputs", "params")
    )
    return Signature(
        bool(inputs),
        tuple(map(_input, inputs)),
        tuple(map(_input, outputs)),
        tuple(one["name"] for one in params),
    )


def _input(one: dict[str, Any]) -> Input:
    name, required = str(one.get("name") or ""), bool(one.get("required", True))
    if one["type"] == "tensor":
        spec = one["tensor-spec"]
        return Input(name, spec["dtype"], tuple(spec["shape"]), True, required)
    return Input(name, _type(one), required=required)


def _type(one: dict[str, Any]) -> str:
    if one["type"] == "array":
        return f"list of {_type(one['items'])}"
    if one["type"] == "object":
        return f"object of {', '.join(sorted(one['properties']))}"
    return str(one["type"])
