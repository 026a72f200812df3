"""The fetch stage: a snapshot of the rows of one task's source."""

import hashlib
import json
import shutil
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data import params, source
from data.snapshot import RAW, RECORD, ROWS, Snapshot

if TYPE_CHECKING:
    import pyarrow as pa

    from data.readers import Rows

CODE = Path(__file__).parent
PROGRESS = 5.0  # seconds between two words on how far it is


def fetch(content: dict[str, Any], name: str) -> Path:
    """Write the snapshot of a task's source; return its folder, which appears whole or not at all.

    Files with the same bytes and the same declaration are not read again. A Python file or a query always is, as
    its rows may be others; equal rows give equal bytes.

    Raises:
        InputError: the declaration is wrong or the source cannot be read.
    """
    declared = params.task(content, name).source
    key = f"tasks.{name}.source"
    paths = source.files(declared, key)
    files = [{"path": path.as_posix(), "sha256": digest(path)} for path in paths]
    folder, memory = RAW / name, RAW / f".{name}.json"
    asked = {"files": files, "declared": declared.model_dump(mode="json", exclude={"url"}), "code": _code()}
    fixed = declared.url is None and source.kind(paths[0]) != "python"
    if fixed and _remembered(memory) == {"asked": asked, "given": _given(folder)}:
        print(f"{name}: the source is as it was")
        _tell(name, json.loads((folder / RECORD).read_text(encoding="utf-8"))["notes"])
        return folder

    unfinished = RAW / f".{name}.unfinished"
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    try:
        rows = source.rows(declared, paths, key)
        total, decimal = _write(rows, unfinished / ROWS, name, declared)
        snapshot = Snapshot(files, rows.format, rows.text, decimal, rows.notes)
        record = json.dumps(asdict(snapshot), indent=1, ensure_ascii=False)
        (unfinished / RECORD).write_text(record + "\n", encoding="utf-8")
        memory.unlink(missing_ok=True)
        shutil.rmtree(folder, ignore_errors=True)
        unfinished.rename(folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    memory.write_text(json.dumps({"asked": asked, "given": _given(folder)}) + "\n", encoding="utf-8")
    print(f"{name}: {total:,} rows of {len(rows.schema)} columns")
    _tell(name, rows.notes)
    return folder


def _tell(name: str, notes: list[str]) -> None:
    for note in notes:
        print(f"{name}: {note}")


def digest(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _code() -> str:
    """SHA-256 of the code that reads, since another reader may give other rows."""
    total = hashlib.sha256()
    for path in sorted([*(CODE / "readers").glob("*.py"), CODE / "fetch.py", CODE / "source.py"]):
        total.update(path.read_bytes())
    return total.hexdigest()


def _given(folder: Path) -> dict[str, str] | None:
    paths = [folder / ROWS, folder / RECORD]
    return {path.name: digest(path) for path in paths} if all(path.is_file() for path in paths) else None


def _remembered(memory: Path) -> object:
    try:
        return json.loads(memory.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None


def _write(rows: "Rows", path: Path, name: str, declared: params.Source) -> tuple[int, str]:
    """Write the rows; how many there are, and their decimal mark."""
    import pyarrow.parquet as pq

    from data.readers.decimal import Marks

    total, marks = 0, Marks(rows.schema.names if rows.text else [])
    with pq.ParquetWriter(path, rows.schema, compression="zstd") as writer:
        for batch in _telling(rows.batches, name):
            writer.write_batch(batch)
            marks.see(batch)
            total += batch.num_rows
    return total, declared.decimal or marks.decide(path, rows.notes)


def _telling(batches: "Iterator[pa.RecordBatch]", name: str) -> "Iterator[pa.RecordBatch]":
    """The batches, with a word on how far it is where it takes long."""
    total, told = 0, time.monotonic()
    for batch in batches:
        total += batch.num_rows
        if time.monotonic() > told + PROGRESS:
            told = time.monotonic()
            print(f"{name}: {total:,} rows read", file=sys.stderr, flush=True)
        yield batch
