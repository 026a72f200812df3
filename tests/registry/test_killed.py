"""`kill -9` before each write of a command, to the database and to the artifacts; the next command finishes."""

import multiprocessing
import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import mlflow
import pytest
from mlflow import MlflowClient
from mlflow.store.artifact.local_artifact_repo import LocalArtifactRepository
from sqlalchemy import event
from sqlalchemy.engine import Engine

from registry import by_hand, moves, versions
from registry.register import register
from tests.registry.test_register import state

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["tests.registry.test_killed", "mlflow.store.tracking.sqlalchemy_store"])
WRITING = ("INSERT", "UPDATE", "DELETE")


@contextmanager
def each_write(step: Any) -> Iterator[None]:
    """Call `step` before each commit that changes the database, and before each artifact is written."""

    def statement(connection: Any, _cursor: Any, text: str, *_: Any) -> None:
        if text.lstrip().upper().startswith(WRITING):
            connection.info["wrote"] = True

    def commit(connection: Any) -> None:
        if connection.info.pop("wrote", False):
            step()

    def artifact(original: Any) -> Any:
        def write(*arguments: Any, **named: Any) -> Any:
            step()
            return original(*arguments, **named)

        return write

    event.listen(Engine, "before_cursor_execute", statement)
    event.listen(Engine, "commit", commit)
    with pytest.MonkeyPatch.context() as patch:
        for name in ("log_artifact", "log_artifacts"):
            patch.setattr(LocalArtifactRepository, name, artifact(getattr(LocalArtifactRepository, name)))
        yield
    event.remove(Engine, "before_cursor_execute", statement)
    event.remove(Engine, "commit", commit)


def work(job: str, content: dict[str, Any]) -> None:
    """What is killed: registering a second candidate, or what a person does."""
    client = MlflowClient()
    if job == "register":
        register(content, "churn")
    elif job == "promote":
        by_hand.promote(client, client.get_model_version("churn", "2"), "Production", "test")
    else:
        by_hand.rollback(client, "churn", versions.of_task(client, "churn"), "test")


def run(job: str, content: dict[str, Any], folder: Path, database: Path, fatal: int | None, writes: Any) -> None:
    """Do a job; die before write number `fatal`, or else say how many writes there were."""
    os.chdir(folder)
    mlflow.set_tracking_uri(f"sqlite:///{database}")
    count = 0

    def step() -> None:
        nonlocal count
        if count == fatal:
            os.kill(os.getpid(), signal.SIGKILL)
        count += 1

    with each_write(step):
        work(job, content)
    writes.put(count)


def in_a_process(job: str, content: dict[str, Any], database: Path, fatal: int | None) -> int:
    """How many writes a job took in a process of its own; 0 if it was killed."""
    writes = CONTEXT.SimpleQueue()
    process = CONTEXT.Process(target=run, args=(job, content, Path.cwd(), database, fatal, writes))
    process.start()
    process.join()
    assert process.exitcode == (0 if fatal is None else -signal.SIGKILL)
    return int(writes.get()) if fatal is None else 0


def history() -> list[tuple[str, Any]]:
    return [(move.kind, move.changes) for move in moves.settle(MlflowClient(), "churn").moves]


def use(database: Path) -> None:
    mlflow.set_tracking_uri(f"sqlite:///{database}")


def check(job: str, content: dict[str, Any], before: Path, tmp_path: Path, least: int) -> None:
    """Kill the job before each of its writes, starting from the database `before`; do it again; compare."""
    whole = tmp_path / "whole.db"
    shutil.copy(before, whole)
    writes = in_a_process(job, content, whole, None)
    assert writes >= least
    use(whole)
    expected = (history(), state())
    for fatal in range(writes):
        database = tmp_path / f"{job}-{fatal}.db"
        shutil.copy(before, database)
        in_a_process(job, content, database, fatal)
        use(database)
        for version in versions.of_task(MlflowClient(), "churn"):
            assert versions.graph(version, tmp_path / "graphs" / f"{fatal}-{version.version}").is_file()
        if (history(), state()) != expected:
            work(job, content)
        assert (history(), state()) == expected, f"killed before write {fatal} of {writes}"


@pytest.fixture
def before(content: dict[str, Any], tmp_path: Path) -> Path:
    """The database after the weaker candidate alone was registered."""
    register({**content, "models": {"churn-weak": content["models"]["churn-weak"]}}, "churn")
    shutil.copy("mlflow.db", tmp_path / "before.db")
    return tmp_path / "before.db"


def test_killed_before_any_write_of_register_the_next_finishes_with_one_whole_version_more(
    content: dict[str, Any], before: Path, tmp_path: Path
) -> None:
    check("register", content, before, tmp_path, least=12)


@pytest.mark.parametrize("job", ["promote", "rollback"])
def test_killed_before_any_write_of_a_persons_move_the_next_command_finishes_it(
    job: str, registered: dict[str, Any], tmp_path: Path
) -> None:
    before = tmp_path / "mlflow.db"
    if job == "rollback":
        work("promote", registered)
    check(job, registered, before, tmp_path, least=5)
