"""Processes that move the stages of one task at the same time."""

import itertools
import multiprocessing
import threading
from pathlib import Path
from typing import Any

import mlflow
import pytest
from mlflow import MlflowClient

from registry import by_hand, moves, versions
from registry.history import History
from registry.register import register
from tests.servers.postgres import Postgres

TASK = "churn"
PROCESSES, ROUNDS = 8, 20
PATIENCE = 120  # seconds
CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["registry.by_hand", "mlflow.store.tracking.sqlalchemy_store"])


def promote_in_each_round(uri: str, number: str, barrier: Any, told: Any) -> None:
    """Put one version into Production in each round, when all others do, and tell in which rounds it moved."""
    mlflow.set_tracking_uri(uri)
    client = MlflowClient()
    version = client.get_model_version(TASK, number)
    moved = []
    for at in range(ROUNDS):
        why = f"{number} in round {at}"
        barrier.wait(PATIENCE)
        state = by_hand.promote(client, version, "Production", why)
        if any(move.why.startswith(why) for move in state.moves):
            moved.append(why)
        else:
            assert state.production == number
    told.put((number, moved))


class Watch(threading.Thread):
    """Looks at what is in Production until it is told to stop."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.over = threading.Event()
        self.seen: list[tuple[int, bool]] = []

    def run(self) -> None:
        client = MlflowClient()
        while not self.over.wait(0.1):
            found = client.search_model_versions(f"name = '{TASK}'")
            alias = "production" in client.get_registered_model(TASK).aliases
            self.seen.append((sum(one.current_stage == "Production" for one in found), alias))


def contest(uri: str) -> None:
    """Have processes promote versions of their own at once; check what is in Production meanwhile and afterwards."""
    mlflow.set_tracking_uri(uri)
    client = MlflowClient()
    first = client.get_model_version(TASK, "1")
    for _ in range(PROCESSES - len(versions.of_task(client, TASK))):
        source, run = str(first.source), str(first.run_id)
        client.create_model_version(TASK, source, run, dict(first.tags), model_id=first.model_id)
    before = moves.settle(client, TASK)
    barrier, told = CONTEXT.Barrier(PROCESSES), CONTEXT.Queue()
    numbers = [str(number + 1) for number in range(PROCESSES)]
    workers = [CONTEXT.Process(target=promote_in_each_round, args=(uri, one, barrier, told)) for one in numbers]
    watch = Watch()
    watch.start()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    watch.over.set()
    watch.join()
    assert [worker.exitcode for worker in workers] == [0] * PROCESSES
    assert set(watch.seen) == {(1, True)}
    assert len(watch.seen) > ROUNDS

    state = History(client, TASK).state()
    made = state.moves[len(before.moves) :]
    assert state.done == len(state.moves)
    holders = [before.production, *(move.version for move in made)]
    assert [move.changes["Production"] for move in made] == list(itertools.pairwise(holders))
    for number, moved in (told.get() for _ in numbers):
        assert [move.why.split(" (")[0] for move in made if move.version == number] == moved
        assert len(moved) > ROUNDS / 2
    (holder,) = [one for one in versions.of_task(client, TASK) if one.current_stage == "Production"]
    assert client.get_model_version_by_alias(TASK, "production").version == holder.version
    assert str(holder.version) == state.production == holders[-1]


@pytest.mark.xdist_group("servers")
def test_eight_processes_promote_at_once_in_postgresql(content: dict[str, Any], postgres: Postgres) -> None:
    uri = postgres.create("contest")
    mlflow.set_tracking_uri(uri)
    register(content, TASK)
    contest(uri)


def test_eight_processes_promote_at_once_in_sqlite(registered: dict[str, Any], tmp_path: Path) -> None:
    contest(f"sqlite:///{tmp_path}/mlflow.db")
