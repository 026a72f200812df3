"""The raw rows of a task, opened for SQL with bounded memory."""

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from data.errors import InputError
from data.snapshot import RAW, RECORD, ROWS, Snapshot

MEMORY = "1GB"  # of DuckDB; what does not fit goes to a temporary folder
THREADS = 4
SMALL = 2_000_000  # cells up to which a table is held in memory, where many short questions are quick
WIDE = 400  # columns that one thread may look at, as each takes memory in each thread


@dataclass(frozen=True)
class Table:
    """A source's rows behind a DuckDB connection.

    The view or table `everything` has the columns c0, c1, … in the order of `names`, whatever these are called, and
    `place`, the row's number from 0. Empty text and NaN are NULL in it.
    """

    path: Path
    names: list[str]
    types: list[str]
    """DuckDB's types."""
    text: bool
    """Whether every column is text as it was written."""
    decimal: str
    rows: int
    connection: Any

    def one(self, query: str) -> tuple[Any, ...]:
        """The only row of a query's answer."""
        return self.all(query)[0]

    def all(self, query: str) -> list[tuple[Any, ...]]:
        """All rows of a short answer."""
        rows: list[tuple[Any, ...]] = self.connection.execute(query).fetchall()
        return rows

    def batches(self, query: str, size: int) -> Iterator[pa.RecordBatch]:
        """A long answer, `size` rows or so at a time, in its order."""
        yield from self.connection.sql(query).to_arrow_reader(size)

    def place(self, name: str) -> int:
        """Where a column stands."""
        return self.names.index(name)


@contextmanager
def opened(task: str, key: str) -> Iterator[Table]:
    """The snapshot that `fetch` wrote.

    Args:
        task: the task's name.
        key: its place in `params.yaml`, for messages.

    Raises:
        InputError: there is no snapshot, it has no column or row, or a name occurs twice.
    """
    import duckdb

    path = RAW / task / ROWS
    if not path.is_file():
        raise InputError(f"{path} is not there; run `dvc repro fetch@{task}` first")
    file = pq.ParquetFile(path)
    names, rows = list(file.schema_arrow.names), file.metadata.num_rows
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise InputError(f"{key}.source: the columns {', '.join(twice)} occur more than once; rename them")
    if not names or not rows:
        raise InputError(f"{key}.source: it has no {'rows' if names else 'columns'}; bring some")
    about = Snapshot(**json.loads((RAW / task / RECORD).read_text(encoding="utf-8")))
    with tempfile.TemporaryDirectory(prefix="duckdb-") as temporary:
        settings: dict[str, Any] = {
            "memory_limit": MEMORY,
            "temp_directory": temporary,
            "threads": max(1, min(THREADS, os.cpu_count() or 1, WIDE // len(names))),
            "autoinstall_known_extensions": False,
        }
        connection = duckdb.connect(":memory:", config=settings)
        try:
            connection.execute("SET TimeZone = 'UTC'")
            quoted = str(path).replace("'", "''")
            columns = [f"c{place}" for place in range(len(names))]
            read = f"read_parquet('{quoted}', file_row_number = true)"
            if "file_row_number" in (name.lower() for name in names):  # the option cannot name its column otherwise
                read = f"(SELECT *, row_number() OVER () - 1 FROM read_parquet('{quoted}'))"
            source = f"{read} AS t({', '.join([*columns, 'place'])})"
            described = connection.execute(f"DESCRIBE SELECT * FROM {source}").fetchall()
            types = [str(row[1]) for row in described[:-1]]
            plain = [_plain(column, kind) for column, kind in zip(columns, types, strict=True)]
            types = ["VARCHAR" if kind.startswith(("ENUM", '"NULL"')) else kind for kind in types]
            form = "TEMP TABLE" if rows * len(names) <= SMALL else "VIEW"
            connection.execute(f"CREATE {form} everything AS SELECT {', '.join([*plain, 'place'])} FROM {source}")
            yield Table(path, names, types, about.text, about.decimal, rows, connection)
        finally:
            connection.close()


def _plain(column: str, kind: str) -> str:
    if kind in ("FLOAT", "DOUBLE"):
        return f"CASE WHEN isnan({column}) THEN NULL ELSE {column} END AS {column}"
    if kind == "VARCHAR":
        return f"nullif({column}, '') AS {column}"
    if kind.startswith(("ENUM", '"NULL"')):
        return f"nullif({column}::VARCHAR, '') AS {column}"
    return column
