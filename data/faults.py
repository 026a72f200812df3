"""Rows with a value that does not fit the contract: stop, drop, or put them aside."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from data import typed
from data.agree import Agreement, quoted, target_text
from data.errors import InputError
from data.params import GroupSplit, Task, TimeSplit
from data.table import Table

QUARANTINE = "quarantine.parquet"
ROW, REASON = "row in the source", "reason"
NO_CLASS = "no class of the target"
EXAMPLES = 5
BATCH = 100_000
AT_ONCE = 40  # columns in one query
MOSTLY_LOST = 0.5  # share of rows that cannot be split, from which on the declaration is wrong, not the rows


@dataclass(frozen=True)
class Checked:
    """What one pass over the view `rows` found; every array has one value a row, in order."""

    places: np.ndarray
    """Row numbers from 0, int64."""
    labels: np.ndarray
    """Places in the contract's classes, int32, -1 for none of them."""
    values: np.ndarray | None
    """What rows are split by: moments in microseconds since 1970 (UTC) or places in `groups`, int64."""
    groups: list[str]
    hashes: np.ndarray
    """Of the inputs as they were written, uint64."""
    faults: np.ndarray
    """Places in `reasons` plus one, int32, 0 for a good row."""
    reasons: list[tuple[str, str]]
    """Column and what is wrong in it."""


def check(table: Table, agreed: Agreement, task: Task, key: str) -> Checked:
    """Look at every row once.

    Raises:
        InputError: a value of the column that rows are split by is missing or no time.
    """
    contract = agreed.contract
    inputs = ", ".join(f"c{table.place(name)}" for name in contract.names)
    text = target_text(table, agreed.decision(task.target))
    value, groups = _split_by(table, agreed, task)
    query = f"SELECT place, {text} AS label, {value} AS value, hash({inputs}) AS hash FROM rows"
    known, members = pa.array(contract.classes, pa.string()), pa.array(groups, pa.string())
    parts: dict[str, list[np.ndarray]] = {name: [] for name in ("place", "label", "value", "hash")}
    for batch in table.batches(query, BATCH):
        codes = {"label": (known, np.int32), "value": (members, np.int64)}
        for name in parts:
            values = batch.column(name)
            if name in codes and (name == "label" or groups):
                values = pc.fill_null(pc.index_in(values.cast(pa.string()), codes[name][0]), -1).cast(
                    pa.from_numpy_dtype(codes[name][1])
                )
            elif name == "value":
                values = pc.fill_null(values.cast(pa.int64()), np.iinfo(np.int64).min)
            parts[name].append(values.to_numpy(zero_copy_only=False))
    joined = {name: np.concatenate(arrays) if arrays else np.zeros(0, np.int64) for name, arrays in parts.items()}
    faults, reasons = _faults(table, agreed, joined["place"])
    reasons.append((task.target, NO_CLASS))
    faults = np.where((faults == 0) & (joined["label"] < 0), len(reasons), faults).astype(np.int32)
    by_value = isinstance(task.split, TimeSplit | GroupSplit)
    if by_value:
        lost = joined["value"] < 0 if groups else joined["value"] == np.iinfo(np.int64).min
        if lost.mean() > MOSTLY_LOST:
            raise InputError(
                f"params.yaml: {key}.split.column: {int(lost.sum()):,} of {len(lost):,} values of "
                f"{task.split.column!r} are missing or no times; split by another column, or by: random"  # type: ignore[union-attr]
            )
        reasons.append((task.split.column, "missing or no time, though rows are split by it"))  # type: ignore[union-attr]
        faults = np.where((faults == 0) & lost, len(reasons), faults).astype(np.int32)
    return Checked(
        joined["place"], joined["label"], joined["value"] if by_value else None, groups, joined["hash"], faults, reasons
    )


def _faults(table: Table, agreed: Agreement, places: np.ndarray) -> tuple[np.ndarray, list[tuple[str, str]]]:
    """The first fault of each row, and what the faults are; a few columns at a time, as each takes memory."""
    conditions: list[str] = []
    reasons: list[tuple[str, str]] = []
    for column in agreed.contract.columns:
        place, form = table.place(column.name), agreed.decision(column.name).form
        for condition, words in typed.faults(
            f"c{place}", table.types[place], column.kind, form, column.shape, column.low, column.high
        ):
            conditions.append(condition)
            reasons.append((column.name, words))
    of_place = np.zeros(table.rows, dtype=np.int32)
    for start in range(0, len(conditions), AT_ONCE):
        some = range(start, min(start + AT_ONCE, len(conditions)))
        counts = table.one(f"SELECT {', '.join(f'count(*) FILTER (WHERE {conditions[at]})' for at in some)} FROM rows")
        for at, count in zip(some, counts, strict=True):
            if count:
                for batch in table.batches(f"SELECT place FROM rows WHERE {conditions[at]}", BATCH):
                    bad = batch.column("place").to_numpy()
                    of_place[bad] = np.where(of_place[bad] == 0, at + 1, of_place[bad])
    return of_place[places], reasons


def _split_by(table: Table, agreed: Agreement, task: Task) -> tuple[str, list[str]]:
    """What rows are split by, in SQL, and the names of the groups."""
    if isinstance(task.split, TimeSplit | GroupSplit):
        place = table.place(task.split.column)
        column, raw = f"c{place}", table.types[place]
        decision = agreed.decision(task.split.column)
        if isinstance(task.split, TimeSplit):
            return typed.value(column, raw, "time", decision.form if decision.kind == "time" else ""), []
        text = typed.raw_text(column, raw, whole=decision.form == "whole" or raw in ("FLOAT", "DOUBLE"))
        names = table.all(f"SELECT DISTINCT {text} FROM rows WHERE {column} IS NOT NULL")
        return text, sorted(str(row[0]) for row in names)
    return "0", []


def stop(table: Table, checked: Checked, key: str) -> None:
    """Refuse bad rows.

    Raises:
        InputError: there are some; the message has column, count, examples and the choices.
    """
    if not checked.faults.any():
        return
    counts = np.bincount(checked.faults, minlength=len(checked.reasons) + 1)[1:]
    told = []
    for at in np.argsort(-counts, kind="stable")[:3]:
        if counts[at]:
            name, words = checked.reasons[at]
            rows = checked.places[checked.faults == at + 1][:EXAMPLES]
            values = [
                str(row[0])
                for row in table.all(
                    f"SELECT c{table.place(name)}::VARCHAR FROM everything "
                    f"WHERE place IN ({', '.join(map(str, rows))}) ORDER BY place"
                )
            ]
            shown = quoted([value if len(value) <= 40 else value[:39] + "…" for value in dict.fromkeys(values)])
            told.append(f"column {name!r} has {counts[at]:,} values that are {words} ({shown})")
    more = int((counts > 0).sum()) - len(told)
    classes = any(checked.reasons[at][1] == NO_CLASS for at in np.flatnonzero(counts))
    accept = f"accept new classes with `python -m data accept {key.removeprefix('tasks.')}`"
    fix = accept if classes else "declare another kind"
    raise InputError(
        f"params.yaml: {key}: "
        + "; ".join(told)
        + (f"; and {more} more columns" if more > 0 else "")
        + f"; correct the source, {fix}, or set {key}.on_bad_rows to drop or quarantine"
    )


def quarantine(table: Table, checked: Checked, path: Path) -> None:
    """Write the bad rows as they are in the source, with their number (from 1) and what is wrong."""
    bad = checked.faults > 0
    reasons = [f"{name}: {words}" for name, words in checked.reasons]
    listed = pa.table(
        {
            "bad_place": checked.places[bad],
            "bad_reason": [reasons[fault - 1] for fault in checked.faults[bad]],
        }
    )
    table.connection.register("listed", listed)
    columns = ", ".join(f"c{place}" for place in range(len(table.names)))
    query = (
        f"SELECT bad_place + 1, bad_reason, {columns} FROM everything JOIN listed ON place = bad_place ORDER BY place"
    )
    writer = None
    for batch in table.batches(query, 10_000):
        part = pa.Table.from_batches([batch]).rename_columns([ROW, REASON, *table.names])
        writer = writer or pq.ParquetWriter(path, part.schema)
        writer.write_table(part)
    if writer:
        writer.close()
    table.connection.unregister("listed")
