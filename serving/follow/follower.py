"""The thread that looks at the registry, brings what it names into the local copy, and tells the workers."""

import hashlib
import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from serving.follow import artifacts, state, stores
from serving.follow.state import State, Version

NEWEST = 3  # versions of each model that are fetched before anything names them
STILL = 1.0  # seconds that a look may hold up who waits for its end
AGAIN = 5.0  # seconds until files that could not be fetched are tried again

log = logging.getLogger("serving.follow")


def place(copy: Path, registry: str) -> Path:
    """The folder of a registry in the local copy, where several may have their own."""
    return copy / hashlib.sha256(registry.encode()).hexdigest()[:12]


class Follower(threading.Thread):
    """Follows one registry until the process ends."""

    def __init__(self, registry: str, copy: Path, poll: float) -> None:
        super().__init__(daemon=True, name="follower")
        self.registry = registry
        self.folder = place(copy, registry)
        self.poll = poll
        self.store = stores.at(registry)
        self.state = state.read(self.folder) or State(registry)
        self.tried: dict[str, float] = {}
        self.ending = threading.Event()
        self.looking = threading.Lock()

    def run(self) -> None:
        """Look again and again."""
        while not self.ending.wait(self.poll):
            try:
                with self.looking:
                    self.look()
            except Exception:  # such as a full disk: the next look may succeed
                log.exception("the registry's state could not be kept")

    @contextmanager
    def still(self) -> Iterator[None]:
        """The thread does not look meanwhile, unless a look takes longer than a second: a registry may hang."""
        held = self.looking.acquire(timeout=STILL)
        try:
            yield
        finally:
            if held:
                self.looking.release()

    def look(self) -> State:
        """Look once: the state that the workers are told."""
        try:
            versions = self.store.versions()
        except stores.Unreachable as error:
            self._tell(_unreachable(self.state, str(error)))
            return self.state
        faults = self._fetch(State(self.registry, versions))
        now = time.time()
        since = now if self.state.unreachable or not self.state.since else self.state.since
        reached = State(self.registry, versions, since=since, faults=faults)
        self._tell(_moved(self.state, reached, now))
        return self.state

    def _tell(self, new: State) -> None:
        if new == self.state and (self.folder / state.STATE).exists():
            return
        if self.is_alive() and bool(new.unreachable) != bool(self.state.unreachable):
            if new.unreachable:
                log.warning("registry unreachable, the last known versions stay", extra={"why": new.unreachable})
            else:
                log.info("registry reached again")
        state.write(self.folder, new)
        self.state = new

    def _fetch(self, seen: State) -> dict[str, str]:
        """Bring the files of what is named and of the newest into the copy; by version what failed."""
        faults: dict[str, str] = {}
        for version in _wanted(seen):
            name = str(version)
            if not version.digest:
                continue  # no graph of this project: its own process fetches it
            if (artifacts.folder(self.folder, version) / artifacts.GRAPH).exists():
                continue  # the workers check it
            if time.monotonic() - self.tried.get(name, -AGAIN) < AGAIN:
                if name in self.state.faults:
                    faults[name] = self.state.faults[name]
                continue
            self.tried[name] = time.monotonic()
            try:
                artifacts.ensure(self.folder, version, self.registry)
            except artifacts.Faulty as fault:
                faults[name] = str(fault)
                if self.state.faults.get(name) != str(fault):
                    log.error("version cannot be fetched", extra={"version": name, "why": str(fault)})
        return faults


def _wanted(seen: State) -> list[Version]:
    named = list({str(one): one for one in seen.named().values()}.values())
    newest: dict[str, list[Version]] = {}
    for version in sorted(seen.versions, key=lambda one: -one.number):
        newest.setdefault(version.name, []).append(version)
    return named + [one for of_model in newest.values() for one in of_model[:NEWEST] if one not in named]


def _unreachable(last: State, why: str) -> State:
    since = last.since if last.unreachable else time.time()
    return State(last.registry, last.versions, last.unreachable or why, since, last.faults, last.moved)


def _moved(last: State, seen: State, now: float) -> State:
    before = {reference: one.number for reference, one in last.named().items()}
    moved = {
        reference: last.moved.get(reference, now) if before.get(reference) == one.number else now
        for reference, one in seen.named().items()
    }
    return State(seen.registry, seen.versions, seen.unreachable, seen.since, seen.faults, moved)
