"""A Python file whose `read()` returns a table."""

import importlib.machinery
import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from data.errors import InputError
from data.readers import Rows, batch_rows, types, unique


def read(path: Path) -> Rows:
    """The rows that `read()` of the file returns, with the types of the DataFrame; its index is left out.

    Raises:
        InputError: the file cannot be run, or its `read()` gives no table or no row.
    """
    table = run(path)
    notes: list[str] = []
    if not len(table):
        raise InputError(f"{path}: read() gave no row; expected at least some")
    if not table.shape[1]:
        raise InputError(f"{path}: read() gave no column; expected at least the target")
    table = table.set_axis(unique([str(name) for name in table.columns], path, notes), axis=1)
    given = pa.schema([(str(name), _array(table[name], path, notes).type) for name in table])
    target = types.schema(given, str(path), notes)

    def batches() -> Iterator[pa.RecordBatch]:
        size = batch_rows(target)
        for start in range(0, len(table), size):
            part = table.iloc[start : start + size]
            columns = [_array(part[name], path, [], given.field(name).type) for name in target.names]
            yield from types.select(iter([pa.record_batch(columns, names=target.names)]), target, str(path))

    return Rows(target, batches(), "python", notes=notes)


def run(path: Path) -> pd.DataFrame:
    """What `read()` of the Python file returns.

    Raises:
        InputError: the file cannot be run, or its `read()` gives no DataFrame.
    """
    name = f"source_{path.stem}"
    loader = importlib.machinery.SourceFileLoader(name, str(path))
    module = importlib.util.module_from_spec(importlib.machinery.ModuleSpec(name, loader))
    try:
        loader.exec_module(module)
        table: object = vars(module)["read"]()
    except InputError:
        raise
    except Exception as error:
        raise InputError(f"{path}: read() failed: {type(error).__name__}: {error}; correct that file") from error
    if not isinstance(table, pd.DataFrame):
        raise InputError(
            f"{path}: read() gave a {type(table).__name__}, expected a pandas DataFrame; correct that file"
        )
    return table


def _array(values: pd.Series, path: Path, notes: list[str], form: pa.DataType | None = None) -> pa.Array:
    """A column as Arrow; `form` is the type that the whole column has, where only a part is given."""
    if values.dtype == object and any(
        hasattr(cell, "__len__") and not isinstance(cell, str | bytes) for cell in values
    ):
        return _cells(values, path)
    if isinstance(values.dtype, pd.DatetimeTZDtype):  # as moments in UTC, since pyarrow reads others through a warning
        moments = values.dt.tz_convert(None).to_numpy()
        return pa.array(moments, pa.timestamp(values.dtype.unit), from_pandas=True).cast(
            pa.timestamp(values.dtype.unit, str(values.dtype.tz))
        )
    try:
        array: Any = pa.Array.from_pandas(values, type=form)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError):
        if form is None:
            kinds = sorted({type(cell).__name__ for cell in values.dropna()})
            notes.append(f"{path}: the column {values.name!r} mixes {', '.join(kinds)} and is kept as text")
        return pa.array([None if missing else str(cell) for cell, missing in zip(values, values.isna(), strict=True)])
    return array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array


def _cells(values: pd.Series, path: Path) -> pa.Array:
    try:
        return types.cells(values.to_numpy())
    except (TypeError, ValueError) as error:
        raise InputError(
            f"{path}: the column {values.name!r} holds lists that are no numbers of one shape ({error}); "
            "correct that file"
        ) from None
