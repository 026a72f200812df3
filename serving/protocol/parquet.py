"""A Parquet body as columns; pyarrow is imported with this module."""

import math

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from serving.contract import Column, Contract
from serving.protocol import parquet_pages
from serving.protocol.errors import Refused, bad_request, invalid
from serving.protocol.tensors import NUMBERS, finite, in_range, refuse_long, refuse_missing, texts
from serving.protocol.times import seconds, times

MAX_ROWS = 1_000_000
MAX_VALUES = 20_000_000
MAX_BYTES = 1 << 28
UNREADABLE = (pa.ArrowException, OSError, ValueError, KeyError, TypeError, AttributeError, NotImplementedError)


def parse(body: bytes, contract: Contract) -> dict[str, np.ndarray]:
    """The graph's inputs from a Parquet file with the contract's columns; others are not read.

    Raises:
        Refused: the file cannot be read, is too large when unpacked, or has columns of other types.
    """
    try:
        file = pq.ParquetFile(pa.BufferReader(body))
        schema = file.schema_arrow
        if twice := [name for name in contract.names if schema.names.count(name) > 1]:
            raise invalid(f"columns are given twice: {', '.join(twice)}")
        refuse_missing(dict.fromkeys(schema.names), contract)
        _refuse_large(file.metadata.num_rows, parquet_pages.size(body, contract.names))
        # a long text that stands in many rows is then held once
        shared = [name for name in contract.names if pa.types.is_string(schema.field(name).type)]
        file = pq.ParquetFile(pa.BufferReader(body), read_dictionary=shared)
        table = file.read(columns=list(contract.names), use_threads=False)
        return {column.name: _feed(table[column.name].combine_chunks(), column) for column in contract.columns}
    except Refused:
        raise
    except UNREADABLE:
        raise bad_request("the body is no Parquet file, or it is damaged") from None


def _refuse_large(rows: int, size: parquet_pages.Size) -> None:
    if rows > MAX_ROWS or size.values > MAX_VALUES or size.unpacked > MAX_BYTES:
        limits = f"at most {MAX_ROWS} rows, {MAX_VALUES} values and {MAX_BYTES} bytes when unpacked are taken"
        raise Refused(413, "REQUEST_LIMIT_EXCEEDED", f"the Parquet file is too large; {limits}")


def _feed(values: pa.Array, column: Column) -> np.ndarray:
    if column.shape:
        return _tensor(values, column)
    if isinstance(values, pa.DictionaryArray) and not pa.types.is_string(values.type.value_type):
        values = values.dictionary_decode()
    if pa.types.is_string_view(values.type):
        values = values.cast(pa.large_string())
    kind = values.type
    if column.kind in NUMBERS:
        if not (_is_number(kind) or pa.types.is_boolean(kind) or pa.types.is_null(kind)):
            raise _other_type(column, kind, "numbers")
        return finite(values.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False), column)
    if column.kind == "time":
        return _moments(values, column).reshape(-1, 1)
    if isinstance(values, pa.DictionaryArray):
        words = np.array([*values.dictionary.to_pylist(), ""], dtype=object)
        places = values.indices.fill_null(len(words) - 1).to_numpy(zero_copy_only=False)
        refuse_long(int(np.array(list(map(len, words)))[places].sum()), column.name)
        return words[places].reshape(-1, 1)
    if not (_is_number(kind) or pa.types.is_boolean(kind) or pa.types.is_null(kind) or pa.types.is_large_string(kind)):
        raise _other_type(column, kind, "texts")
    return texts(values.to_pylist(), column.name).reshape(-1, 1)


def _moments(values: pa.Array, column: Column) -> np.ndarray:
    if isinstance(values, pa.DictionaryArray):
        known = np.append(times(values.dictionary.to_pylist(), column.name), np.nan)
        return known[values.indices.fill_null(len(known) - 1).to_numpy(zero_copy_only=False)]
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


def _is_number(kind: pa.DataType) -> bool:
    return pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)


def _other_type(column: Column, kind: pa.DataType, expected: str) -> Refused:
    return invalid(f"{column.name}: the column is of the Parquet type {kind}; expected {expected}")
