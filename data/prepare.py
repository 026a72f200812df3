"""The prepare stage: source, contract, splits and reference statistics of one task."""

import json
import shutil
from pathlib import Path
from typing import Any

import pandas as pd

from data import contract as contracts
from data import params, reference, snapshot, splits
from data.errors import InputError

PREPARED = Path("data/prepared")


def prepare(content: dict[str, Any], name: str) -> Path:
    """Write the task's splits (Parquet), contract and reference statistics; return their folder.

    The folder appears whole or not at all.

    Raises:
        InputError: the declaration, the source or its rows are unusable.
    """
    task = params.task(content, name)
    key = f"tasks.{name}"
    table = snapshot.table(name)
    table = _with_target(table, task.target, key)
    contract = contracts.infer(table, name, task.target, task.positive, task.columns)
    rows = contract.check(table, key)
    split = splits.assign(table, task.split, task.target, content["seed"], key)

    folder = PREPARED / name
    unfinished = PREPARED / f".{name}.unfinished"
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    parts = {part: rows[split.eq(part)].reset_index(drop=True) for part in splits.SPLITS}
    for part, content_rows in parts.items():
        content_rows.to_parquet(unfinished / f"{part}.parquet", index=False)
    (unfinished / "contract.json").write_text(contract.to_json() + "\n", encoding="utf-8")
    statistics = json.dumps(reference.describe(parts["train"], contract), indent=1, ensure_ascii=False)
    (unfinished / "reference.json").write_text(statistics + "\n", encoding="utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    unfinished.rename(folder)
    print(f"{name}: " + ", ".join(f"{len(rows):,} {part}" for part, rows in parts.items()) + " rows")
    return folder


def _with_target(table: pd.DataFrame, target: str, key: str) -> pd.DataFrame:
    if target not in table:
        raise InputError(
            f"params.yaml: {key}.target: the source has no column {target!r}; it has {', '.join(map(str, table))}"
        )
    missing = table[target].isna()
    if missing.all():
        raise InputError(f"params.yaml: {key}.target: every value of {target!r} is missing; choose another target")
    if missing.any():
        print(f"{key}: {int(missing.sum()):,} of {len(table):,} rows have no {target!r} and are left out")
    table = table[~missing].reset_index(drop=True)
    return table.assign(**{target: contracts.as_text(table[target])})
