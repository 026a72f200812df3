"""Readers of a task's source, one file per format; each gives `Rows` in batches, so that memory stays bounded."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

BATCH_ROWS = 32_768
NESTED_BATCH_ROWS = 2_048  # of images and sequences, whose cells are large


@dataclass(frozen=True)
class Rows:
    """The rows of a source, read as they are asked for."""

    schema: "pa.Schema"
    batches: Iterator["pa.RecordBatch"]
    format: str
    """What was read, in words: `csv`, `parquet`, `python` or `sql`."""
    text: bool = False
    """Whether every column is text exactly as it was written."""
    notes: list[str] = field(default_factory=list)
    """What was decided in reading, one sentence each; complete once the batches are read."""


def batch_rows(schema: "pa.Schema") -> int:
    """How many rows to hold at once."""
    import pyarrow as pa

    return NESTED_BATCH_ROWS if any(pa.types.is_nested(form) for form in schema.types) else BATCH_ROWS


def unique(names: list[str], path: Path | str, notes: list[str]) -> list[str]:
    """Column names without surrounding blanks, each given once; what was changed is added to `notes`."""
    clean: list[str] = []
    for place, written in enumerate(names, start=1):
        name = written.strip()
        if not name:
            name = f"column {place}"
            notes.append(f"{path}: column {place} has no name and is called {name!r}")
        elif name != written:
            notes.append(f"{path}: the column {written!r} is called {name!r}, without the blanks around it")
        if name.startswith("Unnamed: "):
            notes.append(f"{path}: the column {name!r} looks like row numbers that a program wrote beside the table")
        base, count = name, 1
        while name in clean or (count > 1 and name in names):
            count += 1
            name = f"{base} ({count})"
        if count > 1:
            notes.append(f"{path}: the name {base!r} occurs again in column {place}, which is called {name!r}")
        clean.append(name)
    return clean
