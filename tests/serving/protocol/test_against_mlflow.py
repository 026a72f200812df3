"""What the parser gives the graph, against what MLflow's own parser, its schema and a version's code give it."""

import io
import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from serving.contract import Column, Contract
from serving.protocol.errors import Refused
from serving.protocol.loose import CSV, JSON, PARQUET, parse
from serving.runtime.texts import Texts
from tests.serving.protocol.drawn import bodies, tables
from tests.serving.protocol.oracle import Oracle

BINARY = ("no", "yes")
CONTRACTS = {
    "people": Contract(
        "people",
        "left",
        (
            Column("age", "number"),
            Column("member", "boolean"),
            Column("plan", "category"),
            Column("note", "text"),
            Column("since", "time"),
        ),
        BINARY,
    ),
    "words": Contract("words", "left", (Column("plan", "category"), Column("note", "text")), BINARY),
    "text": Contract("text", "left", (Column("note", "text"),), BINARY),
    "number": Contract("number", "left", (Column("age", "number"),), BINARY),
    "counts": Contract("counts", "left", (Column("age", "number"), Column("member", "boolean")), BINARY),
    "time": Contract("time", "left", (Column("since", "time"),), BINARY),
    "motion": Contract("motion", "pace", (Column("steps", "sequence", (5, 2), -9, 9),), BINARY),
}
ORACLES = {name: Oracle(contract) for name, contract in CONTRACTS.items()}
NAN, INFINITY = float("nan"), float("inf")
drawn = settings(
    max_examples=150, derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck)
)


def assert_same(name: str, body: bytes, content_type: str = JSON) -> None:
    wanted = ORACLES[name](body, content_type)
    try:
        found: Any = parse(body, content_type, CONTRACTS[name])
    except Refused as refused:
        found = (refused.status, "text/plain" if refused.plain else refused.code)
    if isinstance(wanted, tuple) or isinstance(found, tuple):
        assert found == wanted
        return
    assert list(found) == list(wanted)
    if content_type == PARQUET:
        found = {column: _texts(array) for column, array in found.items()}
    for column, array in wanted.items():
        assert (found[column].dtype, found[column].shape) == (array.dtype, array.shape)
        if array.dtype == object:
            assert found[column].tolist() == array.tolist()
        else:
            np.testing.assert_allclose(found[column], array, rtol=1e-15)


def _texts(feed: np.ndarray | Texts) -> np.ndarray:
    """Texts of which each is held once, each for itself."""
    return feed.ravel()[:, None] if isinstance(feed, Texts) else feed


@pytest.mark.parametrize("name", CONTRACTS)
@drawn
@given(st.data())
def test_drawn_requests_give_the_graph_the_same(name: str, data: st.DataObject) -> None:
    assert_same(name, data.draw(bodies(CONTRACTS[name])))


@drawn
@given(tables(("age", "extra", "member")))
def test_drawn_tables_give_the_graph_the_same(body: bytes) -> None:
    assert_same("counts", body, CSV)


def layouts(name: str, values: list[Any]) -> list[dict[str, Any]]:
    """Values of a contract's only column in all ways to send them."""
    first = [] if isinstance(values[0], dict) else [{"inputs": {name: values[0]}}, {"inputs": values[0]}]
    return [
        *first,
        {"dataframe_records": [{name: value} for value in values]},
        {"dataframe_split": {"columns": [name], "data": [[value] for value in values]}},
        {"instances": [{name: value} for value in values]},
        {"instances": values},
        {"inputs": [{name: value} for value in values]},
        {"inputs": {name: values}},
    ]


@pytest.mark.parametrize(
    "values",
    [
        [5],
        [5, None],
        [5.5, 6],
        [5.0],
        [5.0, None],
        [1e300],
        [1e19, None],
        [INFINITY],
        [INFINITY, 5],
        [NAN, "a"],
        [None, NAN],
        [True, None],
        [True, NAN],
        [True, 1],
        [True, 2.5],
        [True, "a"],
        [1, "a"],
        [1.5, 2, "a"],
        [1e16, "a"],
        [1e16, 5.5],
        [None, "a", 5.0],
        [2**53 + 1, None],
        [2**53 + 1, 1.5],
        [2**63, None],
        [2**63, -1],
        [2**63, -1, None],
        [2**63, 1, 1.5],
        [2**64, None],
        [2**64, "a"],
        [-(2**63) - 1],
        [["a", "b"]],
        [["a"], ["b"]],
        ["a", ["b"]],
        [{"a": 1}],
    ],
    ids=repr,
)
def test_what_is_no_text_becomes_the_same_text(values: list[Any]) -> None:
    for body in layouts("note", values):
        assert_same("text", json.dumps(body).encode())


@pytest.mark.parametrize(
    "value",
    [
        *("5", "5.0", "1_0", " 5 ", "abc", "", "nan", "inf", "1e3", "0x10", "\u0663", "1e400", "5\0", "+5", "5."),
        *(True, None, [1], {"a": 1}, 10**30, 10**400, 2**63, 1e39, 3.4028235e38, 3.4028236e38),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_what_is_no_number_becomes_the_same_number(value: Any) -> None:
    for body in (*layouts("age", [value]), *layouts("age", [value, 5])):
        assert_same("number", json.dumps(body).encode())


@pytest.mark.parametrize(
    "values",
    [
        *(
            ["2020"],
            ["2020-05"],
            ["202005"],
            ["2020-5-1"],
            ["2020/05/01"],
            ["2020.05.01"],
            ["2020 05 01"],
            ["20200501"],
        ),
        *(["2020\\05\\01"], ["2020-05-01T"], ["2020-05-01T1"], ["2020-05-01T10"], ["2020-05-01 10:5"]),
        *(["2020-05-01 1:05:3"], ["2020-05-01T1005"], ["2020-05-01T100503"], ["2020-05-01T100503.25"]),
        *(["2020-05-01T10:0503"], ["2020-05-01T10:05:03."], ["2020-05-01T10:05:03.5"], ["2020-05-01T10:05:03,5"]),
        *(["2020-05-01T10:05:03." + digits] for digits in ("123456789", "0000001", "123456789012345678", "1" * 19)),
        *(["2020-05-01T10:05:03" + zone] for zone in ("z", " Z", "Z ", "Z+01", "+1", "+01", "+0130", "+01:3", "+01:")),
        *(
            ["2020-05-01T10:05:03" + zone]
            for zone in ("+24:00", "-23:59", "+01:60", " +01:00", "+01 ", "+01:00 ", "UTC")
        ),
        *(["2020-05-01T10Z"], ["2020-05-01Z"], ["2020 10:00"], ["2020-05 10:00"], ["2020-05-01  10:00"]),
        *(
            [" 2020-05-01"],
            ["2020-05-01 "],
            ["2020-05-01T10:05 "],
            ["2020-05-01\n"],
            ["2020-05-01T10:05:03\n2020-05-01"],
        ),
        *(["-2020-05-01"], ["0000-01-01"], ["0001-01-01"], ["99999-01-01"], ["-0004-02-29"], ["1900-02-29"]),
        *(["2020-02-30"], ["2021-02-29T00:00:00Z"], ["2020-13-01"], ["2020-05-01T24:00:00Z"], ["2020-05-01T23:59:60Z"]),
        *(["NaT"], ["nan"], [""], ["NA"], ["None"], ["null"], ["2020-W01-1"], ["2020-001"], ["2020Q1"], ["1/1/2020"]),
        *(
            ["1969-12-31T23:59:59.9999999"],
            ["3000-01-01T00:00:00.1234567"],
            ["3000-01-01", "2020-01-01T00:00:00.1234567"],
        ),
        *(["2020-01-01T00:00:00Z", None, NAN], [None], [NAN], [5], [5, None], [True], [None, True], [{"a": 1}]),
        *(["9999-12-31T23:59:59"], ["1583-01-01T00:00:00Z"], ["\u0662\u0660\u0662\u0660"], [["2020"], "2020"]),
    ],
    ids=repr,
)
def test_times_are_read_as_pandas_reads_them(values: list[Any]) -> None:
    for body in layouts("since", values):
        assert_same("time", json.dumps(body).encode())


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"5",
        b'"a"',
        b"{}",
        b"null",
        b'{"inputs": [1], "instances": [1]}',
        b'{"inputs": [1], "params": 5}',
        b'{"messages": [], "inputs": [1]}',
        b'\xef\xbb\xbf{"inputs": [1]}',
        '{"inputs": [1]}'.encode("utf-16"),
        '{"inputs": [1]}'.encode("utf-32"),
        b'{"inputs": ["\xff"]}',
        b'{"inputs": [NaN]}',
        b'{"inputs": [Infinity]}',
        b'{"inputs": [1], "inputs": [2, 3]}',
        b'{"inputs": [1]} x',
        b'{"inputs": [01]}',
        b"{'inputs': [1]}",
        b'{"inputs": ["\n"]}',
    ],
)
def test_bodies_are_decoded_alike(body: bytes) -> None:
    assert_same("number", body)


@pytest.mark.parametrize(
    "content_type",
    [
        *("text/plain", "", "application/JSON", "application/json;", "application/json; charset=utf-8", "*/*"),
        *("application/json;charset=UTF-8", 'application/json; charset="utf-8"', "application/json; charset=latin-1"),
        *("application/json; Charset=utf-8", "application/json; boundary=x", "text/csv; charset=utf-16", "text/csv"),
    ],
)
def test_content_types_are_read_alike(content_type: str) -> None:
    assert_same("number", b'{"inputs": [1]}', content_type)


FLOATS = [float(number) for number in range(10)]
MOMENT = datetime(2020, 5, 1, 10, 5, 3, 250_000)
TYPES = {
    "number": [
        pa.array([1.5, None]),
        pa.array([1, 0]),
        pa.array([1, None]),
        pa.array([1, 2], pa.int32()),
        pa.array([1.5], pa.float32()),
        pa.array([1.5], pa.float16()),
        pa.array([INFINITY]),
        pa.array([], pa.float64()),
        pa.array(["5"]),
        pa.array(["5"]).dictionary_encode(),
        pa.array([[1.0]]),
    ],
    "text": [
        pa.array(["a", None, "b"]),
        pa.array(["a", None], pa.large_string()),
        pa.array(["a", None]).dictionary_encode(),
        pa.array([1, None]).dictionary_encode(),
        pa.array([1, 2]),
        pa.array([1, None]),
        pa.array([1.5, 2]),
        pa.array([0.1], pa.float32()),
        pa.array([True, None]),
        pa.array([None]),
        pa.array([Decimal("1.50")]),
        pa.array([], pa.string()),
    ],
    "time": [
        pa.array([MOMENT, None]),
        pa.array([1_577_836_800_123_456_789, -1, -1001, None], pa.timestamp("ns")),
        pa.array([MOMENT], pa.timestamp("ms", "Europe/Paris")),
        pa.array([MOMENT.replace(tzinfo=UTC) + timedelta(days=365_000)], pa.timestamp("us", "UTC")),
        pa.array([date(2020, 5, 1), None]),
        pa.array([date(2020, 5, 1)], pa.date64()),
        pa.array(["2020-05-01", None]),
        pa.array(["2020-05-01", None]).dictionary_encode(),
        pa.array(["2020-05-01"], pa.large_string()),
        pa.array([None]),
        pa.array(["soon"]),
        pa.array([5]),
        pa.array([True]),
    ],
    "motion": [
        pa.array([FLOATS, FLOATS], pa.list_(pa.float32())),
        pa.array([FLOATS], pa.list_(pa.float64())),
        pa.array([FLOATS], pa.list_(pa.int64())),
        pa.array([FLOATS], pa.list_(pa.float32(), 10)),
        pa.array([FLOATS, FLOATS[:5]], pa.list_(pa.float32())),
        pa.array([FLOATS, None], pa.list_(pa.float32())),
        pa.array([[*FLOATS[:9], None]], pa.list_(pa.float32())),
        pa.array([[50.0] * 10], pa.list_(pa.float32())),
        pa.array([FLOATS * 2], pa.list_(pa.float32())),
        pa.array([], pa.list_(pa.float32())),
        pa.array([["a"] * 10]),
        pa.array([1.0]),
    ],
}


def packed(**columns: pa.Array) -> bytes:
    file = io.BytesIO()
    pq.write_table(pa.table(columns), file)
    return file.getvalue()


@pytest.mark.parametrize(
    ("name", "values"),
    [(name, values) for name, arrays in TYPES.items() for values in arrays],
    ids=lambda one: str(one)[:9],
)
def test_columns_of_parquet_give_the_graph_the_same(name: str, values: pa.Array) -> None:
    assert_same(name, packed(**{CONTRACTS[name].names[0]: values}), PARQUET)


def test_a_parquet_file_that_is_damaged_or_lacks_a_column_is_refused_alike() -> None:
    whole = packed(age=pa.array([1.5]), member=pa.array([1.0]), extra=pa.array(["a"]))
    for body in (whole, packed(age=pa.array([1.5])), b"", b"junk", whole[:-9], whole[40:]):
        assert_same("counts", body, PARQUET)


ROW = {"age": 41.5, "member": True, "plan": "basic", "note": "good", "since": "2020-05-01"}
SPLIT = {"columns": ["age"], "data": [[5]]}
OTHER_ANSWERS: list[tuple[str, Any, str]] = [
    ("text", {"inputs": {"note": {"0": "a", "1": "b"}}}, "an object as the values of a column"),
    ("text", {"inputs": [{"note": "a"}, ""]}, "an empty text as a row without values"),
    ("text", {"instances": [{"note": "a"}, {}]}, "a row that lacks every column"),
    ("text", {"instances": [{"note": "a\0"}]}, "a text that ends with a character of code 0"),
    ("text", {"instances": [{"note": "a\ud800"}]}, "half of a surrogate pair"),
    ("number", {"inputs": [[]]}, "an empty list as a missing number"),
    ("number", {"dataframe_split": SPLIT | {"index": [0, 1]}}, "one row for an index of two"),
    ("number", {"dataframe_split": SPLIT | {"index": [[1]]}}, "an index of lists"),
    ("number", {"dataframe_split": SPLIT | {"data": {"age": [5]}}}, "columns as the data of a split"),
    ("number", {"dataframe_split": SPLIT | {"data": None}}, "no data of a split"),
    ("number", {"prompt": "a", "age": [5.5]}, "columns beside a language model's prompt"),
    ("number", {"instances": [{"age": 5, "other": 1}, {"age": 5}]}, "another column in some rows alone"),
    ("number", {"inputs": {"age": [5, 6], "other": [1]}}, "another column with fewer rows"),
    ("number", {"inputs": {"age": [5], "other": [[1], [1, 2]]}}, "another column of uneven lists"),
    ("number", {"inputs": {"age": 5, "other": [1, 2]}}, "another column's rows for a single value"),
    ("time", {"inputs": ["now"]}, "the time of the request"),
    ("time", {"inputs": ["2020-05-01", 2020]}, "a year as a number among times"),
    ("motion", {"dataframe_split": {"columns": ["steps"], "data": [[[0] * 10]], "index": [7]}}, "no row named 0"),
    ("motion", {"dataframe_records": [{"steps": [0, True, "1"] + [0] * 7}]}, "a boolean among texts of numbers"),
]


@pytest.mark.parametrize(("name", "body", "why"), OTHER_ANSWERS, ids=[why for _, _, why in OTHER_ANSWERS])
def test_what_is_known_to_be_answered_otherwise_still_is(name: str, body: Any, why: str) -> None:
    with pytest.raises(AssertionError):
        assert_same(name, json.dumps(body).encode())


@pytest.mark.parametrize(
    ("name", "columns"),
    [
        ("number", {"age": pa.array([5])}),
        ("number", {"age": pa.array([True])}),
        ("text", {"note": pa.array([MOMENT])}),
        ("text", {"note": pa.array([b"a"])}),
        ("text", {"note": pa.array([["a"]])}),
        ("motion", {"steps": pa.array([np.zeros((5, 2)).tolist()], pa.list_(pa.list_(pa.float32())))}),
    ],
)
def test_parquet_types_known_to_be_taken_otherwise_still_are(name: str, columns: dict[str, pa.Array]) -> None:
    with pytest.raises(AssertionError):
        assert_same(name, packed(**columns), PARQUET)


@pytest.mark.parametrize(("name", "body"), [("text", "note\na\n"), ("number", "age\n1,2\n"), ("number", 'age\n"1"2\n')])
def test_tables_known_to_be_read_otherwise_still_are(name: str, body: str) -> None:
    with pytest.raises(AssertionError):
        assert_same(name, body.encode(), CSV)
