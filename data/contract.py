"""The contract of a task: which columns and classes it has, and what a valid row is."""

import json
import math
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from data.errors import InputError
from data.params import Kind, Tensor

ANSWER = ("label", "probabilities")  # what a graph gives, so no input may be called so
SHOWN = 5  # faulty values quoted in a message


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

    def check(self, table: pd.DataFrame, key: str) -> pd.DataFrame:
        """The rows of `table` as the contract's types: inputs in order, then the target.

        Args:
            table: raw rows; other columns are dropped.
            key: the task's place in `params.yaml`, for messages.

        Raises:
            InputError: a column is missing, a value is no number or not finite, or a class is unknown.
        """
        import pandera.errors
        import pandera.pandas as pa

        finite = pa.Check(lambda values: ~np.isinf(values), error="not finite")
        schema = pa.DataFrameSchema(
            {
                **{name: pa.Column("float32", finite, nullable=True) for name in self.of_kind("number", "boolean")},
                **{name: pa.Column("str") for name in self.of_kind("category", "text")},
                **{name: pa.Column("datetime64[us, UTC]", nullable=True) for name in self.of_kind("time")},
                **{name: pa.Column(object) for name in self.of_kind(*TENSORS)},
                self.target: pa.Column("str", pa.Check.isin(self.classes, error="no class of the target")),
            }
        )
        rows = pd.DataFrame({name: self._typed(table, name, key) for name in [*self.names, self.target]})
        try:
            return schema.validate(rows, lazy=True)
        except pandera.errors.SchemaErrors as error:
            raise InputError(_first_fault(error.failure_cases, key)) from None

    def _typed(self, table: pd.DataFrame, name: str, key: str) -> pd.Series:
        if name not in table:
            raise InputError(
                f"params.yaml: {key}.columns: the source has no column {name!r}; it has {', '.join(map(str, table))}"
            )
        values = table[name]
        if name in self.of_kind(*TENSORS):
            return _flat(values, self.columns[self.names.index(name)], key)
        if name in self.of_kind("time"):
            return pd.to_datetime(values, utc=True).astype("datetime64[us, UTC]")
        if name not in self.of_kind("number", "boolean"):
            return as_text(values).where(values.notna(), "")
        numbers = pd.to_numeric(values, errors="coerce")
        wrong = values[numbers.isna() & values.notna()]
        if len(wrong):
            raise InputError(
                f"params.yaml: {key}.columns.{name}: declared a number, but {len(wrong)} values are none "
                f"({_quote(wrong)}); make it a category or correct the source"
            )
        with np.errstate(over="ignore"):  # too large for float32 becomes infinite, which the schema refuses
            return numbers.astype("float32")


def _flat(values: pd.Series, column: Column, key: str) -> pd.Series:
    """Each cell's nested lists as one float32 array, of the declared shape and range."""
    place = f"params.yaml: {key}.columns.{column.name}"
    cells = [np.asarray(value, dtype=np.float32) for value in values]
    size = np.prod(column.shape)
    if other := next((cell.shape for cell in cells if cell.shape != column.shape and cell.shape != (size,)), None):
        raise InputError(f"{place}: a value has the shape {other}, expected {column.shape}; correct one of them")
    flat = np.stack(cells).reshape(len(cells), -1)
    if not (column.low <= flat.min() and flat.max() <= column.high):
        raise InputError(
            f"{place}: values go from {flat.min():g} to {flat.max():g}, expected from {column.low:g} to "
            f"{column.high:g} and none missing; correct one of them"
        )
    return pd.Series(list(flat), index=values.index, dtype=object)


def as_text(values: pd.Series) -> pd.Series:
    """Values as strings; whole numbers that pandas keeps as floats, since some are missing, without the ".0"."""
    if pd.api.types.is_float_dtype(values) and values.dropna().mod(1).eq(0).all():
        values = values.astype("Int64")
    return values.astype("str")


def infer(
    table: pd.DataFrame, task: str, target: str, positive: str | None, kinds: dict[str, Kind | Tensor] | None
) -> Contract:
    """The contract of a raw table.

    Args:
        table: raw rows, none with a missing target.
        task: the task's name.
        target: the column to predict.
        positive: the class that goes last; by default the last in alphabetical order.
        kinds: the declared inputs; by default every column but the target, numbers by their type.

    Raises:
        InputError: the target has fewer than two classes, or lacks the positive one; an input is unusable.
    """
    key = f"tasks.{task}"
    classes = sorted(map(str, table[target].unique()))
    if len(classes) < 2:
        raise InputError(
            f"params.yaml: {key}.target: {target!r} has one class only ({_quote(classes)}); "
            "expected two or more, choose another target or source"
        )
    if positive is not None:
        if positive not in classes:
            raise InputError(
                f"params.yaml: {key}.positive: {target!r} has no class {positive!r}; it has {_quote(classes)}"
            )
        classes = [*(name for name in classes if name != positive), positive]
    if kinds is None:
        kinds = {name: _kind(table[name], name, key) for name in table.columns if name != target}
    if not kinds:
        raise InputError(f"params.yaml: {key}.target: the source has no column besides {target!r}; choose another")
    for name in kinds:
        if name in ANSWER:
            raise InputError(f"params.yaml: {key}: an input cannot be called {name!r}, as the answer is; rename it")
    if target in kinds:
        raise InputError(f"params.yaml: {key}.columns: the target {target!r} cannot be an input; remove it")
    columns = tuple(
        Column(name, **kind.model_dump()) if isinstance(kind, Tensor) else Column(str(name), kind)
        for name, kind in kinds.items()
    )
    if len(columns) > 1 and any(column.kind in TENSORS for column in columns):
        raise InputError(
            f"params.yaml: {key}.columns: an image or a sequence must be the only input; remove the others"
        )
    return Contract(task, target, columns, tuple(classes))


def _kind(values: pd.Series, name: str, key: str) -> Kind:
    if pd.api.types.is_datetime64_any_dtype(values):
        raise InputError(
            f"params.yaml: {key}: column {name!r} holds times, which no model takes as they are; "
            f"declare {key}.columns without it"
        )
    return "number" if pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values) else "category"


def _first_fault(cases: pd.DataFrame, key: str) -> str:
    first = cases.iloc[0]
    same = cases[(cases["column"] == first["column"]) & (cases["check"] == first["check"])]
    return (
        f"params.yaml: {key}: column {first['column']!r} has {len(same)} values that are "
        f"{first['check']} ({_quote(same['failure_case'])}); correct the source or drop the column"
    )


def _quote(values: "pd.Series | list[str]") -> str:
    distinct = list(dict.fromkeys(str(value) for value in values))
    return ", ".join(distinct[:SHOWN]) + (", …" if len(distinct) > SHOWN else "")
