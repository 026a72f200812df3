"""A server's processes: from the start to the first answer, their processor time and their memory."""

import http.client
import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks.serving.load import Body
from benchmarks.serving.servers import HOST, Server, environment

POLL = 0.005
LONGEST_START = 180
LONGEST_ANSWER = 120
DRAIN = 10
QUIET = 0.1


@dataclass(frozen=True)
class Running:
    """A server that answers."""

    server: Server
    process: subprocess.Popen[bytes]
    port: int
    start: float
    """Seconds from the start of the process to the first answer."""

    @property
    def url(self) -> str:
        """Where it scores."""
        return f"http://{HOST}:{self.port}{self.server.path}"

    def ask(self, body: Body, file: Path) -> bytes:
        """The answer to one request.

        Raises:
            RuntimeError: its status is not 200.
        """
        status, content = _ask(self.port, self.server.path, body, file)
        if status != http.client.OK:
            raise RuntimeError(f"{self.server}: answered {file.name} with {status}: {content[:300]!r}; expected 200")
        return content

    def cpu(self) -> float:
        """Processor seconds, user and system, of all its processes."""
        times = [one.cpu_times() for one in self._processes()]
        return sum(one.user + one.system + one.children_user + one.children_system for one in times)

    def memory(self) -> float:
        """Proportional set size (MiB) of all its processes: what they share counts once."""
        return sum(one.memory_full_info().pss for one in self._processes()) / 2**20

    def settle(self) -> None:
        """Wait until it has done what clients that left had asked for."""
        before, now = -1.0, self.cpu()
        while now - before > QUIET / 10:
            time.sleep(QUIET)
            before, now = now, self.cpu()

    def _processes(self) -> list[psutil.Process]:
        first = psutil.Process(self.process.pid)
        return [first, *first.children(recursive=True)]


@contextmanager
def running(server: Server, body: Body, log: Path) -> Iterator[Running]:
    """Start a server, wait for its first answer to `body`, and stop it in the end.

    Raises:
        RuntimeError: it ended, or did not answer with 200 in time; the end of its log is in the message.
    """
    with socket.socket() as free:
        free.bind((HOST, 0))
        port = free.getsockname()[1]
    command = [part.replace("{port}", str(port)) for part in server.command]
    # an empty folder each time: nothing that an earlier start kept is at hand
    with tempfile.TemporaryDirectory(prefix="server-") as folder, log.open("wb") as output:
        clock = time.perf_counter()
        process = subprocess.Popen(
            command, cwd=folder, env=environment(server), stdout=output, stderr=output, start_new_session=True
        )
        try:
            yield Running(server, process, port, _first_answer(server, process, port, body, log, clock))
        except RuntimeError as error:
            if process.poll() is None:
                raise
            raise RuntimeError(f"{server} ended with {process.returncode}: {error}\n{_end(log)}") from None
        finally:
            _stop(process)


def _first_answer(
    server: Server, process: "subprocess.Popen[bytes]", port: int, body: Body, log: Path, clock: float
) -> float:
    answer = "no answer"
    while (seconds := time.perf_counter() - clock) < LONGEST_START:
        if process.poll() is not None:
            raise RuntimeError("it did not answer once")
        try:
            status, content = _ask(port, server.path, body, body.files[0])
        except (OSError, http.client.HTTPException):
            time.sleep(POLL)
            continue
        if status == http.client.OK:
            return time.perf_counter() - clock
        answer = f"{status} {content[:300]!r}"
        time.sleep(POLL)
    raise RuntimeError(
        f"{server} did not answer with 200 in {seconds:.0f} s, but {answer}; its log ends with\n{_end(log)}"
    )


def _ask(port: int, path: str, body: Body, file: Path) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(HOST, port, timeout=LONGEST_ANSWER)
    try:
        connection.request("POST", path, file.read_bytes(), {"Content-Type": body.content_type})
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def _stop(process: "subprocess.Popen[bytes]") -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)  # its group is its own, as it leads a session
        except ProcessLookupError:
            break
        try:
            process.wait(DRAIN)
        except subprocess.TimeoutExpired:
            continue
    process.wait()


def _end(log: Path) -> str:
    return log.read_text(encoding="utf-8", errors="replace").strip()[-1500:]
