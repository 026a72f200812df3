"""Requests that are hard on a parser, and what a refusal says."""

import io
import json
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from serving.contract import Column, Contract
from serving.protocol import parquet_pages
from serving.protocol.errors import Refused
from serving.protocol.loose import CSV, JSON, PARQUET, parse

KINDS = ("number", "boolean", "category", "text", "time")
TABLE = Contract("t", "y", tuple(Column(f"a_{kind}", kind) for kind in KINDS), ("no", "yes"))
TEXT = Contract("t", "y", (Column("note", "text"),), ("no", "yes"))
NUMBER = Contract("t", "y", (Column("age", "number"),), ("no", "yes"))
IMAGE = Contract("t", "y", (Column("pixels", "image", (4, 4), 0, 1),), ("no", "yes"))
ROW = {"a_number": 1.5, "a_boolean": True, "a_category": "b", "a_text": "c", "a_time": "2020-05-01"}
MIB = 1024 * 1024
hard = settings(
    max_examples=300, derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck)
)


def outcome(body: bytes, contract: Contract, content_type: str = JSON) -> dict[str, np.ndarray] | Refused:
    try:
        return parse(body, content_type, contract)
    except Refused as refused:
        assert 400 <= refused.status < 500  # noqa: PT017
        return refused


def refusal(body: Any, contract: Contract = TABLE, content_type: str | None = JSON) -> Refused:
    sent = body if isinstance(body, bytes) else json.dumps(body).encode()
    with pytest.raises(Refused) as caught:
        parse(sent, content_type, contract)
    return caught.value


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"{", "the body is no JSON: Expecting property name enclosed in double quotes at line 1, column 2"),
        (b'{"inputs": "\xff"}', "the body is no UTF-8: byte 12 cannot be decoded"),
        (
            {"inputs": [], "instances": []},
            "exactly one of dataframe_records, dataframe_split, inputs, instances; found",
        ),
        (
            {"inputs": {"a_number": [1]}},
            "columns are missing: a_boolean, a_category, a_text, a_time; expected a_number",
        ),
        (
            {"dataframe_records": [ROW, ROW | {"a_number": "secret"}]},
            "a_number, row 1: a value is no number; expected a",
        ),
        (
            {"dataframe_records": [ROW, ROW | {"a_number": 1e39}]},
            "a_number, row 1: a value is not finite, or too large",
        ),
        ({"instances": [ROW, ROW | {"a_boolean": 2}]}, "a_boolean, row 1: a value is neither true nor false nor null"),
        ({"instances": [ROW | {"a_text": {"secret": 1}}]}, "a_text, row 0: a value is a list or an object; expected"),
        (
            {"inputs": [ROW, ROW | {"a_time": "secret"}]},
            "a_time, row 1: a value is no time in ISO 8601; expected times",
        ),
        ({"instances": [ROW, {}]}, "a_number: some rows lack it and others have it; give null for missing"),
        (
            {"dataframe_split": {"columns": [*ROW], "data": [[1]]}},
            "5 columns are named, the rows of data have 1 values",
        ),
        ({"dataframe_split": {"columns": [*ROW, "a_text"], "data": [[*ROW.values(), "d"]]}}, "are given twice: a_text"),
    ],
)
def test_a_refusal_says_where_it_is_wrong_and_what_was_expected(body: Any, message: str) -> None:
    refused = refusal(body)
    assert message in refused.message
    assert "secret" not in refused.message
    assert json.loads(refused.body()) == {"error_code": refused.code, "message": refused.message}


def test_a_wrong_image_is_told_with_its_row() -> None:
    right = np.zeros((4, 4)).tolist()
    assert (
        "pixels, row 1: a value lies outside 0 to 1"
        in refusal(
            {"inputs": [right, np.full((4, 4), 2).tolist()]},
            IMAGE,
        ).message
    )
    assert (
        "the shape [4, 3]; expected nested lists of numbers of the shape [4, 4]"
        in refusal({"inputs": [np.zeros((4, 3)).tolist()]}, IMAGE).message
    )
    assert (
        "pixels, row 0: expected a list of 16 numbers"
        in refusal({"dataframe_records": [{"pixels": right}]}, IMAGE).message
    )


def test_no_content_type_is_an_unsupported_one() -> None:
    refused = refusal(b"{}", content_type=None)
    assert (refused.status, refused.plain) == (415, True)
    assert b"error_code" not in refused.body()


@pytest.mark.parametrize("opening", [b"[", b'{"a":', b'{"inputs":[', b'{"inputs":{"a_text":['])
@pytest.mark.parametrize("depth", [100, 900, 3_000, 1_000_000])
def test_deeply_nested_json_is_a_400(opening: bytes, depth: int) -> None:
    inner = b"[" if opening.endswith(b"[") else opening
    body = opening + inner * depth
    assert refusal(body).status == 400
    closed = b'{"inputs": {"a_text": ' + b"[" * depth + b"]" * depth + b"}}"
    assert refusal(closed, Contract("t", "y", (Column("a_text", "number"),), ())).status == 400
    assert refusal(closed.replace(b"a_text", b"pixels"), IMAGE).status == 400
    assert refusal(b'{"instances": [{"pixels": ' + b"[" * depth + b"]" * depth + b"}]}", IMAGE).status == 400
    assert refusal(b'{"instances": [{"other": ' + b"[" * depth + b"]" * depth + b"}]}").status == 400


def test_a_whole_number_of_any_length_is_a_number_or_a_400() -> None:
    assert parse(b'{"inputs": [1' + b"0" * 30 + b"]}", JSON, NUMBER)["age"] == np.float32(1e30)
    for digits in (39, 400, 5_000, 5_000_000):
        assert refusal(b'{"inputs": [1' + b"0" * digits + b"]}", NUMBER).status == 400
    assert parse(b'{"inputs": [1' + b"0" * 40 + b"]}", JSON, TEXT)["note"] == "1" + "0" * 40


HEAVY = [
    b'{"inputs": [' + b'"a",' * 2_500_000 + b'"a"]}',
    b'{"inputs": [' + b"{}," * 1_000_000 + b"{}]}",
    b'{"inputs": [' + b"[]," * 1_000_000 + b"[]]}",
    b'{"instances": [' + b"{}," * 1_000_000 + b"{}]}",
    b'{"dataframe_records": [' + b"{}," * 3_000_000 + b"{}]}",
    b'{"dataframe_split": {"columns": ["note"], "data": [' + b"[]," * 1_000_000 + b"[]]}}",
    b'{"dataframe_split": {"columns": ["note"], "data": [[' + b"1," * 4_000_000 + b"1]]}}",
    b'{"instances": [{"note": "' + b"a" * 5_000_000 + b'"}' + b',{"note": ""}' * 300_000 + b"]}",
    b'{"instances": [{"note": 1}, {"note": "' + b"a" * 5_000_000 + b'"}' + b',{"note": ""}' * 300_000 + b"]}",
    b'{"inputs": {"note": "' + b"a" * 5_000_000 + b'", "other": [' + b"1," * 2_000_000 + b"1]}}",
    b'{"inputs": "' + b"a" * 10_000_000 + b'"}',
    b'{"inputs": ["' + b"\\ud83d" * 1_600_000 + b'"]}',
]


def heavy() -> tuple[list[int], int]:
    """The status of each, and the most memory that this process ever took, in MiB."""
    found = [outcome(body, TEXT) for body in HEAVY]
    told = Path("/proc/self/status").read_text(encoding="ascii")  # where getrusage counts in what the parent took
    peak = int(told.partition("VmHWM:")[2].split()[0]) // 1024
    return [one.status if isinstance(one, Refused) else 200 for one in found], peak


def test_ten_megabytes_are_answered_or_refused_in_bounded_memory() -> None:
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as process:
        statuses, peak = process.submit(heavy).result()
    assert set(statuses) == {200, 400}
    assert peak < 1200


@hard
@given(st.binary(max_size=60), st.sampled_from([JSON, CSV, PARQUET]), st.sampled_from([TABLE, TEXT, NUMBER, IMAGE]))
def test_any_bytes_are_answered_or_refused(body: bytes, content_type: str, contract: Contract) -> None:
    outcome(body, contract, content_type)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from([*ROW, "note", "data", "columns", "index"]), inner)
    ),
    max_leaves=12,
)


@hard
@given(
    st.sampled_from(["dataframe_records", "dataframe_split", "instances", "inputs"]),
    JSON_VALUES,
    st.sampled_from([TABLE, TEXT, NUMBER, IMAGE]),
)
def test_any_json_is_answered_or_refused(layout: str, content: Any, contract: Contract) -> None:
    found = outcome(json.dumps({layout: content}).encode(), contract)
    if not isinstance(found, Refused):
        assert list(found) == list(contract.names)
        assert len({len(array) for array in found.values()}) == 1


def parquet(table: pa.Table, **options: Any) -> bytes:
    file = io.BytesIO()
    pq.write_table(table, file, **options)
    return file.getvalue()


@pytest.mark.parametrize("seed", range(40))
def test_a_parquet_file_with_changed_bytes_is_answered_or_refused(seed: int) -> None:
    random = np.random.default_rng(seed)
    whole = parquet(pa.Table.from_pylist([ROW | {"a_boolean": 1.0}] * 9))
    for _ in range(20):
        body = bytearray(whole)
        for place in random.integers(len(body), size=3):
            body[place] = random.integers(256)
        outcome(bytes(body), TABLE, PARQUET)


def test_a_small_parquet_file_of_very_many_rows_is_refused() -> None:
    body = parquet(
        pa.table({"age": pa.array(np.zeros(2_000_000))}),
        compression="zstd",
    )
    assert len(body) < MIB
    assert refusal(body, NUMBER, PARQUET).status == 413


def test_a_long_text_that_stands_for_very_many_rows_is_refused() -> None:
    both = Contract("t", "y", (Column("note", "text"), Column("age", "number")), ("no", "yes"))
    assert refusal({"inputs": {"note": "a" * MIB, "age": [1] * 100_000}}, both).status == 413
    shared = pa.DictionaryArray.from_arrays(pa.array(np.zeros(900_000, dtype=np.int32)), pa.array(["a" * MIB]))
    assert refusal(parquet(pa.table({"note": shared}), compression="zstd"), TEXT, PARQUET).status == 413


@pytest.mark.parametrize("compression", ["gzip", "zstd"])
def test_a_parquet_file_that_unpacks_to_very_much_is_refused_before_it_is(compression: str) -> None:
    zeros = pa.ListArray.from_arrays([0, 21_000_000], pa.array(np.zeros(21_000_000, dtype=np.float32)))
    body = parquet(pa.table({"pixels": zeros}), compression=compression, use_dictionary=True)
    assert refusal(body, IMAGE, PARQUET).status == 413
    body = parquet(pa.table({"note": ["a" * 300 * MIB]}), compression=compression, use_dictionary=False)
    assert refusal(body, TEXT, PARQUET).status == 413


@pytest.mark.parametrize("version", ["1.0", "2.0"])
@pytest.mark.parametrize("compression", ["none", "zstd"])
def test_the_size_of_pages_is_told_right(version: Any, compression: str) -> None:
    table = pa.table({"age": np.arange(100_000.0), "note": [f"text {number}" for number in range(100_000)]})
    options = {"compression": compression, "data_page_version": version, "data_page_size": 9_000}
    body = parquet(table, row_group_size=30_000, use_dictionary=False, **options)
    assert parquet_pages.size(body, ["age"]) == pytest.approx((800_000, 100_000), rel=0.01)
    both, metadata = parquet_pages.size(body, ["age", "note"]), pq.ParquetFile(io.BytesIO(body)).metadata
    sums = sum(metadata.row_group(group).total_byte_size for group in range(metadata.num_row_groups))
    assert both == pytest.approx((sums, 200_000), rel=0.02)  # the sum has the pages' headers too


def test_parquet_may_have_whole_numbers_booleans_nested_lists_and_an_index() -> None:
    whole = pa.table({"a_number": pa.array([2**40]), "a_boolean": pa.array([True])})
    for name in ("a_category", "a_text", "a_time"):
        whole = whole.append_column(name, pa.array([None], pa.string()))
    feeds = parse(parquet(whole), PARQUET, TABLE)
    assert (feeds["a_number"].item(), feeds["a_boolean"].item()) == (2**40, 1)
    nested = pa.array([np.eye(4).tolist()], pa.list_(pa.list_(pa.float64())))
    assert parse(parquet(pa.table({"pixels": nested})), PARQUET, IMAGE)["pixels"].tolist() == [np.eye(4).tolist()]


def test_csv_may_hold_categories_texts_and_times() -> None:
    body = '\ufeffa_time,a_text,a_category,a_boolean,a_number,other\n2020-05-01,"b, c",007,True,1.5,x\n,NA,,False,,\n'
    feeds = parse(body.encode(), CSV, TABLE)
    assert feeds["a_category"].tolist() == [["007"], [""]]
    assert feeds["a_text"].tolist() == [["b, c"], [""]]
    assert feeds["a_boolean"].tolist() == [[1.0], [0.0]]
    np.testing.assert_array_equal(feeds["a_time"], [[1_588_291_200.0], [np.nan]])


def test_csv_with_more_values_than_columns_is_refused_and_not_shifted() -> None:
    assert "row 0 has 2 values, the header has 1 columns" in refusal(b"age\n1,2\n", NUMBER, CSV).message
