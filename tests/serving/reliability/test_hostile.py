"""What nobody should send: a clear 4xx, never a 5xx, and no memory lost."""

import gzip
import json
import random
import socket
import string
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.serving.reliability.made import TASK, Registry
from tests.serving.reliability.questions import ask, good, rows
from tests.serving.reliability.running import Serving, memory, serving

pytestmark = pytest.mark.xdist_group("reliability")

MIB = 1024 * 1024
JSON = {"Content-Type": "application/json"}
PATHS = ("/invocations", "/predict", f"/v2/models/{TASK}/versions/1/infer", f"/models/{TASK}/1/predict")
PRIVATE = "my-private-value"


@pytest.fixture(scope="module")
def server(filled: Registry, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    folder = tmp_path_factory.mktemp("hostile")
    limits = ("--max-body", "12", "--max-rows", "5000", "--timeout", "3")
    with serving(filled, folder, "--default", f"{TASK}/1", *limits) as running:
        yield running


def records(*some: Any) -> bytes:
    return json.dumps({"dataframe_records": [*some]}).encode()


ROW = {"tenure": 1.5, "plan": PRIVATE, "visits": 2}
BODIES: dict[str, tuple[bytes, int]] = {
    "nothing": (b"", 400),
    "no JSON": (b"{'tenure': 1}", 400),
    "half a JSON": (b'{"dataframe_records": [{"tenure": 1', 400),
    "another encoding": ('{"dataframe_records": [{"plan": "ü"}]}'.encode("utf-16"), 400),
    "no UTF-8": (b'{"dataframe_records": [{"plan": "\xff\xfe"}]}', 400),
    "half a surrogate pair": (b'{"dataframe_records": [{"tenure": 1, "visits": 1, "plan": "\\ud800"}]}', 400),
    "deeply nested lists": (b"[" * 200_000, 400),
    "deeply nested objects": (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, 400),
    "nesting inside": (b'{"instances": ' + b"[" * 5000 + b"]" * 5000 + b"}", 400),
    "infinity": (records(ROW | {"tenure": float("inf")}), 400),
    "a number above float32": (records(ROW | {"tenure": 1e39}), 400),
    "an integer of 5,000 digits": (
        b'{"dataframe_records": [{"tenure": ' + b"9" * 5000 + b', "plan": "a", "visits": 1}]}',
        400,
    ),
    "a float of 400 digits": (b'{"dataframe_records": [{"tenure": 1e400, "plan": "a", "visits": 1}]}', 400),
    "a list in a cell": (records(ROW | {"tenure": [1]}), 400),
    "an object in a cell": (records(ROW | {"plan": {"a": 1}}), 400),
    "a text in a number": (records(ROW | {"tenure": PRIVATE}), 400),
    "a missing column": (records({"tenure": 1, "plan": PRIVATE}), 400),
    "no rows": (records(), 400),
    "uneven columns": (json.dumps({"inputs": {"tenure": [1, 2], "plan": [PRIVATE], "visits": [1]}}).encode(), 400),
    "too many rows": (records(*[ROW] * 5001), 413),
    "too large": (b'{"dataframe_records": [' + b" " * 13 * MIB + b"]}", 413),
}


@pytest.mark.parametrize("kind", BODIES)
def test_each_is_refused_in_one_clear_line_without_what_was_sent(server: Serving, kind: str) -> None:
    body, status = BODIES[kind]
    answer = server.post("/invocations", content=body, headers=JSON)
    assert answer.status_code == status, answer.text[:500]
    content = answer.json()
    assert content.keys() == {"error_code", "message"}
    assert PRIVATE not in answer.text
    assert "Traceback" not in answer.text
    assert 10 < len(content["message"]) < 600


@pytest.mark.parametrize("path", PATHS)
def test_random_bodies_are_never_a_fault_of_the_server(server: Serving, path: str) -> None:
    draw = random.Random(0)  # noqa: S311
    seeds = [body for body, _ in BODIES.values() if len(body) < 2000]
    for _ in range(120):
        body = bytearray(draw.choice(seeds))
        for _ in range(draw.randrange(4)):
            place = draw.randrange(len(body) + 1)
            body[place:place] = draw.choice(string.printable).encode()
        kind = draw.choice(["application/json", "text/csv", "application/vnd.apache.parquet", "text/plain", ""])
        answer = server.post(path, content=bytes(body), headers={"Content-Type": kind})
        assert answer.status_code < 500, (path, kind, bytes(body), answer.text)


def test_nan_is_a_missing_value_as_mlflow_has_it(server: Serving) -> None:
    body = (
        b'{"dataframe_split": {"columns": ["tenure", "plan", "visits"], "data": [[NaN, "pro", 3], [null, "pro", 3]]}}'
    )
    first, second = good(server.post("/invocations", content=body, headers=JSON)).json()["predictions"]
    assert first == second


def test_compressed_bodies_are_not_unpacked(server: Serving) -> None:
    bomb = gzip.compress(b" " * 200 * MIB)
    for path in PATHS:
        answer = server.post(path, content=bomb, headers=JSON | {"Content-Encoding": "gzip"})
        assert answer.status_code == 415


def test_ten_megabytes_of_json_neither_stop_the_others_nor_stay_in_memory(server: Serving) -> None:
    wide = json.dumps({"dataframe_records": [ROW | {"plan": "x" * 2100}] * 5000}).encode()
    assert 10 * MIB < len(wide) < 12 * MIB
    good(server.post("/invocations", content=wide, headers=JSON))
    before = memory(server.processes())
    for _ in range(5):
        good(server.post("/invocations", content=wide, headers=JSON))
    assert memory(server.processes()) < before + 60 * MIB


def connected(server: Serving) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.server.port), timeout=30)


def ended(connection: socket.socket) -> bytes:
    """What comes until the server closes a connection."""
    found = b""
    while part := connection.recv(4096):
        found += part
    return found


def test_slow_clients_are_ended_and_hold_nobody_up(server: Serving) -> None:
    headers, bodies = [connected(server) for _ in range(40)], [connected(server) for _ in range(40)]
    for one in headers:
        one.sendall(b"POST /invocations HTTP/1.1\r\nHost: here\r\nX-Slow: ")
    for one in bodies:
        one.sendall(b"POST /invocations HTTP/1.1\r\nHost: here\r\nContent-Length: 999\r\n\r\n{")
    path, body = ask("split", rows(1))
    start = time.monotonic()
    for _ in range(20):
        good(server.post(path, **body))
        for one in headers:
            one.sendall(b"a")
    assert all(ended(one).startswith(b"HTTP/1.1 408 ") for one in bodies)
    assert time.monotonic() - start < 15
    assert all(b" 400 " in ended(one) for one in headers)
    assert time.monotonic() - start < 30


def test_endless_headers_are_ended(server: Serving) -> None:
    header = b"X-More: " + b"a" * 1000 + b"\r\n"
    with connected(server) as connection:
        connection.sendall(b"GET /live HTTP/1.1\r\n")
        with pytest.raises(OSError, match=r"reset|[Bb]roken"):
            connection.sendall(header * 100_000)


def test_requests_beyond_those_at_once_are_told_to_come_again(filled: Registry, tmp_path: Path) -> None:
    with serving(filled, tmp_path, "--default", f"{TASK}/1", "--max-requests", "3") as small:
        held = [connected(small) for _ in range(3)]
        for one in held:
            one.sendall(b"POST /invocations HTTP/1.1\r\nHost: here\r\nContent-Length: 9\r\n\r\n")
        time.sleep(0.5)
        path, body = ask("split", rows(1))
        answer = small.post(path, **body)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        for one in held:
            one.close()
        time.sleep(0.5)
        good(small.post(path, **body))
