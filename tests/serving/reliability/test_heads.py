"""Requests whose heads a connection has sent before are answered as if they had been the first."""

import json
import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from serving.answering import Route
from serving.heads import ALL, LONGEST, MOST, Head, Heads
from serving.protocol import invocations
from tests.serving.reliability.made import TASK, Registry
from tests.serving.reliability.running import Serving, run, serving
from tests.serving.reliability.test_connections import Line, request

pytestmark = pytest.mark.xdist_group("reliability")

HEAD = Head(Route("invocations", invocations, TASK, "1", f"{TASK}/1"), [], 4)
LIVE = b"GET /live HTTP/1.1\r\nHost: here\r\n\r\n"
REQUESTS = [
    *(request(1, start) for start in range(8)),
    request(3, 5),
    request(2, 1, path="/predict"),
    request(1, 2, path=f"/models/{TASK}/1/invocations"),
    request(1, 3, path="/models/nobody/1/invocations"),
    request(1, 4).replace(b'{"data', b'("data'),
    request(1, 5).replace(b"application/json", b"application/nose"),
    request(1, 6, "X-Request-Id: mine"),
    request(1, 7, "Expect: 100-continue"),
    request(600),
    request(1, 1).partition(b"\r\nContent-Length")[0] + b"\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    LIVE,
]


@pytest.fixture(scope="module")
def server(filled: Registry, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    folder = tmp_path_factory.mktemp("heads")
    with serving(filled, folder, "--default", f"{TASK}/1") as running:
        yield running


def told(answer: tuple[int, dict[str, str], bytes]) -> tuple[int, str | None, object]:
    """What an answer says, with probabilities to six digits; scored along with others, the last may differ."""
    status, headers, content = answer
    if headers["content-type"] != "application/json":
        return status, headers.get("x-model-version"), content
    body = json.loads(content, parse_float=lambda digits: round(float(digits), 6))
    return status, headers.get("x-model-version"), body


@pytest.mark.parametrize("seed", range(12))
def test_any_requests_in_any_pieces_are_answered_as_each_one_alone(server: Serving, seed: int) -> None:
    drawn = random.Random(seed)  # noqa: S311
    chosen = drawn.choices(REQUESTS, k=40)
    expected = []
    for one in chosen:
        with Line(server) as alone:
            alone.send(one)
            expected.append(told(alone.answers()[0]))
    found = []
    pieces: list[bytes] = []
    waiting = 0
    with Line(server) as line:
        for place, one in enumerate(chosen, 1):
            how, waiting = drawn.random(), waiting + 1
            if how < 0.3:
                cut = drawn.randrange(1, len(one))
                pieces += [one[:cut], one[cut:]]
            elif how < 0.5 and pieces:
                pieces[-1] += one
            else:
                pieces.append(one)
            if how > 0.1 or place == len(chosen):
                line.send(*pieces, pause=0.003)
                found += line.answers(waiting)
                pieces, waiting = [], 0
    assert [told(one) for one in found] == expected


def test_a_request_within_the_body_of_another_is_none(server: Serving) -> None:
    inner = request()
    head, _, _ = request().partition(b"\r\nContent-Length")
    for first in (b"", b" ", b"{"):
        outer = head + b"\r\nContent-Length: %d\r\n\r\n" % (len(first) + len(inner) + 1) + first
        with Line(server) as line:
            line.send(inner)
            assert line.answers()[0][0] == 200
            line.send(outer, inner, b" ")
            assert line.answers()[0][0] == 400
            line.send(LIVE)
            assert line.answers()[0][0] == 200


def test_a_request_within_the_body_of_one_that_was_answered_already_is_none(server: Serving) -> None:
    inner = request()
    outer = b"POST /nowhere HTTP/1.1\r\nHost: here\r\nContent-Length: %d\r\n\r\n" % len(inner)
    with Line(server) as line:
        line.send(inner)
        assert line.answers()[0][0] == 200
        line.send(outer)
        assert line.answers()[0][0] == 404
        line.send(inner, LIVE)
        [(status, headers, _)] = line.answers()
        assert (status, headers.get("x-model-version")) == (200, None)


def test_a_body_of_another_length_is_not_taken_for_the_known_one(server: Serving) -> None:
    with Line(server) as line:
        line.send(request())
        line.answers()
        line.send(request()[:-5])
        line.socket.settimeout(0.2)
        with pytest.raises(TimeoutError):
            line.answers()
        line.socket.settimeout(20)
        line.send(request()[-5:])
        assert line.answers()[0][0] == 200


def test_a_key_that_is_revoked_meanwhile_opens_nothing_more(filled: Registry, tmp_path: Path) -> None:
    done = run("keys", "add", "someone", "--scope", TASK, registry=filled, folder=tmp_path)
    word = done.stdout.strip().split()[-1]
    identity = word.split("_")[1]
    asked = request(1, 0, f"Authorization: Bearer {word}")
    with serving(filled, tmp_path, "--default", f"{TASK}/1") as guarded, Line(guarded) as line:
        for _ in range(3):
            line.send(asked)
            assert line.answers()[0][0] == 200
        assert run("keys", "revoke", identity, registry=filled, folder=tmp_path).returncode == 0
        time.sleep(1)
        line.send(asked)
        assert line.answers()[0][0] == 401


def test_so_many_heads_are_not_kept() -> None:
    def kept(count: int, connections: int, more: int = 0) -> int:
        heads = Heads()
        for number in range(count):
            data = b"POST /%d HTTP/1.1\r\nX: %b\r\n\r\nbody" % (number, b"x" * more)
            heads.keep(data, HEAD, connections)
        return len(heads.known)

    assert kept(MOST, 1) == MOST
    assert kept(3 * MOST + 5, 1) <= MOST
    assert kept(MOST, ALL) == 1
    assert kept(MOST, ALL * 2) == 1
    assert kept(MOST, 1, LONGEST) == 0
    heads = Heads()
    heads.keep(b"POST / HTTP/1.1\r\n\r\nbody and more", HEAD, 1)
    assert not heads.known
