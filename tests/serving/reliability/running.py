"""The server as a process of its own, and load on it."""

import asyncio
import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil

from tests.servers.started import Server, free_port
from tests.serving.reliability.made import Registry

CONNECTIONS = 16


@dataclass
class Serving:
    """A running `python -m serving`."""

    server: Server
    client: httpx.Client

    @property
    def address(self) -> str:
        return self.server.address

    @property
    def log(self) -> str:
        return self.server.log.read_text(encoding="utf-8")

    def processes(self) -> list[psutil.Process]:
        """Its workers."""
        return [one for one in psutil.Process(self.server.process.pid).children() if _serves(one)]

    def get(self, path: str, **more: Any) -> httpx.Response:
        return self.client.get(path, **more)

    def post(self, path: str, **more: Any) -> httpx.Response:
        return self.client.post(path, **more)


def _serves(process: psutil.Process) -> bool:
    try:
        return process.cmdline()[1:3] == ["-m", "serving"] or "spawn_main" in " ".join(process.cmdline())
    except psutil.NoSuchProcess:  # it has just ended
        return False


@contextmanager
def serving(registry: Registry, folder: Path, *options: str, **env: str) -> Iterator[Serving]:
    """`python -m serving` on a registry, its local copy and its log in `folder`; ended at the end."""
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    command = [sys.executable, "-m", "serving", "--port", str(port), "--log", "json", *options]
    started = Server(command, port, folder / "serving.log", folder, registry.env | env, "/live")
    with started as server, httpx.Client(base_url=server.address, timeout=60) as client:
        yield Serving(server, client)


@dataclass
class Answer:
    """What one request got, and when."""

    sent: float
    received: float
    question: Any
    status: int = 0
    version: str = ""
    content: bytes = b""
    error: str = ""
    connection: int = 0
    worker: int = 0
    """The process that answered."""


@dataclass
class Load:
    """Requests over a number of connections, each sending the next as soon as it has an answer, until told to end."""

    address: str
    questions: list[tuple[str, dict[str, Any]]]
    """Paths, and what `httpx.request` takes."""
    connections: int = CONNECTIONS
    pause: float = 0.0
    answers: list[Answer] = field(default_factory=list)
    ending: bool = False

    async def run(self, during: Callable[[], Awaitable[None]]) -> None:
        """Send until `during` is over."""
        turn = itertools.cycle(self.questions)
        tasks = [asyncio.create_task(self._connection(turn, number)) for number in range(self.connections)]
        try:
            await during()
        finally:
            self.ending = True
        await asyncio.gather(*tasks)

    async def _connection(self, turn: "itertools.cycle[tuple[str, dict[str, Any]]]", number: int) -> None:
        limits = httpx.Limits(max_connections=1)
        async with httpx.AsyncClient(base_url=self.address, timeout=30, limits=limits) as client:
            while not self.ending:
                question = next(turn)
                answer = Answer(time.time(), 0, question, connection=number)
                try:
                    found = await client.post(question[0], **question[1])
                    answer.status, answer.content = found.status_code, found.content
                    answer.version = found.headers.get("x-model-version", "")
                    answer.worker = int(found.headers["x-request-id"].partition("-")[0], 16)
                except httpx.HTTPError as error:
                    answer.error = repr(error)
                answer.received = time.time()
                self.answers.append(answer)
                if self.pause:
                    await asyncio.sleep(self.pause)


def kill(pid: int) -> None:
    """`kill -9`."""
    os.kill(pid, signal.SIGKILL)


def memory(processes: list[psutil.Process]) -> int:
    """Bytes that processes hold for themselves."""
    return sum(one.memory_full_info().uss for one in processes)


def run(*command: str, registry: Registry, folder: Path) -> subprocess.CompletedProcess[str]:
    """A command of the server that ends by itself."""
    return subprocess.run(
        [sys.executable, "-m", "serving", *command],
        cwd=folder,
        env=registry.env,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
