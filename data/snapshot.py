"""The snapshot of a source: `data/raw/<task>/` with its rows and what was decided in reading them."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from data.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

RAW = Path("data/raw")
ROWS, RECORD = "rows.parquet", "source.json"


@dataclass(frozen=True)
class Snapshot:
    """What `source.json` says."""

    files: list[dict[str, str]]
    """What was read: `path` and `sha256` of each file; empty for a query."""
    format: str
    text: bool
    """Whether every column is text exactly as it was written, a missing value being null."""
    decimal: str
    """The decimal mark of numbers written as text."""
    notes: list[str]
    """What was decided, one sentence each."""


def table(task: str) -> "pd.DataFrame":
    """All rows of a task's snapshot, numbers written as text as numbers.

    Raises:
        InputError: there is no snapshot.
    """
    folder = RAW / task
    if not (folder / RECORD).is_file():
        raise InputError(f"{folder} is not there; run `dvc repro fetch@{task}` first")
    snapshot = Snapshot(**json.loads((folder / RECORD).read_text(encoding="utf-8")))
    import pandas as pd

    rows = pd.read_parquet(folder / ROWS)
    if not snapshot.text:
        return rows
    return rows.apply(_numbers, decimal=snapshot.decimal)


def _numbers(values: "pd.Series", decimal: str) -> "pd.Series":
    import pandas as pd

    try:
        return pd.to_numeric(values.str.replace(decimal, ".", regex=False))
    except (ValueError, TypeError):
        return values
