"""Three minutes under load: Production moves, the registry vanishes, nonsense comes in; nothing fails or grows."""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from statistics import median
from typing import Any

import psutil
import pytest

from tests.serving.reliability.made import LOGISTIC, MLP, TASK, Registry
from tests.serving.reliability.questions import Own, ask, chances, good, rows
from tests.serving.reliability.running import Answer, Load, Serving, memory, serving

pytestmark = pytest.mark.xdist_group("reliability")

MINUTE, MOVES = 60, 20
LATE = 2.0  # seconds that a version may answer after it left Production
GROWTH, WARM = 1.2, 10  # seconds in which the readers of nonsense are imported; a worker asked later imports later

Asked = list[tuple[tuple[str, dict[str, Any]], list[dict[str, Any]]]]


def asked() -> Asked:
    """Requests of every protocol, with the rows in them."""
    batches = [rows(1), rows(1, 7), rows(3, 11), rows(2, 20), rows(100, 30), rows(1, 140)]
    kinds = [("split", ""), ("records", ""), ("plain", ""), ("v2", "")]
    kinds += [("split", f"{TASK}/Production"), ("plain", f"{TASK}/@production")]
    return [(ask(*kind[:1], some, *kind[1:]), some) for kind, some in zip(kinds, batches, strict=True)]


NONSENSE: list[tuple[str, dict[str, Any]]] = [
    ("/invocations", {"content": b"{" * 10_000, "headers": {"Content-Type": "application/json"}}),
    ("/invocations", {"json": {"dataframe_records": [{"tenure": "x", "plan": "y", "visits": []}]}}),
    ("/predict", {"json": {"features": [[1, 2], [3]]}}),
    ("/models/nobody/9/predict", {"json": {"features": [[1, 2, 3]]}}),
    ("/invocations", {"json": {"inputs": {"tenure": [1e300], "plan": ["a"], "visits": [1]}}}),
    (f"/v2/models/{TASK}/infer", {"json": {"inputs": [{"name": "x", "shape": [1], "datatype": "FP32", "data": []}]}}),
    ("/invocations", {"content": b"x" * 1_000_000, "headers": {"Content-Type": "text/csv"}}),
    ("/nowhere", {"content": os.urandom(100)}),
]


def in_production(moves: list[tuple[float, str]], answer: Answer) -> set[str]:
    """The versions that were in Production while an answer was made, or up to two seconds before."""
    first, last = answer.sent - LATE, answer.received
    ends = [moment for moment, _ in moves[1:]] + [float("inf")]
    return {number for (start, number), end in zip(moves, ends, strict=True) if start <= last and end >= first}


def under_load(server: Serving, some: Asked, during: Callable[[], Awaitable[None]]) -> list[Answer]:
    load = Load(server.address, [question for question, _ in some], pause=0.02)
    asyncio.run(load.run(during))
    return load.answers


def check(answers: list[Answer], some: Asked, own: Own, moves: list[tuple[float, str]]) -> set[tuple[str, str]]:
    """The versions that answered, each on which path; every answer is right and by a version that was there."""
    failed = [answer for answer in answers if answer.status != 200]
    assert not failed, failed[:3]
    batches = {id(question): batch for question, batch in some}
    answered = set()
    for answer in answers:
        number = answer.version.removeprefix(f"{TASK}/")
        assert number in in_production(moves, answer), (answer.version, answer.sent, moves)
        assert chances(answer.content) == pytest.approx(own.chances(number, batches[id(answer.question)]), abs=2e-6)
        answered.add((number, answer.question[0]))
    return answered


def test_moves_a_lost_registry_and_nonsense_neither_fail_a_request_nor_grow_the_memory(
    registry: Registry, tmp_path: Path
) -> None:
    some, own, moves = asked(), Own(registry), [(0.0, LOGISTIC)]
    database, away = registry.folder / "mlflow.db", registry.folder / "away.db"

    def move(number: str) -> None:
        moves.append((time.time(), number))  # stage and alias move one after the other
        registry.show(number, LOGISTIC if number == MLP else MLP)

    async def moving() -> None:
        for turn in range(MOVES):
            await asyncio.sleep(MINUTE / MOVES)
            await asyncio.to_thread(move, MLP if turn % 2 == 0 else LOGISTIC)
        await asyncio.sleep(LATE)

    async def lost() -> None:
        os.rename(database, away)
        await asyncio.sleep(LATE)
        ready = await asyncio.to_thread(lambda: good(server.get("/ready")).json())
        assert ready["status"] == "degraded", ready
        await asyncio.sleep(MINUTE - LATE)
        os.rename(away, database)
        await asyncio.to_thread(move, MLP)
        await asyncio.sleep(2 * LATE)
        assert good(server.get("/ready")).json()["status"] == "ready"

    async def steady() -> None:
        await asyncio.sleep(WARM)
        for _ in range(MINUTE - WARM):
            await asyncio.sleep(1)
            held.append(memory(workers))

    with serving(registry, tmp_path, "--default", f"{TASK}/Production", "--workers", "2") as server:
        answers = under_load(server, some, moving)
        workers = server.processes()
        assert len(answers) > 1000
        assert len(check(answers, some, own, moves)) == 2 * len({question[0] for question, _ in some})
        check(under_load(server, some, lost), some, own, moves)
        held: list[int] = []
        mixed = [*some, *((question, []) for question in NONSENSE)]
        answers = under_load(server, mixed, steady)
        wrong = {id(question) for question in NONSENSE}
        check([answer for answer in answers if id(answer.question) not in wrong], some, own, moves)
        statuses = {answer.status for answer in answers if id(answer.question) in wrong}
        assert statuses <= {400, 404, 405}, statuses
        half = len(held) // 2
        assert median(held[half:]) < GROWTH * median(held[:half]), held  # what a request takes meanwhile comes and goes
        assert [one.pid for one in server.processes()] == [one.pid for one in workers]
        assert all(one.status() != psutil.STATUS_ZOMBIE for one in workers)
