"""Texts and numbers of Parquet files reach the graph as they do one by one, however the file holds them."""

import io
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from serving.contract import Column, Contract
from serving.protocol.errors import Refused
from serving.protocol.loose import PARQUET, parse
from serving.runtime.labels import Classes
from serving.runtime.session import tensor
from serving.runtime.texts import Texts

NOTES = Contract("t", "y", (Column("note", "text"),), ("no", "yes"))
AGES = Contract("t", "y", (Column("age", "number"),), ("no", "yes"))
TIMES = Contract("t", "y", (Column("since", "time"),), ("no", "yes"))
LONG = "ü" * 40
LISTS: list[list[str | None]] = [
    ["UA", "DL", None, "UA", ""],
    ["same", "wide", "four"],
    ["ü蓝", "a b", None, "ascii"],
    ["a\0b", "a", "a\0"],
    [LONG, "short", None],
    [None, None],
    [""],
    [f"text {number}" for number in range(3_000)],
]


def file(values: pa.Array, name: str = "note", **options: Any) -> bytes:
    written = io.BytesIO()
    pq.write_table(pa.table({name: values}), written, **options)
    return written.getvalue()


def read(body: bytes) -> np.ndarray | Texts:
    return parse(body, PARQUET, NOTES)["note"]


def given(feed: np.ndarray | Texts) -> list[str]:
    """The texts as they stand in a tensor."""
    value = tensor(feed)
    return Classes(NOTES.classes).read(value.pointer, len(feed))


@pytest.mark.parametrize("options", [{}, {"row_group_size": 2}, {"use_dictionary": False}], ids=str)
@pytest.mark.parametrize(
    "kind", [pa.string(), pa.large_string(), pa.dictionary(pa.int16(), pa.large_string())], ids=str
)
@pytest.mark.parametrize("texts", LISTS, ids=lambda texts: repr(texts[:3]))
def test_a_graph_gets_the_texts_of_a_file(texts: list[str | None], kind: pa.DataType, options: dict[str, Any]) -> None:
    feed = read(file(pa.array(texts, kind), **options))
    assert feed.shape == (len(texts), 1)
    assert given(feed) == [text or "" for text in texts]


def test_texts_of_a_file_by_pandas_stand_once() -> None:
    written = io.BytesIO()
    pd.DataFrame({"note": ["UA", None, "DL"] * 9}).to_parquet(written)
    feed = read(written.getvalue())
    assert isinstance(feed, Texts)
    assert sorted(feed.words) == [b"", b"DL", b"UA"]


def test_a_dictionary_that_uses_all_of_its_8_bits_may_have_missing_values() -> None:
    texts = [f"2020-05-01T00:00:00.{number:03}Z" for number in range(128)]
    values = pa.DictionaryArray.from_arrays(pa.array([*range(128), None], pa.int8()), pa.array(texts))
    assert given(read(file(values))) == [*texts, ""]
    times = parse(file(values, "since"), PARQUET, TIMES)["since"].ravel()
    np.testing.assert_allclose(times, [*(1_588_291_200 + np.arange(128) / 1000), np.nan], rtol=0, atol=1e-6)


def test_a_file_without_rows_has_texts_of_none() -> None:
    for kind in (pa.string(), pa.large_string(), pa.dictionary(pa.int32(), pa.string())):
        assert read(file(pa.array([], kind))).shape == (0, 1)


def test_bytes_that_are_no_text_are_refused() -> None:
    wrong = pa.Array.from_buffers(pa.string(), 1, [None, pa.py_buffer(b"\0\0\0\0\1\0\0\0"), pa.py_buffer(b"\xff")])
    with pytest.raises(Refused) as refused:
        read(file(wrong))
    assert refused.value.status == 400


@pytest.mark.parametrize("kind", [pa.float16(), pa.float32(), pa.float64(), pa.int16(), pa.int64()], ids=str)
def test_numbers_of_any_width_are_the_same(kind: pa.DataType) -> None:
    values = [1.0, None, -3.0, 7.0] if pa.types.is_floating(kind) else [1, None, -3, 7]
    feed = parse(file(pa.array(values).cast(kind), "age", row_group_size=3), PARQUET, AGES)["age"]
    assert feed.dtype == np.float32
    np.testing.assert_array_equal(feed, np.array([[1], [np.nan], [-3], [7]], dtype=np.float32))


@pytest.mark.parametrize("value", [pa.scalar(np.inf, pa.float32()), pa.scalar(-np.inf), pa.scalar(1e39)])
def test_numbers_that_are_not_finite_are_refused(value: pa.Scalar) -> None:
    numbers = pa.array([1.0, value.as_py()], value.type)
    with pytest.raises(Refused, match="age, row 1: a value is not finite"):
        parse(file(numbers, "age"), PARQUET, AGES)


def test_texts_in_place_of_numbers_are_refused_by_their_type() -> None:
    with pytest.raises(Refused, match="age: the column is of the Parquet type string; expected numbers"):
        parse(file(pa.array(["a"], pa.large_string()), "age"), PARQUET, AGES)
