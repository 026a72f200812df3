"""Who asked which version when, how many rows and how it ended, in files; never the rows themselves."""

import contextlib
import fcntl
import logging
import os
import threading
import time
from collections import deque
from datetime import UTC, datetime
from pathlib import Path

import msgspec

log = logging.getLogger(__name__)

QUEUE = 20_000
LINES = 256
GATHER_SECONDS = 0.2
RETRY_SECONDS = 1.0
SILENT_SECONDS = 60.0
WORKERS = 1024
UNWRITABLE = (ValueError, TypeError, OverflowError, msgspec.MsgspecError)  # such as half of a surrogate pair


class Asked(msgspec.Struct, gc=False):
    """One request and its answer.

    `at` is seconds since 1970 and becomes a time in UTC in the file; `key` and `name` are those of the API key, and
    `client` is the address. All texts are the server's own or already bounded: a line is as long as they are.
    """

    at: float | datetime
    key: str | None
    name: str
    client: str
    route: str
    model: str
    reference: str
    version: str
    rows: int
    status: int
    ms: float
    request: str


class Audit:
    """A log of JSON lines, written off the request's path.

    Each process writes files of its own, `audit-<number>.jsonl` with the lowest number that no living process has, so
    that rotation needs no lock between workers, and a worker that is started again goes on where the last one ended.
    A file that has `max_bytes` is moved to `audit-<number>.jsonl.1`, and so on up to `kept` old ones.

    A call never waits and never fails. Lines wait in memory while the folder cannot be written, `queue` of them at
    most; `dropped` counts those that were lost beyond that. The problem is logged once a minute, and writing goes on
    by itself when it is gone. To be made in the process that calls it.
    """

    def __init__(self, folder: Path, max_bytes: int = 50_000_000, kept: int = 5, queue: int = QUEUE) -> None:
        self.dropped = 0
        self._queue: deque[Asked] = deque()
        self._most = queue
        self._some = threading.Event()
        self._awake = False
        self._closing = threading.Event()
        self._file = _File(folder, max_bytes, kept)
        self._pending = b""
        self._pending_lines = 0
        self._said = -SILENT_SECONDS
        self._failing = False
        self._thread = threading.Thread(target=self._run, name="audit", daemon=True)
        self._thread.start()

    def __call__(self, asked: Asked) -> None:
        """Have one line written."""
        if len(self._queue) >= self._most:
            self.dropped += 1
            return
        self._queue.append(asked)
        if not self._awake:  # an event is slow to set, so only the first of many lines sets it
            self._awake = True
            self._some.set()

    def close(self, seconds: float = 5.0) -> None:
        """Write what waits, and end; what cannot be written within `seconds` is counted as dropped."""
        if self._closing.is_set():
            return
        self._closing.set()
        self._some.set()
        self._thread.join(seconds)
        if left := len(self._queue) + self._pending_lines:
            self.dropped += left
            log.error("the audit log ends with %d lines lost", self.dropped)

    def _run(self) -> None:
        while not self._closing.is_set():
            self._some.wait()
            self._closing.wait(RETRY_SECONDS if self._failing else GATHER_SECONDS)
            self._some.clear()
            self._awake = False  # before the queue is emptied, so that no line is left without a wake-up
            self._write()
            if self._failing:
                self._some.set()
        self._write()
        self._file.close()

    def _write(self) -> None:
        while self._pending or self._queue:
            if not self._pending:
                some = [self._queue.popleft() for _ in range(min(LINES, len(self._queue)))]
                self._pending, self._pending_lines = self._encoded(some)
            try:
                self._file.write(self._pending)
            except OSError as error:
                self._problem(error)
                return
            self._pending, self._pending_lines = b"", 0
            if self._failing:
                self._failing = False
                log.warning("the audit log is written again; %d lines are lost so far", self.dropped)

    def _encoded(self, some: list[Asked]) -> tuple[bytes, int]:
        try:
            for one in some:
                if not isinstance(one.at, datetime):
                    one.at = datetime.fromtimestamp(one.at, UTC)
            return _encoder.encode_lines(some), len(some)
        except UNWRITABLE:
            lines = []
            for one in some:
                with contextlib.suppress(*UNWRITABLE):
                    lines.append(_encoder.encode(one) + b"\n")
            self.dropped += len(some) - len(lines)
            return b"".join(lines), len(lines)

    def _problem(self, error: OSError) -> None:
        self._failing = True
        if time.monotonic() - self._said >= SILENT_SECONDS:
            self._said = time.monotonic()
            log.error(
                "the audit log cannot be written to %s: %s; %d lines wait, %d are lost so far",
                self._file.folder,
                error.strerror or error,
                self._pending_lines + len(self._queue),
                self.dropped,
            )


class _File:
    """The file that a process writes, opened when there is something to write."""

    def __init__(self, folder: Path, max_bytes: int, kept: int) -> None:
        self.folder = folder
        self._max = max_bytes
        self._kept = kept
        self._lock = -1
        self._path = folder
        self._file = -1
        self._size = 0

    def write(self, lines: bytes) -> None:
        """Append whole lines, or none of them.

        Raises:
            OSError: The file cannot be written.
        """
        try:
            if self._lock < 0:
                self._claim()
            if self._file >= 0 and (self._size + len(lines) > self._max > 0 or not self._is_there()):
                self._shut()
            if self._file < 0:
                self._open(len(lines))
            self._append(lines)
        except OSError:
            self.close()  # the folder may be another one next time
            raise

    def close(self) -> None:
        """Let go of the file and its number."""
        self._shut()
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def _append(self, lines: bytes) -> None:
        rest = memoryview(lines)
        try:
            while rest:
                rest = rest[os.write(self._file, rest) :]
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(self._file, self._size)  # a disk fills in the middle of a line
            raise
        self._size += len(lines)

    def _claim(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        for number in range(WORKERS):
            lock = os.open(self.folder / f".audit-{number}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                os.close(lock)
                if not isinstance(error, BlockingIOError):
                    raise
            else:
                self._lock, self._path = lock, self.folder / f"audit-{number}.jsonl"
                return
        raise OSError(f"{WORKERS} processes write there already")

    def _open(self, coming: int) -> None:
        with contextlib.suppress(FileNotFoundError):
            if (size := self._path.stat().st_size) and 0 < self._max < size + coming:
                self._rotate()
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        self._file = os.open(self._path, flags, 0o640)
        self._size = os.fstat(self._file).st_size
        if self._size and os.pread(self._file, 1, self._size - 1) != b"\n":  # a process that was killed while writing
            self._size += os.write(self._file, b"\n")

    def _rotate(self) -> None:
        old = [self._path.with_name(f"{self._path.name}.{number}") for number in range(1, self._kept + 1)]
        if not old:
            self._path.unlink()
        for older, newer in zip(reversed(old), [*reversed(old[:-1]), self._path], strict=True):
            with contextlib.suppress(FileNotFoundError):
                newer.replace(older)

    def _is_there(self) -> bool:
        with contextlib.suppress(OSError):
            return os.path.samestat(os.stat(self._path), os.fstat(self._file))
        return False

    def _shut(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


_encoder = msgspec.json.Encoder()
