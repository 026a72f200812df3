"""Requests as they come over a connection: whole, in pieces, one behind the other, with and without an end."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httptools
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.serving.reliability.made import TASK, Registry
from tests.serving.reliability.questions import ask, chances, rows
from tests.serving.reliability.running import Serving, serving

pytestmark = pytest.mark.xdist_group("reliability")

LIMIT = 3.0  # seconds that a request may take
KEPT = 5.0  # seconds that uvicorn keeps a silent connection


@pytest.fixture(scope="module")
def server(filled: Registry, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    folder = tmp_path_factory.mktemp("connections")
    with serving(filled, folder, "--default", f"{TASK}/1", "--timeout", f"{LIMIT:g}") as running:
        yield running


class Answers:
    """The answers that come over a connection, read by httptools."""

    def __init__(self) -> None:
        self.parser = httptools.HttpResponseParser(self)
        self.done: list[tuple[int, dict[str, str], bytes]] = []

    def on_message_begin(self) -> None:
        self.headers: dict[str, str] = {}
        self.body = b""

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers[name.decode().lower()] = value.decode()

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        if self.parser.get_status_code() >= 200:
            self.done.append((self.parser.get_status_code(), self.headers, self.body))


class Line:
    """A connection by hand."""

    def __init__(self, server: Serving) -> None:
        self.socket = socket.create_connection(("127.0.0.1", server.server.port), timeout=20)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self) -> "Line":
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, *parts: bytes, pause: float = 0.02) -> None:
        for place, part in enumerate(parts):
            time.sleep(pause if place else 0)
            self.socket.sendall(part)

    def answers(self, count: int = 1) -> list[tuple[int, dict[str, str], bytes]]:
        found = Answers()
        while len(found.done) < count:
            part = self.socket.recv(65536)
            assert part, found.done
            found.parser.feed_data(part)
        return found.done

    def closed(self) -> bool:
        """Whether the server has closed it, waited for."""
        return self.socket.recv(1) == b""


def request(count: int = 1, start: int = 0, *headers: str, version: str = "1.1", path: str = "/invocations") -> bytes:
    body = json.dumps(ask("split", (rows(100, start) * 12)[:count])[1]["json"], separators=(",", ":")).encode()
    lines = [f"POST {path} HTTP/{version}", "Host: here", "Content-Type: application/json", *headers]
    return "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""]).encode() + body


def chance(server: Serving, start: int) -> list[float]:
    path, body = ask("split", rows(1, start))
    return chances(server.post(path, **body).content)


def test_a_request_may_come_in_any_pieces(server: Serving) -> None:
    whole, expected = request(), pytest.approx(chance(server, 0), abs=1e-6)
    head, _, body = whole.partition(b"\r\n\r\n")
    cuts = [[whole], [head + b"\r\n\r\n", body], [whole[:10], whole[10:-5], whole[-5:]]]
    cuts.append([whole[place : place + 7] for place in range(0, len(whole), 7)])
    with Line(server) as line:
        for parts in cuts:
            line.send(*parts, pause=0.005)
            [(status, headers, content)] = line.answers()
            assert (status, headers["x-model-version"]) == (200, f"{TASK}/1")
            assert chances(content) == expected


def test_a_body_may_come_in_chunks(server: Serving) -> None:
    head, _, body = request().partition(b"\r\n\r\n")
    head = head.partition(b"\r\nContent-Length")[0] + b"\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunks = [b"%x\r\n%b\r\n" % (len(part), part) for part in (body[:20], body[20:])]
    with Line(server) as line:
        line.send(head + b"".join(chunks) + b"0\r\n\r\n")
        line.send(head, *chunks, b"0\r\n\r\n")
        assert [status for status, _, _ in line.answers(2)] == [200, 200]


def test_requests_one_behind_the_other_are_answered_in_their_order(server: Serving) -> None:
    expected = [pytest.approx(chance(server, place), abs=1e-6) for place in range(6)]
    requests = [request(1, place) for place in range(6)]
    requests.insert(3, b"GET /live HTTP/1.1\r\nHost: here\r\n\r\n")
    with Line(server) as line, Line(server) as other:
        for _ in range(5):
            other.send(request())  # so that not every request is alone
            line.send(b"".join(requests))
            found = line.answers(7)
            other.answers()
            assert [status for status, _, _ in found] == [200] * 7
            del found[3]
            assert [chances(content) for _, _, content in found] == expected


@pytest.mark.parametrize("more", [["Connection: close"], ["Expect: 100-continue"], ["X-Request-Id: my-own"]])
def test_headers_that_ask_for_something_are_heard(server: Serving, more: list[str]) -> None:
    with Line(server) as line:
        line.send(request(1, 0, *more))
        [(status, headers, _)] = line.answers()
        assert status == 200
        if "close" in more[0]:
            assert headers["connection"] == "close"
            assert line.closed()
        if "Id" in more[0]:
            assert headers["x-request-id"] == "my-own"


def test_an_older_client_has_its_connection_closed(server: Serving) -> None:
    with Line(server) as line:
        line.send(request(version="1.0"))
        assert line.answers()[0][0] == 200
        assert line.closed()


def test_a_slow_body_is_waited_for_and_one_without_end_is_not(server: Serving) -> None:
    whole = request()
    with Line(server) as slow, Line(server) as endless:
        start = time.monotonic()
        endless.send(whole[:-3])
        slow.send(whole[:-3], whole[-3:], pause=LIMIT / 2)
        assert slow.answers()[0][0] == 200
        assert endless.answers()[0][0] == 408
        assert LIMIT <= time.monotonic() - start < 3 * LIMIT
        assert endless.closed()


def test_a_short_time_limit_is_kept_for_a_body_without_end(filled: Registry, tmp_path: Path) -> None:
    with serving(filled, tmp_path, "--default", f"{TASK}/1", "--timeout", "0.3") as hasty, Line(hasty) as line:
        start = time.monotonic()
        line.send(request()[:-3])
        assert line.answers()[0][0] == 408
        assert 0.3 <= time.monotonic() - start < 0.9


def test_a_request_behind_another_may_be_cut_anywhere(server: Serving) -> None:
    whole = request()
    row = {"tenure": 1.0, "plan": "z" * 70_000, "visits": 2.0}
    long = json.dumps({"dataframe_records": [row]}).encode()
    head = whole.partition(b"Content-Length")[0] + b"Content-Length: %d\r\n\r\n" % len(long)
    with Line(server) as line:
        for first in (whole, head + long):
            line.send(first + whole[:60], whole[60:])
            assert [status for status, _, _ in line.answers(2)] == [200, 200]


def test_very_many_requests_one_behind_the_other_are_all_answered(server: Serving) -> None:
    with Line(server) as line:
        sending = threading.Thread(target=line.socket.sendall, args=(request() * 2000,))
        sending.start()
        assert {status for status, _, _ in line.answers(2000)} == {200}
        sending.join()


def test_a_silent_connection_is_closed_and_one_that_asks_is_kept(server: Serving) -> None:
    with Line(server) as silent, Line(server) as asking:
        silent.send(request())
        silent.answers()
        start = time.monotonic()
        while time.monotonic() - start < KEPT + 2:
            asking.send(request())
            assert asking.answers()[0][0] == 200
            time.sleep(0.5)
        assert silent.closed()
        asking.send(request())
        assert asking.answers()[0][0] == 200


def test_clients_that_leave_take_no_others_answer(server: Serving) -> None:
    expected = pytest.approx(chance(server, 0), abs=1e-6)
    with Line(server) as line:
        for _ in range(20):
            leaving = [Line(server) for _ in range(8)]
            for one in leaving:
                one.send(request(1, 1))
            line.send(request())
            for one in leaving:
                one.socket.close()
            assert chances(line.answers()[0][2]) == expected
    assert server.get("/ready").status_code == 200
    assert "a request failed" not in server.log
    assert "Exception" not in server.log


def test_a_request_that_waits_for_its_turn_counts_once_against_the_rate(filled: Registry, tmp_path: Path) -> None:
    many = request(1200)  # so many that they are scored aside, and few enough to be read at the connection
    assert 16 * 1024 < len(many) < 32 * 1024
    with serving(filled, tmp_path, "--default", f"{TASK}/1", "--rate", "4/min") as small, Line(small) as line:
        for count in (many, request(), many, many):
            line.send(count)
            assert line.answers()[0][0] == 200
        line.send(many)
        status, headers, _ = line.answers()[0]
        assert status == 429
        assert int(headers["retry-after"]) > 1


def test_all_phases_and_answers_are_counted(filled: Registry, tmp_path: Path) -> None:
    with serving(filled, tmp_path, "--default", f"{TASK}/1") as own, Line(own) as line:
        for _ in range(3):
            line.send(request(2))
            line.answers()
        line.send(request(path=f"/models/{TASK}/1/predict"))
        status, headers, _ = line.answers()[0]
        assert (status, headers["x-model-version"]) == (400, f"{TASK}/1")
        families = list(text_string_to_metric_families(own.get("/metrics").text))
    samples = {(one.name, frozenset(one.labels.items())): one.value for family in families for one in family.samples}

    def value(name: str, **labels: str) -> float:
        return samples[name, frozenset(({"model": TASK, "version": "1"} | labels).items())]

    assert value("serving_rows_total") == 6
    for phase in ("parse", "validate", "score", "encode"):
        assert value("serving_phase_seconds_count", phase=phase) == 3
    labels = {"reference": "1", "protocol": "invocations", "status": "200"}
    assert value("serving_request_seconds_count", **labels) == 3
    assert samples["serving_refusals_total", frozenset({("code", "BAD_REQUEST")})] == 1
    labels = {"reference": "1", "protocol": "predict", "status": "400"}
    assert value("serving_request_seconds_count", **labels) == 1
