"""A task's contract as its graphs carry it: the columns of a request and the classes of an answer."""

import math
from functools import cached_property
from typing import Literal

import msgspec

Kind = Literal["number", "boolean", "category", "text", "time", "image", "sequence"]


class Column(msgspec.Struct, frozen=True):
    """An input column; images and sequences have a shape, and a range of allowed numbers."""

    name: str
    kind: Kind
    shape: tuple[int, ...] = ()
    low: float = -math.inf
    high: float = math.inf


class Contract(msgspec.Struct, frozen=True, dict=True):
    """Columns in the order of the plain API, and classes in the order of the probabilities."""

    task: str
    target: str
    columns: tuple[Column, ...]
    classes: tuple[str, ...]

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The columns' names."""
        return tuple(column.name for column in self.columns)

    @cached_property
    def numbers(self) -> tuple[str, ...]:
        """The columns of numbers, booleans among them."""
        return self._of("number", "boolean")

    @cached_property
    def texts(self) -> tuple[str, ...]:
        """The columns of texts, categories among them."""
        return self._of("category", "text")

    @cached_property
    def times(self) -> tuple[str, ...]:
        """The columns of times."""
        return self._of("time")

    def _of(self, *kinds: Kind) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns if column.kind in kinds)

    @property
    def tensor(self) -> Column | None:
        """The image or the sequence, which then is the only input."""
        return self.columns[0] if self.columns[0].shape else None

    def refuses_requests_of(self, old: "Contract") -> str:
        """Why requests or readers of the `old` contract would fail under this one; empty if none would."""
        if self.names != old.names:
            return f"its columns are {', '.join(self.names)}, before {', '.join(old.names)}"
        for new, before in zip(self.columns, old.columns, strict=True):
            if (new.kind, new.shape) != (before.kind, before.shape):
                return f"{new.name} is now {_described(new)}, before {_described(before)}"
            if new.low > before.low or new.high < before.high:
                return (
                    f"{new.name} lies now in {new.low:g} to {new.high:g}, before in {before.low:g} to {before.high:g}"
                )
        if lost := [name for name in old.classes if name not in self.classes]:
            return f"it has no class {', '.join(lost)}"
        return ""


def _described(column: Column) -> str:
    return f"a {column.kind}" + (f" of shape {list(column.shape)}" if column.shape else "")
