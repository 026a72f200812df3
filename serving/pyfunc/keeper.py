"""The thread of the main process that has a process for each model that is asked for, and no other."""

import hashlib
import logging
import shutil
import threading
import time
from collections.abc import Callable

from serving.follow import artifacts
from serving.follow.follower import place
from serving.follow.state import State, Version
from serving.pyfunc import table
from serving.pyfunc.process import Process
from serving.pyfunc.table import Side
from serving.settings import Settings

TICK = 0.25  # seconds between two looks at what is wanted
GRACE = 4.0  # seconds that a process stays after nobody has asked for it
MOST = 8  # processes of versions that nothing names but that were asked for by number

log = logging.getLogger("serving.pyfunc")


class Keeper(threading.Thread):
    """Keeps the models' processes in step with the registry and the workers."""

    def __init__(self, settings: Settings, state: Callable[[], State]) -> None:
        """`state` gives what the registry holds, as it was last seen.

        Raises:
            ValueError: the operator's Python cannot be run, or the run folder's path is too long for a socket.
        """
        super().__init__(daemon=True, name="pyfunc keeper")
        python = settings.pyfunc_python
        if python and shutil.which(python) is None:
            raise ValueError(f"--pyfunc-python {python!r} is no program that can be run; give the path of a Python")
        longest = len(str(table.socket_of(settings.run, "0" * 12)).encode())
        if longest > table.LONGEST:
            raise ValueError(
                f"the run folder {settings.run} makes paths of sockets {longest} bytes long, at most {table.LONGEST} "
                "are possible; set TMPDIR to a shorter one"
            )
        self.settings = settings
        self.state = state
        self.processes: dict[str, Process] = {}
        self.leaving: list[Process] = []
        self.unwanted: dict[str, float] = {}
        self.told: dict[str, Side] = {}
        self.changed = threading.Event()
        self.ending = threading.Event()

    def run(self) -> None:
        """Look again and again."""
        while not self.ending.is_set():
            try:
                self.look()
            except Exception:  # such as a full disk: the next look may succeed
                log.exception("the models' processes could not be kept")
            self.changed.wait(TICK)
            self.changed.clear()

    def look(self) -> None:
        """Start what is wanted, end what is not, and tell the workers."""
        wanted = self._wanted()
        self.leaving = [process for process in self.leaving if process.is_alive()]
        busy = {process.socket for process in self.leaving}
        for key, version in wanted.items():
            self.unwanted.pop(key, None)
            if key not in self.processes and table.socket_of(self.settings.run, key) not in busy:
                process = self.processes[key] = self._process(key, version)
                process.start()
        for key in [key for key in self.processes if key not in wanted]:
            if time.monotonic() - self.unwanted.setdefault(key, time.monotonic()) > GRACE:
                self._end(key)
        sides = {key: process.side for key, process in self.processes.items()}
        if sides != self.told:
            table.write(self.settings.run, sides)
            self.told = sides

    def close(self) -> None:
        """End all processes; what is in flight is finished."""
        self.ending.set()
        self.changed.set()
        if self.is_alive():
            self.join(5)
        for key in list(self.processes):
            self._end(key)
        until = time.monotonic() + self.settings.limits.seconds
        for process in self.leaving:
            process.join(max(0.0, until - time.monotonic()))
            if process.child is not None and process.child.poll() is None:
                process.child.kill()

    def _process(self, key: str, version: Version) -> Process:
        folder = artifacts.folder(place(self.settings.copy, self.settings.registry), version)
        located = hashlib.sha256(version.location.encode()).hexdigest()[:8]
        return Process(self.settings, version, folder.with_name(f"{folder.name}-{located}"), self.changed)

    def _end(self, key: str) -> None:
        process = self.processes.pop(key)
        self.unwanted.pop(key, None)
        self.leaving.append(process)
        process.end()
        log.info("ending a model's process", extra={"version": str(process.version)})

    def _wanted(self) -> dict[str, Version]:
        """The versions that a stage or an alias names, and those that workers have asked for of late."""
        state = self.state()
        wanted = {table.key(version): version for version in state.named().values() if not version.digest}
        fresh = time.time() - GRACE
        asked = {key: when for key, when in table.wanted(self.settings.run).items() if when > fresh}
        if asked.keys() <= wanted.keys():
            return wanted
        known = {table.key(version): version for version in state.versions if not version.digest}
        others = [key for key in asked if key in known and key not in wanted]
        others.sort(key=lambda key: (key not in self.processes, -asked[key]))  # what runs is not pushed out
        return wanted | {key: known[key] for key in others[:MOST]}
