"""The prepare stage: a snapshot of rows becomes a contract, splits and reference statistics of one task."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from data import agree, changes, faults, leakage, params, reference, report, splits, typed, write
from data.agree import Agreement
from data.contract import TENSORS, Contract
from data.errors import InputError
from data.faults import Checked
from data.params import Task
from data.table import Table, opened

PREPARED = Path("data/prepared")
FOLDS = "folds.parquet"
MANY = 1_000_000  # rows from which on each step is told


def prepare(content: dict[str, Any], name: str, accept: bool = False) -> Path:
    """Write the task's splits (Parquet), contract and reference statistics; return their folder.

    The folder appears whole or not at all. A contract that is there holds, unless the declaration is another one.

    Args:
        content: the sections of `params.yaml`.
        name: the task.
        accept: take the source as it is now, whatever the contract was.

    Raises:
        InputError: the declaration or the rows are unusable, or the source has changed.
    """
    task = params.task(content, name)
    key = f"tasks.{name}"
    folder, unfinished = PREPARED / name, PREPARED / f".{name}.unfinished"
    shutil.rmtree(unfinished, ignore_errors=True)
    with opened(name, key) as table:
        told = print if table.rows >= MANY else _silent
        told(f"{name}: looking at {table.rows:,} rows", flush=True)
        agreed = agreement(table, task, name, None if accept else folder)
        told(f"{name}: checking each row", flush=True)
        checked = faults.check(table, agreed, task, key)
        if task.on_bad_rows == "stop":
            faults.stop(table, checked, key)
        good = checked.faults == 0
        labels = checked.labels[good]
        values = None if checked.values is None else checked.values[good]
        seed, classes = content["seed"], agreed.contract.classes
        parts = splits.assign(labels, classes, task.split, values, checked.groups, seed, key)
        warned = leaks(table, agreed, checked, parts, seed)
        suspected = [one["words"] for one in warned if one["leak"]]
        if task.on_leak == "stop" and suspected:
            raise InputError(
                f"params.yaml: {key}: suspicion of leakage: {'; '.join(suspected)}; drop what tells the target "
                f"({key}.override: {{column: drop}}), or set {key}.on_leak: warn"
            )
        told(f"{name}: writing splits", flush=True)
        unfinished.mkdir(parents=True)
        try:
            everywhere = np.full(table.rows, splits.NONE, dtype=np.uint8)
            everywhere[checked.places[good]] = parts
            write.write(table, agreed, everywhere, unfinished)
            if not good.all():
                told_where = folder / faults.QUARANTINE if task.on_bad_rows == "quarantine" else None
                if told_where:
                    faults.quarantine(table, checked, unfinished / faults.QUARANTINE)
                report.bad_rows(name, checked, told_where)
            if task.split.folds:
                train = parts == splits.TRAIN
                of = None if values is None else values[train]
                fold = splits.folds(labels[train], classes, task.split, of, seed, key)
                pq.write_table(pa.table({"fold": fold}), unfinished / FOLDS)
            _describe(agreed, labels, parts, warned, unfinished)
            shutil.rmtree(folder, ignore_errors=True)
            unfinished.rename(folder)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
        report.prepared(name, agreed, parts, warned)
    return folder


def agreement(table: Table, task: Task, name: str, before: Path | None) -> Agreement:
    """What holds for the table: what held in the folder `before`, if the declaration is the same.

    Raises:
        InputError: the source has changed, or no contract can be made of it.
    """
    key = f"tasks.{name}"
    held = Agreement.load(before) if before else None
    if held is not None and held.declaration == agree.digest(task):
        changed = changes.found(table, held, task)
        report.changed(name, changed)
        if stopping := [one for one in changed if one.stops]:
            listed = "; ".join(f"{one.column!r}: {one.before} before, {one.now} now" for one in stopping[:3])
            raise InputError(
                f"{name}: the source has changed ({listed}{'; …' if len(stopping) > 3 else ''}); correct it, or accept "
                f"it as it is now with `python -m data accept {name}`"
            )
        lost = agree.with_target(table, task, key)
        report.without_target(name, lost, table.rows, task.target)
        return held
    report.without_target(name, agree.with_target(table, task, key), table.rows, task.target)
    return agree.anew(table, task, name)


def leaks(table: Table, agreed: Agreement, checked: Checked, parts: np.ndarray, seed: int) -> list[dict[str, Any]]:
    """Suspicions of leakage, looked for in a sample and in the inputs of every row."""
    good = checked.faults == 0
    contract = agreed.contract
    step = max(1, table.rows // leakage.SAMPLE)
    terms, names, numeric = ["place::DOUBLE"], [" order"], {" order"}
    for column in contract.columns:
        value = write.typed_value(table, agreed, column)
        terms.append(f"({value} = '')::DOUBLE" if column.kind == "text" else "0" if column.kind in TENSORS else value)
        names.append(column.name)
        numeric |= {column.name} if column.kind in ("number", "boolean", "time") else set()
    identifiers = {}
    for one in agreed.columns:
        if one.role == "dropped" and one.why.startswith("identifier") and one.name in table.names:
            place = table.place(one.name)
            terms.append(typed.value(f"c{place}", table.types[place], one.kind or "category", one.form))
            names.append(one.name)
            identifiers[one.name] = one.why
            numeric |= {one.name} if one.kind in ("number", "time") else set()
    columns = ", ".join(f"{term} AS v{at}" for at, term in enumerate(terms))
    query = f"SELECT place, {columns} FROM rows WHERE place % {step} = 0 ORDER BY place"
    some = pa.Table.from_batches(table.batches(query, leakage.SAMPLE))
    label = np.full(table.rows, -1, dtype=np.int32)
    label[checked.places[good]] = checked.labels[good]
    codes = label[some.column("place").to_numpy()]
    rows = some.drop_columns(["place"]).rename_columns(names).to_pandas()[codes >= 0].reset_index(drop=True)
    repeated = leakage.repeats(checked.hashes[good], parts, splits.SPLITS)
    texts = set(contract.of_kind("text", *TENSORS))
    chance = leakage.chance(rows[contract.names], texts, int((parts == splits.TRAIN).sum()))
    told = rows.drop(columns=list(texts))
    return leakage.warnings(told, codes[codes >= 0], numeric, identifiers, " order", repeated, chance, seed)


def _describe(
    agreed: Agreement, labels: np.ndarray, parts: np.ndarray, warned: list[dict[str, Any]], folder: Path
) -> None:
    contract: Contract = agreed.contract
    train = labels[parts == splits.TRAIN]
    described = reference.describe(reference.sample(folder / "train.parquet", contract), contract)
    shares = np.bincount(train, minlength=len(contract.classes)) / max(len(train), 1)
    described |= {
        "rows": len(train),
        "classes": {name: round(float(share), 6) for name, share in zip(contract.classes, shares, strict=True)},
        "warnings": warned,
    }
    (folder / "contract.json").write_text(contract.to_json() + "\n", encoding="utf-8")
    (folder / agree.COLUMNS).write_text(agreed.to_json() + "\n", encoding="utf-8")
    text = json.dumps(described, indent=1, ensure_ascii=False, allow_nan=False)
    (folder / "reference.json").write_text(text + "\n", encoding="utf-8")


def _silent(*_: object, **__: object) -> None:
    """Small tables need no word on progress."""
