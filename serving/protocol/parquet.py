"""A Parquet body as columns; pyarrow is imported with this module."""

import math

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from serving.contract import Column, Contract
from serving.protocol import parquet_pages
from serving.protocol.errors import Refused, bad_request, invalid
from serving.protocol.tensors import MAX_CHARACTERS, NUMBERS, finite, in_range, refuse_long, refuse_missing, texts
from serving.protocol.times import seconds, times
from serving.runtime.session import Feeds
from serving.runtime.texts import Texts

MAX_ROWS = 1_000_000
MAX_VALUES = 20_000_000
MAX_BYTES = 1 << 28
UNREADABLE = (pa.ArrowException, OSError, ValueError, LookupError, TypeError, AttributeError, NotImplementedError)


def parse(body: bytes, contract: Contract) -> Feeds:
    """The graph's inputs from a Parquet file with the contract's columns; others are not read.

    Raises:
        Refused: the file cannot be read, is too large when unpacked, or has columns of other types.
    """
    try:
        file = pq.ParquetFile(pa.BufferReader(body))
        schema = file.schema_arrow
        given, types = schema.names, dict(zip(schema.names, schema.types, strict=True))
        if twice := [name for name in contract.names if given.count(name) > 1]:
            raise invalid(f"columns are given twice: {', '.join(twice)}")
        refuse_missing(types, contract)
        _refuse_large(file.metadata.num_rows, parquet_pages.size(body, contract.names))
        # a long text that stands in many rows is then held once
        shared = [name for name in contract.names if _is_text(types[name])]
        file = pq.ParquetFile(pa.BufferReader(body), metadata=file.metadata, read_dictionary=shared)
        table = file.read(columns=list(contract.names), use_threads=False)
        return {column.name: _feed(_whole(table[column.name]), column) for column in contract.columns}
    except Refused:
        raise
    except UNREADABLE:
        raise bad_request("the body is no Parquet file, or it is damaged") from None


def _refuse_large(rows: int, size: parquet_pages.Size) -> None:
    if rows > MAX_ROWS or size.values > MAX_VALUES or size.unpacked > MAX_BYTES:
        limits = f"at most {MAX_ROWS} rows, {MAX_VALUES} values and {MAX_BYTES} bytes when unpacked are taken"
        raise Refused(413, "REQUEST_LIMIT_EXCEEDED", f"the Parquet file is too large; {limits}")


def _whole(values: pa.ChunkedArray) -> pa.Array:
    return values.chunk(0) if values.num_chunks == 1 else values.combine_chunks()


def _feed(values: pa.Array, column: Column) -> np.ndarray | Texts:
    if column.shape:
        return _tensor(values, column)
    if isinstance(values, pa.DictionaryArray) and not _is_text(values.type.value_type):
        values = values.dictionary_decode()
    if pa.types.is_string_view(values.type):
        values = values.cast(pa.large_string())
    kind = values.type
    if column.kind in NUMBERS:
        if not (_is_number(kind) or pa.types.is_boolean(kind) or pa.types.is_null(kind)):
            raise _other_type(column, kind, "numbers")
        numbers = values if pa.types.is_float32(kind) else values.cast(pa.float64(), safe=False)
        return finite(numbers.to_numpy(zero_copy_only=False), column)
    if column.kind == "time":
        return _moments(values, column).reshape(-1, 1)
    if isinstance(values, pa.DictionaryArray):
        return _texts(values, column.name)
    if not (_is_number(kind) or pa.types.is_boolean(kind) or pa.types.is_null(kind) or pa.types.is_large_string(kind)):
        raise _other_type(column, kind, "texts")
    return texts(values.to_pylist(), column.name).reshape(-1, 1)


def _texts(values: pa.DictionaryArray, name: str) -> Texts:
    """A column of texts; missing ones have no characters."""
    words = [*values.dictionary.to_pylist(), ""]
    places = _places(values)
    encoded = [word.encode() for word in words]
    if max(map(len, encoded)) * len(places) > MAX_CHARACTERS:
        refuse_long(int(np.array(list(map(len, words))).take(places).sum()), name)
    return Texts(encoded, places)


def _places(values: pa.DictionaryArray) -> np.ndarray:
    """Each row's place in the dictionary, behind its end for missing; a place of 8 bits might not reach that."""
    places = values.indices.cast(pa.int64())
    return (places.fill_null(len(values.dictionary)) if values.null_count else places).to_numpy()


def _moments(values: pa.Array, column: Column) -> np.ndarray:
    if isinstance(values, pa.DictionaryArray):
        known = np.append(times(values.dictionary.to_pylist(), column.name), np.nan)
        return known.take(_places(values))
    kind = values.type
    if pa.types.is_large_string(kind) or pa.types.is_null(kind):
        return times(values.to_pylist(), column.name)
    if not (pa.types.is_timestamp(kind) or pa.types.is_date(kind)):
        raise _other_type(column, kind, "times")
    fine = kind == pa.timestamp("ns", kind.tz) if pa.types.is_timestamp(kind) else False
    moments = values if fine else values.cast(pa.timestamp("us", getattr(kind, "tz", None)), safe=False)
    whole = moments.cast(pa.int64()).fill_null(0).to_numpy()
    found = seconds(whole // 1000 if fine else whole)
    found[values.is_null().to_numpy(zero_copy_only=False)] = np.nan
    return found


def _tensor(values: pa.Array, column: Column) -> np.ndarray:
    """Lists of all the numbers of a row, or nested lists of the column's shape."""
    rows, size = len(values), math.prod(column.shape)
    lengths: list[int] = []
    while (
        pa.types.is_list(values.type) or pa.types.is_large_list(values.type) or pa.types.is_fixed_size_list(values.type)
    ):
        found = pc.unique(pc.list_value_length(values)).to_pylist()
        if len(found) > 1 or None in found:
            raise invalid(f"{column.name}: lists are of unequal lengths; expected the shape {list(column.shape)}")
        lengths += found
        values = values.flatten()
    if not _is_number(values.type):
        raise _other_type(column, values.type, "lists of numbers")
    if tuple(lengths) not in ((size,), column.shape):
        raise invalid(f"{column.name}: a value has the shape {lengths}; expected {list(column.shape)} or [{size}]")
    numbers = values.cast(pa.float32(), safe=False).to_numpy(zero_copy_only=False)
    return in_range(numbers.reshape(rows, *column.shape), column)


def _is_text(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind)


def _is_number(kind: pa.DataType) -> bool:
    return pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)


def _other_type(column: Column, kind: pa.DataType, expected: str) -> Refused:
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    return invalid(f"{column.name}: the column is of the Parquet type {kind}; expected {expected}")
