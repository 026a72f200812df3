"""Servers that tests start as processes: a free port, an answer to wait for, an end."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn, Self

import pytest
import requests

PATIENCE = 120.0  # seconds for a server to answer


def free_port() -> int:
    """A port of the loopback that nothing listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def lacking(what: str) -> NoReturn:
    """Skip the test for want of a program, except in CI, which must run every test."""
    (pytest.fail if os.environ.get("CI") else pytest.skip)(f"{what} is not installed; see .ci/run")


@dataclass
class Server:
    """A command that listens on a port of the loopback; within `with` it runs and answers."""

    command: Sequence[str]
    port: int
    log: Path
    cwd: Path
    env: Mapping[str, str]
    path: str = "/health"
    process: subprocess.Popen[bytes] = field(init=False)

    @property
    def address(self) -> str:
        """Its URL."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, and return when it answers on `path` with status 200."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command, cwd=self.cwd, env=self.env, stdout=log, stderr=log, start_new_session=True
            )
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            assert self.process.poll() is None, self.log.read_text()
            try:
                if requests.get(self.address + self.path, timeout=5).status_code == 200:
                    return
            except requests.RequestException:
                time.sleep(0.1)
        pytest.fail(f"no answer from {self.address}{self.path}:\n{self.log.read_text()}")

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End it and its children, and return when none of these, which may outlive it for a while, listens."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, how)
            self.process.wait(30)
        end = time.monotonic() + 30
        with suppress(ConnectionError):
            while time.monotonic() < end:
                socket.create_connection(("127.0.0.1", self.port), timeout=5).close()
                time.sleep(0.02)
            pytest.fail(f"{' '.join(self.command)} was ended, and {self.address} is still listened on")

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
