"""Requests to scoring servers, right and wrong, and those that this server is known to answer otherwise than MLflow."""

import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from serving.contract import Column, Contract

JSON, CSV, PARQUET = "application/json", "text/csv", "application/vnd.apache.parquet"
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
        ("no", "yes"),
    ),
    "counts": Contract("counts", "left", (Column("age", "number"), Column("member", "boolean")), ("no", "yes")),
    "motion": Contract("motion", "pace", (Column("steps", "sequence", (5, 2), -9, 9),), ("False", "True")),
}
ROW = {"age": 41.5, "member": True, "plan": "basic", "note": "good fine", "since": "2020-05-01"}
STEPS = (np.arange(10).reshape(5, 2) / 2).tolist()


@dataclass(frozen=True)
class Sent:
    """A request to a model's scoring address."""

    task: str
    body: bytes
    content_type: str | None = JSON

    def texts(self) -> set[str]:
        """The caller's texts, apart from those that messages have as words of their own."""
        return {text for text in _texts(self.body) if len(text) > 2} - {
            *ROW,
            "steps",
            "null",
            "True",
            "false",
            "nan",
            "inf",
        }


def _texts(body: bytes) -> Iterator[str]:
    try:
        stack = [json.loads(body)]
    except ValueError:
        return
    while stack:
        match stack.pop():
            case str(text):
                yield text
            case list(values):
                stack += values
            case dict(values):
                stack += values.values()


def as_json(task: str, body: Any) -> Sent:
    return Sent(task, json.dumps(body).encode())


def _layouts(rows: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    names = list(rows[0])
    yield {"dataframe_records": rows}
    yield {"dataframe_split": {"columns": names, "data": [list(row.values()) for row in rows]}}
    yield {"instances": rows}
    yield {"inputs": rows}
    yield {"inputs": {name: [row[name] for row in rows] for name in names}}


NAN, INFINITY = float("nan"), float("inf")
VALUES: dict[str, list[Any]] = {
    "age": [None, 5, 5.5, True, "5", " 1_0 ", "secret", "", [1], {"a": 1}, 1e39, 10**30, 10**400, NAN, INFINITY, "inf"],
    "member": [None, 0, 1, False, 1.0, 2, 0.5, "1", "True", "secret", NAN],
    "plan": [None, "", "3", 3, 3.0, 3.5, True, NAN, 2**64, 1e300, ["secret"], {"a": "secret"}, "nowhere", "ü 蓝"],
    "note": [None, "", "good", 5, "so so \u0001", ["secret"]],
    "since": [
        None,
        "",
        "NaT",
        "2020",
        "2020-05-01T10:00:00+02:00",
        "20200501T101112.5",
        "secret",
        "2020-02-30",
        5,
        True,
    ],
}
ROWS = (
    [
        [ROW],
        [ROW, ROW | dict.fromkeys(ROW)],
        [dict.fromkeys(ROW)] * 2,
        [dict(reversed(ROW.items()))],
        [ROW | {"other": 1}],
    ]
    + [[{name: value for name, value in ROW.items() if name != gone}] for gone in ROW]
    + [[ROW | {name: value}] for name, values in VALUES.items() for value in values]
    + [[ROW, ROW | {name: value}] for name, values in VALUES.items() for value in values[:3]]
)
FRAMES: list[Any] = [
    {"dataframe_split": {"columns": [*ROW], "data": [[*ROW.values()]], "index": ["secret"]}},
    {"dataframe_split": {"columns": [*ROW], "data": [[*ROW.values(), "secret"]]}},
    {"dataframe_split": {"columns": [*ROW], "data": [[*ROW.values()], [41]]}},
    {"dataframe_split": {"columns": [*ROW], "data": [[41]]}},
    {"dataframe_split": {"columns": [*ROW], "data": [ROW]}},
    {"dataframe_split": {"columns": [*ROW, "age"], "data": [[*ROW.values(), 5]]}},
    {"dataframe_split": {"data": [[*ROW.values()]]}},
    {"dataframe_split": {"columns": [*ROW]}},
    {"dataframe_split": {"columns": "secret", "data": [[1]]}},
    {"dataframe_split": {"columns": [*ROW], "data": [[*ROW.values()]], "secret": 1}},
    {"dataframe_split": [ROW]},
    {"dataframe_split": None},
    {"dataframe_records": []},
    {"dataframe_records": [{}]},
    {"dataframe_records": [[*ROW.values()]]},
    {"dataframe_records": [ROW, {"age": 5}]},
    {"dataframe_records": [ROW, None]},
    {"dataframe_records": [ROW, "secret"]},
    {"dataframe_records": ROW},
    {"dataframe_records": "secret"},
    {"instances": []},
    {"instances": [[*ROW.values()]]},
    {"instances": [ROW, {name: value for name, value in ROW.items() if name != "age"}]},
    {"instances": [ROW, None]},
    {"instances": ROW},
    {"instances": {name: [value] for name, value in ROW.items()} | {"age": [1, 2]}},
    {"instances": None},
    {"inputs": []},
    {"inputs": {}},
    {"inputs": ROW},
    {"inputs": {name: [value] for name, value in ROW.items()} | {"age": [1, 2]}},
    {"inputs": {name: [value, value] for name, value in ROW.items()} | {"plan": "basic"}},
    {"inputs": [*ROW.values()]},
    {"inputs": "secret"},
    {"inputs": 5},
    {"inputs": [ROW], "params": {"secret": 1}},
    {"inputs": [ROW], "params": "secret"},
    {"inputs": [ROW], "signature_name": "secret"},
    {"inputs": [ROW], "instances": [ROW]},
    {"messages": [{"role": "user", "content": "secret"}]},
    {"prompt": "secret", "inputs": [ROW]},
    {"input": "secret"},
    {"features": [[*ROW.values()]]},
    {},
    [],
    [ROW],
    "secret",
    None,
]
ONE = json.dumps({"dataframe_records": [ROW]}).encode()
RAW = [
    *(
        b"",
        b" ",
        b"{",
        b"secret",
        b"{'inputs': 1}",
        ONE[:-1],
        ONE + b"}",
        b"\xef\xbb\xbf" + ONE,
        ONE.decode().encode("utf-16"),
    ),
    *(
        ONE.replace(b"basic", b"\xff"),
        ONE.replace(b"41.5", b"1e400"),
        ONE.replace(b"41.5", b"041"),
        ONE.replace(b"41.5", b"-"),
    ),
    *(
        ONE.replace(b"basic", b"\\ud83d\\ude00"),
        ONE.replace(b"basic", b"\\u00e9\\n"),
        ONE.replace(b"41.5", b'1, "age": 2'),
    ),
]
TYPES = [
    *("text/plain", "application/JSON", "application/json;", "application/json; charset=utf-8", "multipart/form-data"),
    *(
        "application/json; charset=UTF-8",
        "application/json; charset=latin-1",
        "application/json; version=2",
        "text/json",
    ),
    *(
        'application/json; charset="utf-8"',
        "application/json;charset=utf-8;charset=utf-8",
        "secret",
        CSV + "; charset=utf-16",
    ),
]
TENSORS: list[Any] = [
    *({name: [STEPS, STEPS]} for name in ("inputs", "instances")),
    *({name: {"steps": [STEPS]}} for name in ("inputs", "instances")),
    *({name: [{"steps": STEPS}]} for name in ("inputs", "instances", "dataframe_records")),
    *({name: [{"steps": STEPS, "other": "secret"}]} for name in ("inputs", "instances")),
    *({name: [{"other": STEPS}]} for name in ("inputs", "instances", "dataframe_records")),
    *({name: STEPS} for name in ("inputs", "instances")),
    *(
        {name: [cell]}
        for name in ("inputs", "instances")
        for cell in (STEPS[:4], [*STEPS[:4], [1]], None, "secret", 5, [])
    ),
    *({name: cell} for name in ("inputs", "instances") for cell in ([], None, "secret", 5, {}, [STEPS, STEPS[:4]])),
    *({name: [np.full((5, 2), value).tolist()]} for name in ("inputs", "instances") for value in (9, 9.5, -10, True)),
    *(
        {name: [[[value, 1], *STEPS[1:]]]}
        for name in ("inputs", "instances")
        for value in (None, "1", "secret", 1e39, {}, [])
    ),
    *(
        {"dataframe_records": [{"steps": cell}]}
        for cell in (list(range(-5, 5)), [0] * 9, [0] * 20, ["1"] * 10, [None] * 10, [])
    ),
    {"dataframe_split": {"columns": ["steps"], "data": [[[0] * 10], [[1] * 10]]}},
    {"dataframe_split": {"columns": ["steps"], "data": []}},
    {"dataframe_split": {"columns": ["steps"], "data": [[5]]}},
]
TABLES = [
    *("age,member\n1,1\n", "age,member\n1,True\n2,False\n", "member,age,other\n0,1.5,secret\n", ",age,member\n0,1,1\n"),
    *(
        "age,member\n1,2\n",
        "age,member\nsecret,1\n",
        "age\n1\n",
        "age,member\n",
        "age,member\n\n1\n",
        "",
        "\n",
        "age,member\n,\n",
    ),
    *(
        'age,member\n"1","0"\n',
        'age,member\n"1,0\n',
        "age,member\r\n1,1\r\n",
        "age;member\n1;1\n",
        "\ufeffage,member\n1,1\n",
    ),
]


def _parquet(**columns: pa.Array) -> bytes:
    file = io.BytesIO()
    pq.write_table(pa.table(columns), file)
    return file.getvalue()


FLOATS = pa.array([1.0, None])
PEOPLE = {"age": FLOATS, "member": FLOATS, "plan": pa.array(["plus", None]), "note": pa.array([None, "so so"])}
TIMES = pa.array([1_588_327_503_000_001, None], pa.timestamp("us"))
SENT = [
    *(as_json("people", body) for rows in ROWS for body in _layouts(rows)),
    *(as_json("people", body) for body in FRAMES),
    *(as_json("motion", body) for body in TENSORS),
    *(Sent("people", body) for body in RAW),
    *(Sent("people", ONE, content_type) for content_type in TYPES),
    *(Sent("counts", table.encode(), CSV) for table in TABLES),
    Sent("counts", b"age,member\n\xff,1\n", CSV),
    Sent("motion", b"steps\n1\n", CSV),
    Sent("people", _parquet(**PEOPLE, since=TIMES), PARQUET),
    Sent("people", _parquet(**PEOPLE, since=TIMES.cast(pa.timestamp("us", "Asia/Tokyo"))), PARQUET),
    Sent("people", _parquet(**PEOPLE, since=pa.array(["2020-05-01", None]).dictionary_encode()), PARQUET),
    Sent("people", _parquet(**PEOPLE), PARQUET),
    Sent("people", _parquet(**PEOPLE, since=pa.array(["secret", None])), PARQUET),
    Sent("people", _parquet(**PEOPLE | {"age": pa.array(["secret", None])}, since=TIMES), PARQUET),
    Sent("motion", _parquet(steps=pa.array([list(range(-5, 5))], pa.list_(pa.float32()))), PARQUET),
    Sent("people", b"secret", PARQUET),
]

DEEP = b'{"inputs": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
WIDER = {"columns": [*ROW], "data": [[*ROW.values()]]}
PLAIN = {name: [value] for name, value in (ROW | {"member": 1.0}).items()}
KNOWN: list[tuple[str, Sent, int, int]] = [
    ("no Content-Type is the caller's error", Sent("people", ONE, None), 500, 415),
    ("so is JSON nested too deeply", Sent("people", DEEP), 500, 400),
    ("so is a number of too many digits", Sent("people", ONE.replace(b"41.5", b"1" * 5000)), 500, 400),
    ("no rows are answered by an empty list", as_json("people", {"dataframe_split": WIDER | {"data": []}}), 400, 200),
    ("one row is not many", as_json("people", {"dataframe_split": WIDER | {"index": [0, 1]}}), 200, 400),
    ("a row is not left out", as_json("people", {"instances": [ROW, {}]}), 200, 400),
    ("other columns do not matter", as_json("people", {"instances": [ROW | {"other": 1}, ROW]}), 400, 200),
    (
        "no model of a task takes a prompt",
        as_json("people", {"prompt": "a"} | PLAIN),
        200,
        400,
    ),
    ("a time does not depend on now", as_json("people", {"inputs": [ROW | {"since": "now"}]}), 200, 400),
    ("a number is no time", as_json("people", {"inputs": [ROW, ROW | {"since": 2020}]}), 200, 400),
    (
        "CSV can hold texts",
        Sent("people", ",".join(ROW).encode() + b"\n41.5,True,basic,good fine,2020\n", CSV),
        400,
        200,
    ),
    ("values are not shifted", Sent("counts", b"age,member\n1,41.5,1\n", CSV), 200, 400),
    ("whole numbers are numbers", Sent("counts", _parquet(age=pa.array([41]), member=FLOATS[:1]), PARQUET), 400, 200),
    ("booleans are booleans", Sent("counts", _parquet(age=FLOATS[:1], member=pa.array([True])), PARQUET), 400, 200),
    ("a list may be nested", Sent("motion", _parquet(steps=pa.array([STEPS])), PARQUET), 400, 200),
]
