"""Which version answers for which address, kept in step with the registry by every worker for itself."""

import asyncio
import contextlib
import logging
import time
from collections import OrderedDict
from pathlib import Path

from serving.follow import artifacts, state
from serving.follow.artifacts import Faulty
from serving.follow.follower import AGAIN, place
from serving.follow.state import State, Version
from serving.protocol.errors import Refused
from serving.pyfunc.served import Pyfunc
from serving.pyfunc.sides import NotYet, Sides, Told
from serving.pyfunc.signature import refuses
from serving.served import Served, load
from serving.settings import Settings
from serving.watch.counts import Counts

LOOK = 0.2  # seconds between two looks at the state
KEPT = 8  # versions asked for by number that stay loaded

log = logging.getLogger("serving.live")


class Slot:
    """An address that moves: a stage or an alias of a model, and the version that answers for it."""

    def __init__(self, name: str, reference: str) -> None:
        self.name = name
        self.reference = reference
        self.served: Served | Pyfunc | None = None
        self.fault = ""
        """Why the version that the registry names is not the one that answers."""
        self.told = ""
        """The same, as far as callers may know it."""
        self.refused: Version | None = None
        self.since = 0.0
        self.tried = 0.0

    def __str__(self) -> str:
        return f"{self.name}/{self.reference}"


class Live:
    """All addresses of one worker."""

    def __init__(self, settings: Settings, counts: Counts) -> None:
        self.settings = settings
        self.counts = counts
        self.folder = place(settings.copy, settings.registry)
        self.state = State(settings.registry)
        self.sides = Sides(settings)
        self.slots: dict[str, Slot] = {}
        self.loaded: dict[str, Served | Pyfunc] = {}
        self.numbers: OrderedDict[str, Served] = OrderedDict()
        self.stamp = (0, 0)
        self.complete = False
        self.loading: dict[str, asyncio.Task[Served]] = {}

    async def start(self) -> None:
        """Load what the registry names, the default first."""
        self._look()
        self.sides.look(())
        for name, version in sorted(self.state.named().items(), key=lambda one: one[0] != self.settings.default):
            await self._move(name, version)
        name, _, reference = self.default().rpartition("/")
        if reference.isdecimal():
            with contextlib.suppress(Refused):
                await self.numbered(name, reference)
        self.complete = True

    async def follow(self) -> None:
        """Keep step until cancelled."""
        while True:
            await asyncio.sleep(LOOK)
            try:
                moved = self.sides.look(
                    slot.served.key for slot in self.slots.values() if isinstance(slot.served, Pyfunc)
                )
                if (
                    self._look()
                    or moved
                    or any(slot.fault and time.monotonic() > slot.tried + AGAIN for slot in self.slots.values())
                ):
                    await self.keep_step()
            except Exception:
                log.exception("the state of the registry could not be followed")

    def _look(self) -> bool:
        """Whether the state is another than at the last look."""
        try:
            found = (self.folder / state.STATE).stat()
        except OSError:
            return False
        if (found.st_mtime_ns, found.st_ino) == self.stamp:
            return False
        fresh = state.read(self.folder)
        if fresh is None:
            return False
        self.stamp, self.state = (found.st_mtime_ns, found.st_ino), fresh
        return True

    async def keep_step(self) -> None:
        """Have every address answer with the version that the registry names."""
        named = self.state.named()
        for name in self.slots.keys() - named.keys():
            del self.slots[name]
        for name, version in named.items():
            await self._move(name, version)
        known = {str(version): version for version in self.state.versions}
        for name, served in list(self.numbers.items()):
            if name not in known or not _same(served.version, known[name]):
                del self.numbers[name]
            else:
                served.version = known[name]
        used = {slot.served.name for slot in self.slots.values() if slot.served}
        self.loaded = {name: one for name, one in self.loaded.items() if name in used}

    async def _move(self, name: str, version: Version) -> None:
        slot = self.slots.get(name)
        if slot is None:
            slot = self.slots[name] = Slot(version.name, name.removeprefix(f"{version.name}/"))
        now = slot.served
        if now is not None and _same(now.version, version):
            now.version = version  # its stage may be another
            slot.fault, slot.told, slot.refused = now.fault if isinstance(now, Pyfunc) else "", "", None
            return
        slot.tried = time.monotonic()
        try:
            if fault := self.state.faults.get(str(version)):
                raise Faulty(fault)
            served = await self._load(version)
            self._agrees(served, now)
        except NotYet as wait:
            slot.fault, slot.told, slot.refused = str(wait), str(wait), version
            return
        except Faulty as fault:
            self._refuse(slot, version, str(fault))
            slot.told = str(fault) if isinstance(fault, Told) else ""
            return
        slot.served, slot.fault, slot.told, slot.refused = served, "", "", None
        slot.since = self.state.moved.get(name, time.time())
        if now is not None or self.complete:
            self.counts.add("serving_swaps", (slot.name, slot.reference))
            log.info(
                "swapped in", extra={"address": str(slot), "version": served.name, "before": now.name if now else ""}
            )

    def _agrees(self, new: Served | Pyfunc, now: Served | Pyfunc | None) -> None:
        """Refuse a version whose clients would be refused."""
        if now is None or self.settings.allow_contract_change:
            return
        if reason := refuses(new.contract, now.contract):
            raise Faulty(
                f"its contract refuses requests that {now.name} answers: {reason}; "
                "start the server with --allow-contract-change if its clients know"
            )

    def _refuse(self, slot: Slot, version: Version, why: str) -> None:
        if why != slot.fault:
            stays = slot.served.name if slot.served else "nothing"
            log.error(
                "version refused", extra={"address": str(slot), "version": str(version), "stays": stays, "why": why}
            )
        if slot.refused is None or str(version) != str(slot.refused):
            self.counts.add("serving_swap_failures", (slot.name, slot.reference))
        slot.fault, slot.refused = why, version

    async def _load(self, version: Version) -> Served | Pyfunc:
        name = str(version)
        found = self.loaded.get(name)
        if found is None or not _same(found.version, version):
            if version.digest:
                found = await asyncio.to_thread(self._open, version)
            else:
                found = Pyfunc(version, self.sides.at(version), self.sides, self.counts)
            self.loaded[name] = found
        return found

    def _open(self, version: Version) -> Served:
        folder: Path = artifacts.ensure(self.folder, version, self.settings.registry)
        return load(version, folder, self.counts, self.settings.cores)

    def default(self) -> str:
        """The address behind the paths that name none: the operator's, or that of the only model there is."""
        if self.settings.default:
            return self.settings.default
        names = {version.name for version in self.state.versions}
        return f"{names.pop()}/Production" if len(names) == 1 else ""

    def slot(self, name: str, reference: str) -> Slot:
        """The slot of a stage or of an alias.

        Raises:
            Refused: no version is named so, or none of those named so could be loaded.
        """
        slot = self.slots.get(state.address(name, reference))
        if slot is None:
            raise unknown(name, reference)
        return slot

    async def numbered(self, name: str, number: str) -> Served | Pyfunc:
        """A version by its number, loaded when it is first asked for."""
        key = f"{name}/{number}"
        found = self.numbers.get(key) or self.loaded.get(key)
        if isinstance(found, Pyfunc):
            return found
        if found is None:
            version = next((one for one in self.state.versions if str(one) == key), None)
            if version is None:
                raise unknown(name, number)
            if not version.digest:
                return await self._asked(version)
            if key not in self.loading:
                self.loading[key] = asyncio.get_running_loop().create_task(asyncio.to_thread(self._open, version))
            try:
                found = await asyncio.shield(self.loading[key])
            except Faulty as fault:
                log.error("version refused", extra={"address": key, "why": str(fault)})
                raise unavailable(key) from None
            finally:
                self.loading.pop(key, None)
        self.numbers[key] = found
        self.numbers.move_to_end(key)
        while len(self.numbers) > KEPT:
            self.numbers.popitem(last=False)
        return found

    async def _asked(self, version: Version) -> Pyfunc:
        """A version that is no graph of this project, by its number; its process stays while it is asked for."""
        try:
            return Pyfunc(version, await self.sides.asked(version), self.sides, self.counts)
        except Faulty as fault:
            if not isinstance(fault, Told):
                log.error("version refused", extra={"address": str(version), "why": str(fault)})
            raise unavailable(str(version), str(fault) if isinstance(fault, Told) else "") from None


def _same(one: Version, other: Version) -> bool:
    """Whether two have the same files, which without a digest only their place can tell."""
    return (one.number, one.digest or one.location) == (other.number, other.digest or other.location)


def unknown(name: str, reference: str) -> Refused:
    """Nothing is registered under an address."""
    return Refused(
        404, "RESOURCE_DOES_NOT_EXIST", f"no version of {name!r} is {reference!r}; GET /models lists what is live"
    )


def unavailable(address: str, why: str = "") -> Refused:
    """A version is registered, but is not ready or fails its checks."""
    return Refused(
        503,
        "TEMPORARILY_UNAVAILABLE",
        why or f"{address} cannot be loaded; GET /ready says why",
        ((b"retry-after", b"5"),),
    )
