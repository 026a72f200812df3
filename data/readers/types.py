"""Arrow types of a typed source as the few that a snapshot holds."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from data.errors import InputError

INT64_DIGITS = 18
BYTES = (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_fixed_size_binary, pa.types.is_binary_view)


def kept(form: pa.DataType) -> pa.DataType | None:
    """The type that a column of the type `form` has in a snapshot; None where it cannot be kept.

    Categories become strings, decimals numbers, nested lists one list of float32.
    """
    types = pa.types
    if types.is_dictionary(form) or types.is_run_end_encoded(form):
        return kept(form.value_type)
    if isinstance(form, pa.BaseExtensionType):
        return kept(form.storage_type)
    if types.is_list(form) or types.is_large_list(form) or types.is_fixed_size_list(form) or types.is_list_view(form):
        inner = kept(form.value_type)
        numbers = inner is not None and (types.is_integer(inner) or types.is_floating(inner) or types.is_boolean(inner))
        return pa.list_(pa.float32()) if inner == pa.list_(pa.float32()) or numbers else None
    if types.is_decimal(form):
        return pa.int64() if form.scale == 0 and form.precision <= INT64_DIGITS else pa.float64()
    if types.is_duration(form):
        return pa.float64()
    if types.is_nested(form):
        return None
    texts = (types.is_string, types.is_large_string, types.is_string_view, types.is_null, types.is_time)
    if any(is_so(form) for is_so in (*texts, *BYTES)):
        return pa.string()
    return pa.float32() if form == pa.float16() else form


def schema(given: pa.Schema, source: str, notes: list[str]) -> pa.Schema:
    """The columns of a snapshot; what is changed or left out is added to `notes`.

    Raises:
        InputError: no column can be kept.
    """
    fields = []
    for column in given:
        form = kept(column.type)
        if form is None:
            notes.append(f"{source}: the column {column.name!r} holds {column.type}, which no task takes; left out")
            continue
        if pa.types.is_decimal(column.type) or pa.types.is_duration(column.type):
            unit = ", in seconds" if pa.types.is_duration(column.type) else ""
            notes.append(f"{source}: the column {column.name!r} holds {column.type}, kept as {form}{unit}")
        fields.append(pa.field(column.name, form))
    if not fields:
        raise InputError(f"{source} has no column that can be kept; expected numbers, texts, times or lists of numbers")
    return pa.schema(fields)


def cast(values: pa.Array, form: pa.DataType, name: str, source: str) -> pa.Array:
    """A column as the type that `kept` chose.

    Raises:
        InputError: bytes are no UTF-8 text, or a number does not fit.
    """
    if isinstance(values, pa.ExtensionArray):
        values = values.storage
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    if values.type == form:
        return values
    try:
        if pa.types.is_list(form):
            return flat(values)
        if pa.types.is_duration(values.type):
            per_second = pa.scalar({"s": 1, "ms": 1e3, "us": 1e6, "ns": 1e9}[values.type.unit], pa.float64())
            return pc.divide(values.cast(pa.int64()).cast(pa.float64()), per_second)
        return values.cast(form)
    except pa.ArrowInvalid as error:
        raise InputError(
            f"{source}: the column {name!r} cannot be read ({error}); correct it or leave it out"
        ) from None


def flat(values: pa.Array) -> pa.Array:
    """Nested lists as one list of float32 per cell."""
    while pa.types.is_nested(values.type.value_type):
        values = _one_level_less(values)
    return values.cast(pa.list_(pa.float32()))


def _one_level_less(values: pa.Array) -> pa.Array:
    """Lists of lists as lists: an outer list goes from where its first inner list begins to where its last ends."""
    outer = values.cast(pa.large_list(values.type.value_type))
    inner = outer.values.cast(pa.large_list(outer.type.value_type.value_type))
    offsets = inner.offsets.take(outer.offsets)
    mask = outer.is_null() if outer.null_count else None
    return pa.LargeListArray.from_arrays(offsets, inner.values, mask=mask)


def cells(values: np.ndarray) -> pa.Array:
    """Cells that are arrays or nested lists as one list of float32 each; None stays missing."""
    flats = [None if cell is None else np.asarray(cell, dtype=np.float32).ravel() for cell in values]
    return pa.array(flats, pa.list_(pa.float32()))


def select(batches: Iterator[pa.RecordBatch], target: pa.Schema, source: str) -> Iterator[pa.RecordBatch]:
    """Batches with the columns and types of `target`."""
    for batch in batches:
        columns = [cast(batch.column(field.name), field.type, field.name, source) for field in target]
        yield pa.record_batch(columns, schema=target)
