"""Workers are copies of the main process: they share its memory, and neither its signals nor its hangs."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from serving import forked
from tests.serving.reliability.made import TASK, Registry
from tests.serving.reliability.questions import ask, good, rows
from tests.serving.reliability.running import Serving, kill, serving

pytestmark = [
    pytest.mark.xdist_group("reliability"),
    pytest.mark.skipif(not forked.POSSIBLE, reason="workers are copies of the main process on Linux only"),
]

BACK = 3.0  # seconds until a worker is replaced
SHARED = 15  # MiB of a worker's memory that are the main process's too
OWN = 45  # MiB of its own
QUESTION = ask("split", rows(1))
DEFAULT = ("--default", f"{TASK}/Production")


def another(server: Serving, answered: int) -> None:
    """Wait until one more worker than `answered` has said that it answers, and ask it."""
    end = time.monotonic() + BACK
    while server.log.count("worker answers") <= answered:
        assert time.monotonic() < end
        time.sleep(0.02)
    good(server.post(QUESTION[0], **QUESTION[1]))


def test_workers_have_in_memory_once_what_all_of_them_need(registry: Registry, tmp_path: Path) -> None:
    with serving(registry, tmp_path, *DEFAULT, "--workers", "2") as server:
        while server.log.count("worker answers") < 2:
            time.sleep(0.1)
        children = psutil.Process(server.server.process.pid).children(recursive=True)
        assert sorted(one.pid for one in children) == sorted(one.pid for one in server.processes())
        assert len(children) == 2
        for one in children:
            told = Path(f"/proc/{one.pid}/smaps_rollup").read_text(encoding="utf-8")
            shared = next(int(line.split()[1]) for line in told.splitlines() if line.startswith("Shared_Dirty:"))
            assert shared / 1024 > SHARED
            assert one.memory_full_info().uss / 2**20 < OWN


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGINT])
def test_a_signal_to_a_worker_alone_ends_it_and_it_is_replaced(
    registry: Registry, tmp_path: Path, number: signal.Signals
) -> None:
    with serving(registry, tmp_path, *DEFAULT) as server:
        worker = server.processes()[0].pid
        os.kill(worker, number)
        another(server, 1)
        assert worker not in [one.pid for one in server.processes()]
        assert "Traceback" not in server.log


def test_sighup_replaces_every_worker_and_refuses_nobody(registry: Registry, tmp_path: Path) -> None:
    with serving(registry, tmp_path, *DEFAULT, "--workers", "2") as server:
        while server.log.count("worker answers") < 2:
            time.sleep(0.1)
        before = {one.pid for one in server.processes()}
        os.kill(server.server.process.pid, signal.SIGHUP)
        end = time.monotonic() + 10
        while before & {one.pid for one in server.processes()}:
            assert time.monotonic() < end
            good(server.post(QUESTION[0], **QUESTION[1], headers={"connection": "close"}))
        assert len(server.processes()) == 2


def test_a_worker_that_is_killed_while_the_registry_hangs_is_replaced(registry: Registry, tmp_path: Path) -> None:
    file = registry.env["MLFLOW_TRACKING_URI"].removeprefix("sqlite:///")
    with serving(registry, tmp_path, *DEFAULT, "--poll", "0.05") as server:
        held = sqlite3.connect(file, isolation_level=None)
        held.execute("BEGIN EXCLUSIVE")  # each look waits for a second
        try:
            for answered in (1, 2, 3):
                time.sleep(0.4)
                kill(server.processes()[0].pid)
                another(server, answered)
        finally:
            held.execute("ROLLBACK")
            held.close()
        while server.get("/ready").json()["status"] != "ready":
            time.sleep(0.1)


def test_sigterm_during_the_start_ends_all(registry: Registry, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "serving", *DEFAULT, "--port", "5087"]
    for wait in (0.0, 0.02, 0.1):
        with (tmp_path / "log").open("wb") as log:
            process = subprocess.Popen(command, cwd=tmp_path, env=registry.env, stderr=log, start_new_session=True)
        while not (children := psutil.Process(process.pid).children()):
            time.sleep(0.001)
        time.sleep(wait)
        process.terminate()
        assert process.wait(20) == 0
        assert not any(one.is_running() for one in children)


def test_nothing_runs_beside_the_imports_when_workers_are_copied() -> None:
    code = (
        "import os; from serving import forked; forked.prepare(); "
        "print(len(os.listdir('/proc/self/task')), os.environ.get(forked.BLAS))"
    )
    env = {name: value for name, value in os.environ.items() if name not in (forked.BLAS, "ORT_DISABLE_TELEMETRY")}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["1", "None"]
