"""Parquet files, with the types they declare."""

import re
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from data.errors import InputError
from data.readers import Rows, batch_rows, types, unique
from data.readers.text import same_columns

INDEX = re.compile(r"__index_level_\d+__")  # what pandas writes of row labels without a name


def read(paths: list[Path]) -> Rows:
    """The rows of Parquet files that have the same columns.

    Raises:
        InputError: a file is no Parquet, has no row, or has other columns than the first; the message names it.
    """
    notes: list[str] = []
    raw = set().union(*map(_raw_bytes, paths))
    schemas = [_schema(path, raw, notes) for path in paths]
    for path, other in zip(paths[1:], schemas[1:], strict=True):
        same_columns(schemas[0].names, other.names, paths[0], path)
    target = schemas[0]
    for path, other in zip(paths[1:], schemas[1:], strict=True):
        try:
            target = pa.unify_schemas([target, other], promote_options="permissive")
        except pa.ArrowTypeError as error:
            raise InputError(
                f"{path} has other types than {paths[0]} ({error}); write the files with the same types"
            ) from None

    def batches() -> Iterator[pa.RecordBatch]:
        for path in paths:
            yield from types.select(_batches(path, batch_rows(target)), target, str(path))

    return Rows(target, batches(), "parquet", notes=notes)


def _raw_bytes(path: Path) -> set[str]:
    """The columns of bytes that are no text, such as pictures."""
    file = _open(path)
    found = set()
    for field in file.schema_arrow:
        if any(is_so(field.type) for is_so in types.BYTES):
            batches = file.iter_batches(batch_size=batch_rows(file.schema_arrow), columns=[field.name])
            try:
                for batch in batches:
                    batch.column(0).cast(pa.string())
            except pa.ArrowInvalid:
                found.add(field.name.strip())
    return found


def _schema(path: Path, raw: set[str], notes: list[str]) -> pa.Schema:
    file = _open(path)
    if not file.metadata.num_rows:
        raise InputError(f"{path} has no row; expected at least some")
    given = _named(file.schema_arrow, path, notes)
    indices = [name for name in given.names if INDEX.fullmatch(name)]
    if indices:
        notes.append(f"{path}: the row labels that pandas wrote ({', '.join(indices)}) are left out")
    photos = [name for name in given.names if name in raw]
    notes += [f"{path}: the column {name!r} holds bytes that are no text; left out" for name in photos]
    return types.schema(pa.schema([f for f in given if f.name not in {*indices, *photos}]), str(path), notes)


def _named(given: pa.Schema, path: Path, notes: list[str]) -> pa.Schema:
    names = unique(given.names, path, notes)
    return pa.schema([field.with_name(name) for field, name in zip(given, names, strict=True)])


def _batches(path: Path, size: int) -> Iterator[pa.RecordBatch]:
    file = _open(path)
    named = _named(file.schema_arrow, path, [])
    try:
        for batch in file.iter_batches(batch_size=size, use_threads=False):
            yield pa.record_batch(batch.columns, names=named.names)
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{path} cannot be read ({error}); write it again") from None


def _open(path: Path) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(path)
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{path} cannot be read as Parquet ({error}); check the file") from None
