"""The contract of a task: which columns and classes it has, and what a valid row is."""

import json
import math
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from data.params import Kind

ANSWER = ("label", "probabilities")  # what a graph gives, so no input may be called so
TENSORS: tuple[Kind, ...] = ("image", "sequence")


@dataclass(frozen=True)
class Column:
    """An input column, with what stands for a missing value.

    `number` is float32 (NaN), `boolean` 1.0 or 0.0 (NaN), `category` and `text` are strings (""), `time` is a
    moment in UTC (NaT). An `image` or a `sequence` is float32 of one shape and never missing.
    """

    name: str
    kind: Kind
    shape: tuple[int, ...] = ()
    low: float = -math.inf
    high: float = math.inf


@dataclass(frozen=True)
class Contract:
    """Columns, target and classes of a task; of two classes the last is the positive one."""

    task: str
    target: str
    columns: tuple[Column, ...]
    classes: tuple[str, ...]

    @cached_property
    def names(self) -> list[str]:
        """The names of the input columns, in order."""
        return [column.name for column in self.columns]

    def of_kind(self, *kinds: Kind) -> list[str]:
        """The names of the input columns of some kinds, in order."""
        return [column.name for column in self.columns if column.kind in kinds]

    @property
    def tensor(self) -> Column | None:
        """The image or the sequence, which then is the only input."""
        return self.columns[0] if self.columns[0].kind in TENSORS else None

    def to_json(self) -> str:
        """The contract as one line of JSON."""
        content = asdict(self)
        content["columns"] = [
            column if column["shape"] else {"name": column["name"], "kind": column["kind"]}
            for column in content["columns"]
        ]
        return json.dumps(content, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> "Contract":
        """The contract that `to_json` wrote."""
        content: dict[str, Any] = json.loads(text)
        columns = tuple(
            Column(**column | {"shape": tuple(column.get("shape", ()))}) for column in content.pop("columns")
        )
        return cls(columns=columns, classes=tuple(content.pop("classes")), **content)

    @classmethod
    def load(cls, folder: Path) -> "Contract":
        """The contract in a prepared folder."""
        return cls.from_json((folder / "contract.json").read_text(encoding="utf-8"))

    def codes(self, labels: pd.Series) -> np.ndarray:
        """Labels as places in `classes`, int64, shape (rows,)."""
        return pd.Categorical(labels, categories=list(self.classes)).codes.astype(np.int64)
