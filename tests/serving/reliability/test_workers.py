"""A worker that is killed takes only its own connections with it; an end waits for requests in flight."""

import asyncio
import os
import signal
import time
from pathlib import Path

import httpx
import pytest

from tests.serving.reliability.made import TASK, Registry
from tests.serving.reliability.questions import ask, good, rows
from tests.serving.reliability.running import Load, kill, serving

pytestmark = pytest.mark.xdist_group("reliability")

BACK = 3.0  # seconds until a killed worker is replaced
QUESTIONS = [ask("split", rows(1)), ask("plain", rows(20)), ask("v2", rows(2))]


def test_a_killed_worker_fails_only_its_own_connections_and_is_back_in_three_seconds(
    registry: Registry, tmp_path: Path
) -> None:
    victim, killed, back = 0, 0.0, 0.0

    async def killing() -> None:
        nonlocal victim, killed, back
        while not load.answers:
            await asyncio.sleep(0.05)
        await asyncio.sleep(1)
        victim = load.answers[-1].worker  # the other one may have got no connection
        killed = time.time()
        kill(victim)
        while back == 0:
            await asyncio.sleep(0.05)
            assert time.time() < killed + 5 * BACK
            if server.log.count("worker answers") == 3:
                back = time.time()
        await asyncio.sleep(1)

    with serving(registry, tmp_path, "--default", f"{TASK}/Production", "--workers", "2") as server:
        while server.log.count("worker answers") < 2:
            time.sleep(0.1)
        load = Load(server.address, QUESTIONS, pause=0.02)
        asyncio.run(load.run(killing))
        assert victim not in [one.pid for one in server.processes()]
        assert len(server.processes()) == 2
        assert "a worker ended and is replaced" in server.log
        assert str(victim) in server.log
    assert back - killed < BACK
    last: dict[int, int] = {}
    failures = 0
    for answer in sorted(load.answers, key=lambda one: one.received):
        if answer.status == 200:
            last[answer.connection] = answer.worker
        else:
            assert answer.error, answer
            assert last.pop(answer.connection) == victim, answer
            failures += 1
    assert failures < load.connections  # none, where all of them waited for their next request
    assert victim in {answer.worker for answer in load.answers if answer.received < killed}


def test_sigterm_lets_every_request_in_flight_be_answered(registry: Registry, tmp_path: Path) -> None:
    slow = rows(1500) * 8
    ended = 0.0

    async def ending() -> None:
        nonlocal ended
        await asyncio.sleep(1)
        ended = time.time()
        os.kill(server.server.process.pid, signal.SIGTERM)
        await asyncio.to_thread(server.server.process.wait, 20)

    with serving(registry, tmp_path, "--default", f"{TASK}/Production", "--workers", "2") as server:
        load = Load(server.address, [*QUESTIONS, ask("split", slow)])
        asyncio.run(load.run(ending))
        assert server.server.process.returncode == 0
    refused = [answer for answer in load.answers if answer.error]
    assert {answer.error.partition("(")[0] for answer in refused} <= {httpx.ConnectError.__name__}, refused[:3]
    assert {answer.status for answer in load.answers if not answer.error} == {200}
    assert [answer for answer in load.answers if answer.sent < ended < answer.received and not answer.error]
    assert "Traceback" not in server.log


def test_workers_end_when_their_main_process_is_killed(registry: Registry, tmp_path: Path) -> None:
    with serving(registry, tmp_path, "--default", f"{TASK}/Production") as server:
        good(server.post(QUESTIONS[0][0], **QUESTIONS[0][1]))
        workers = server.processes()
        kill(server.server.process.pid)
        end = time.monotonic() + 10
        while any(one.is_running() for one in workers):
            assert time.monotonic() < end
            time.sleep(0.1)
