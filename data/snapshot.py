"""The snapshot of a source: `data/raw/<task>/` with its rows and what was decided in reading them."""

from dataclasses import dataclass
from pathlib import Path

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
