"""Rows that a query selects from a database, through SQLAlchemy."""

import os
import re
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from data.errors import InputError
from data.readers import BATCH_ROWS, Rows, types, unique

if TYPE_CHECKING:
    from sqlalchemy import URL

VARIABLE = re.compile(r"\$\{(\w+)\}")


def read(url: str, query: str, key: str) -> Rows:
    """The rows of a query, fetched in parts.

    A database may give other types in later parts (SQLite types each value by itself), so that the parts wait in a
    temporary file until the type of each column is known.

    Args:
        url: a SQLAlchemy URL; `${NAME}` in it stands for an environment variable.
        query: one SELECT.
        key: the source's place in `params.yaml`, for messages.

    Raises:
        InputError: the URL is none, its driver or variable is missing, or the database refuses; no message holds
            a password.
    """
    address, secrets = _address(url, key)
    shown = _hidden(address.render_as_string(hide_password=True), secrets)
    notes: list[str] = []
    waiting = tempfile.TemporaryDirectory(prefix="query-")
    parts: list[Path] = []
    given: pa.Schema | None = None
    for part in _parts(address, query, key, shown, secrets, notes):
        parts.append(Path(waiting.name) / f"{len(parts)}.parquet")
        pq.write_table(pa.Table.from_batches([part]), parts[-1])
        given = part.schema if given is None else _widest(given, part.schema, notes)
    if given is None:
        raise InputError(f"params.yaml: {key}.query: the query gives no row; correct it")
    target = types.schema(given, "the query", notes)

    def batches() -> Iterator[pa.RecordBatch]:
        with waiting:
            for path in parts:
                for batch in pq.ParquetFile(path).iter_batches(batch_size=BATCH_ROWS, use_threads=False):
                    yield from types.select(iter([batch]), target, "the query")

    return Rows(target, batches(), "sql", notes=notes)


def _hidden(text: str, secrets: list[str]) -> str:
    for secret in filter(None, secrets):
        text = text.replace(secret, "***")
    return text


def _address(url: str, key: str) -> "tuple[URL, list[str]]":
    """The URL with environment variables filled in, each in its place so that no sign in it has a meaning."""
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    secrets: list[str] = []

    def filled(text: str | None) -> str | None:
        def value(found: re.Match[str]) -> str:
            name = found.group(1)
            if name not in os.environ:
                raise InputError(f"params.yaml: {key}.url: the environment variable {name} is not set; export it")
            secrets.append(os.environ[name])
            return os.environ[name]

        return VARIABLE.sub(value, text) if text else text

    whole = VARIABLE.fullmatch(url.strip())
    try:
        address = make_url(filled(url.strip()) or "") if whole else make_url(url)
    except ArgumentError:
        raise InputError(
            f"params.yaml: {key}.url: no SQLAlchemy URL; expected one like postgresql+psycopg2://user:${{PASSWORD}}@host/db"
        ) from None
    if not whole:
        address = address.set(
            username=filled(address.username),
            password=filled(address.password and str(address.password)),
            host=filled(address.host),
            database=filled(address.database),
            query={name: _each(value, filled) for name, value in address.query.items()},
        )
    if address.password:
        secrets.append(str(address.password))
    return address, secrets


def _each(value: Any, filled: Any) -> Any:
    return filled(value) if isinstance(value, str) else tuple(filled(one) for one in value)


def _parts(
    address: "URL", query: str, key: str, shown: str, secrets: list[str], notes: list[str]
) -> Iterator[pa.RecordBatch]:
    from sqlalchemy import create_engine, text
    from sqlalchemy.exc import NoSuchModuleError, SQLAlchemyError

    if (
        address.drivername == "sqlite"
        and not address.query
        and address.database
        and not Path(address.database).is_file()
    ):
        raise InputError(f"params.yaml: {key}.url: there is no file {address.database}; correct the path")
    try:
        engine = create_engine(address)
        with engine.connect() as connection:
            result = connection.execution_options(stream_results=True).execute(text(query))
            names = unique(list(result.keys()), "the query", notes)
            for rows in result.partitions(BATCH_ROWS):
                yield _batch(rows, names, notes)
        engine.dispose()
    except (SQLAlchemyError, ImportError) as error:
        reason = _hidden(str(getattr(error, "orig", None) or error).splitlines()[0], secrets)
        missing = isinstance(error, ImportError | NoSuchModuleError)
        fix = (
            "install the driver that the URL names" if missing else "correct the URL or the query, or see to the server"
        )
        raise InputError(f"params.yaml: {key}: {shown}: {reason}; {fix}") from None


def _batch(rows: Sequence[Any], names: list[str], notes: list[str]) -> pa.RecordBatch:
    columns = []
    for name, values in zip(names, zip(*rows, strict=True), strict=True):
        try:
            columns.append(pa.array(values))
        except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
            if all(isinstance(value, int | float) or value is None for value in values):
                columns.append(pa.array([None if value is None else float(value) for value in values]))
            else:
                _mixed(name, notes)
                columns.append(pa.array([None if value is None else str(value) for value in values]))
    return pa.record_batch(columns, names=names)


def _widest(one: pa.Schema, other: pa.Schema, notes: list[str]) -> pa.Schema:
    """The types that hold the values of both parts: text where nothing else does."""
    fields = []
    for left, right in zip(one, other, strict=True):
        try:
            fields.append(pa.unify_schemas([pa.schema([left]), pa.schema([right])], promote_options="permissive")[0])
        except pa.ArrowTypeError:
            _mixed(left.name, notes)
            fields.append(pa.field(left.name, pa.string()))
    return pa.schema(fields)


def _mixed(name: str, notes: list[str]) -> None:
    note = f"the query: the column {name!r} mixes types and is kept as text"
    if note not in notes:
        notes.append(note)
