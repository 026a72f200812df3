"""Workers that begin as copies of the main process: what all of them need is imported once, and in memory once."""

import ctypes
import gc
import logging
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, suppress
from importlib import import_module
from socket import socket

from uvicorn import Config
from uvicorn.supervisors.multiprocess import SIGNALS, Process

POSSIBLE = sys.platform == "linux"
"""Whether processes may be copied: on macOS its own libraries forbid it."""
OPEN = "/proc/self/fd"
BLAS = "OPENBLAS_NUM_THREADS"

Still = Callable[[], AbstractContextManager[None]]
"""Holds up the main process's other threads, as far as they can be."""


def trim() -> None:
    """Give back the memory that has become free, where the C library can (glibc)."""
    give_back = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if give_back is not None:
        give_back(0)


def prepare() -> None:
    """Import what the workers need."""
    told = BLAS in os.environ
    os.environ.setdefault(BLAS, "1")  # no threads of numpy's, which a copy would lack; nothing here uses them
    try:
        for name in ("serving.app", "uvicorn.lifespan.on", "uvicorn.loops.uvloop"):
            import_module(name)
        import_module("serving.runtime.library").environment()  # 12 MiB of tables
    finally:
        if not told:
            del os.environ[BLAS]  # other programs that this one starts may need threads


def _depth() -> int:
    """Calls that this one is within, which a copy of the process is too."""
    frame, depth = sys._getframe(1), 0
    while frame.f_back is not None:
        frame, depth = frame.f_back, depth + 1
    return depth


class Forked(Process):
    """A worker: a copy of this process that has its imports, and neither its signals nor its files."""

    def __init__(self, config: Config, sockets: list[socket], still: Still) -> None:
        super().__init__(config, sockets)
        self.still = still
        self.open: set[int] = set()
        self.process = multiprocessing.get_context("fork").Process(  # type: ignore[assignment]
            target=self._begin, args=(sockets,)
        )

    def start(self) -> None:
        """Copy this process."""
        with ExitStack() as held:
            held.enter_context(self.still())
            for handler in logging.getLogger().handlers:  # no other thread is to be within a line of the log
                handler.acquire()
                held.callback(handler.release)
            mask = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)  # until the copy has its own ways with them
            held.callback(signal.pthread_sigmask, signal.SIG_SETMASK, mask)
            listed = os.listdir(OPEN)  # of which one was the listing itself
            self.open = {int(name) for name in listed if os.path.exists(f"{OPEN}/{name}")}
            trim()
            gc.freeze()  # the collector writes to what it looks at, and what is written to is no longer shared
            super().start()

    def _begin(self, sockets: list[socket]) -> None:
        """The life of the copy."""
        for number in SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        self._leave_files(sockets)
        sys.setrecursionlimit(sys.getrecursionlimit() + _depth())  # what a request may be nested does not depend on it
        gc.enable()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        with suppress(KeyboardInterrupt):  # Ctrl-C reaches all processes; the main one tells of it
            self.target(sockets)

    def _leave_files(self, sockets: list[socket]) -> None:
        """Let go of the main process's files and connections, while their numbers stay taken: objects hold them."""
        own = {0, 1, 2, self.parent_conn.fileno(), self.child_conn.fileno(), *(one.fileno() for one in sockets)}
        nothing = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        for number in self.open - own:
            os.dup2(nothing, number, inheritable=False)
        os.close(nothing)
