"""The audit log loses nothing it could keep, and never holds up a request."""

import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from serving.access.audit import Asked, Audit
from tests.serving.access.conftest import ROOT

WORKER = """
import signal, sys, time
from pathlib import Path
from serving.access.audit import Asked, Audit
audit = Audit(Path(sys.argv[1]))
def line(n):
    who = None, "anonymous", "127.0.0.1"
    return Asked(time.time(), *who, "/invocations", "flights", "Production", "7", n, 200, 1, "r")
def end(*_):
    audit.close()
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
audit(line(0))
while not list(Path(sys.argv[1]).glob("audit-*.jsonl")):
    time.sleep(0.02)
time.sleep(0.5)
for n in range(1, 1001):
    audit(line(n))
print("asked", flush=True)
while True:
    time.sleep(60)
"""


def asked(number: int, name: str = "dashboard", route: str = "/invocations") -> Asked:
    return Asked(
        1767225600.25, "8f14", name, "10.0.0.9", route, "flights", "Production", "7", number, 200, 0.25, f"r-{number}"
    )


def lines(folder: Path) -> list[dict[str, object]]:
    """Every line of every file, the oldest file first."""
    paths = sorted(folder.glob("audit-*.jsonl*"), key=lambda path: (path.name.split(".")[0], -_age(path)))
    return [json.loads(line) for path in paths for line in path.read_text().splitlines()]


def _age(path: Path) -> int:
    return int(path.suffix[1:]) if path.suffix[1:].isdigit() else 0


def until(condition: Callable[[], bool], seconds: float = 15) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.05)
    return False


def test_a_line_says_who_asked_which_version_when_and_how_it_ended(tmp_path: Path) -> None:
    audit = Audit(tmp_path)
    audit(asked(3))
    audit.close()
    assert lines(tmp_path) == [
        {
            "at": "2026-01-01T00:00:00.250000Z",
            "key": "8f14",
            "name": "dashboard",
            "client": "10.0.0.9",
            "route": "/invocations",
            "model": "flights",
            "reference": "Production",
            "version": "7",
            "rows": 3,
            "status": 200,
            "ms": 0.25,
            "request": "r-3",
        }
    ]


def test_lines_are_written_without_waiting_for_the_end(tmp_path: Path) -> None:
    audit = Audit(tmp_path)
    for number in range(3):
        audit(asked(number))
        assert until(lambda number=number: len(lines(tmp_path)) == number + 1)  # type: ignore[misc]
    audit.close()


def test_files_are_rotated_by_size_and_the_oldest_goes(tmp_path: Path) -> None:
    audit = Audit(tmp_path, max_bytes=100_000, kept=2)
    for number in range(3000):
        audit(asked(number))
    audit.close()
    names = sorted(path.name for path in tmp_path.glob("audit-*"))
    assert names == ["audit-0.jsonl", "audit-0.jsonl.1", "audit-0.jsonl.2"]
    assert all(path.stat().st_size <= 100_000 for path in tmp_path.glob("audit-*"))
    numbers = [line["rows"] for line in lines(tmp_path)]
    assert numbers == list(range(3000 - len(numbers), 3000))
    assert audit.dropped == 0


def test_a_text_cannot_forge_or_break_a_line(tmp_path: Path) -> None:
    audit = Audit(tmp_path)
    audit(asked(1, name='x"}\n{"status": 200'))
    audit(asked(2, route="/\ud800"))
    audit(asked(3))
    audit.close()
    found = lines(tmp_path)
    assert [line["rows"] for line in found] == [1, 3]
    assert found[0]["name"] == 'x"}\n{"status": 200'
    assert audit.dropped == 1


def test_a_full_disk_neither_stops_requests_nor_leaves_half_a_line_and_is_overcome(
    small_disk: Path, caplog: pytest.LogCaptureFixture
) -> None:
    filler = small_disk / "filler"
    filler.write_bytes(b"x" * 30_000)
    audit = Audit(small_disk, queue=500)
    start = time.monotonic()
    for number in range(2000):
        audit(asked(number))
        if number % 100 == 0:
            time.sleep(0.05)
    assert time.monotonic() - start < 5
    assert until(lambda: audit.dropped > 0)
    assert until(lambda: "cannot be written" in caplog.text)
    time.sleep(1.5)
    for number in range(5000, 5600):  # the disk is still full
        audit(asked(number))
    errors = [one for one in caplog.records if one.levelno == logging.ERROR]
    assert len(errors) == 1
    assert "No space left on device" in errors[0].getMessage()
    for line in lines(small_disk):  # whole lines only
        assert line["status"] == 200
    subprocess.run(["mount", "-o", "remount,size=8m", small_disk], check=True)
    assert until(lambda: "is written again" in caplog.text)
    audit(asked(9999))
    audit.close()
    found = lines(small_disk)
    assert found[-1]["rows"] == 9999
    assert len(found) + audit.dropped == 2000 + 600 + 1


def test_a_folder_that_cannot_be_written_counts_what_is_lost_and_is_used_once_it_can(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "audit"
    folder.write_text("a file, where a folder should be")
    audit = Audit(folder, queue=10)
    for number in range(25):
        audit(asked(number))
    assert audit.dropped == 15
    assert until(lambda: "cannot be written" in caplog.text)
    folder.unlink()
    assert until(lambda: folder.is_dir() and len(lines(folder)) == 10)
    audit.close()
    assert audit.dropped == 15


def test_what_is_left_at_the_end_counts_as_lost(tmp_path: Path) -> None:
    folder = tmp_path / "audit"
    folder.write_text("")
    audit = Audit(folder)
    for number in range(300):
        audit(asked(number))
    audit.close()
    assert audit.dropped == 300


def test_a_folder_or_file_removed_under_the_server_is_made_again(tmp_path: Path) -> None:
    folder = tmp_path / "audit"
    audit = Audit(folder)
    audit(asked(1))
    assert until(lambda: len(lines(folder)) == 1)
    (folder / "audit-0.jsonl").unlink()
    audit(asked(2))
    assert until(lambda: len(lines(folder)) == 1)
    shutil.rmtree(folder)
    audit(asked(3))
    assert until(lambda: [line["rows"] for line in lines(folder)] == [3])
    audit.close()
    assert audit.dropped == 0


def test_workers_write_files_of_their_own_and_a_new_one_takes_a_killed_ones_over(tmp_path: Path) -> None:
    def start() -> "subprocess.Popen[str]":
        command = [sys.executable, "-c", WORKER, str(tmp_path)]
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        assert process.stdout.readline() == "asked\n"
        return process

    first, second = start(), start()
    assert until(lambda: len(lines(tmp_path)) == 2002)
    os.kill(first.pid, signal.SIGKILL)
    first.wait(10)
    with (tmp_path / "audit-0.jsonl").open("a") as file:
        file.write('{"at": "2026-')  # as a power failure may leave it
    third = start()
    third.terminate()
    second.terminate()
    assert third.wait(15) == second.wait(15) == 0
    assert sorted(path.name for path in tmp_path.glob("audit-*")) == ["audit-0.jsonl", "audit-1.jsonl"]
    whole = (tmp_path / "audit-0.jsonl").read_text().splitlines()
    assert len(whole) == 1001 + 1 + 1001
    assert [json.loads(line)["rows"] for line in whole[-1001:]] == list(range(1001))
    assert datetime.fromisoformat(json.loads(whole[-1])["at"]).tzinfo == UTC


def test_sigterm_writes_what_was_asked_before(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", WORKER, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "asked\n"
    process.terminate()
    assert process.wait(15) == 0
    assert [line["rows"] for line in lines(tmp_path)] == list(range(1001))
