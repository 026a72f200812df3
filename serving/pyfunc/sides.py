"""A worker's view of the models' processes: which of them answer, and that the used ones stay."""

import asyncio
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

from serving.follow.artifacts import Faulty
from serving.follow.state import Version
from serving.pyfunc import table
from serving.pyfunc.table import Side
from serving.settings import Settings

if TYPE_CHECKING:
    import httpx

LOOK = 0.1  # seconds between two looks of a request that waits for a model
LEASE = 1.0  # seconds after which the main process is told again that a model is used
IDLE = 300.0  # seconds that a version asked for by number stays after its last request
SHARE = 0.7  # of a request's time that it may wait for its model to start


class Told(Faulty):
    """A version that is not served, for a reason that its callers may know."""


class NotYet(Told):
    """A version whose process is being started."""


class Sides:
    """The models' processes."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.table: dict[str, Side] = {}
        self.clients: dict[str, httpx.AsyncClient] = {}
        self.used: dict[str, float] = {}
        self.leased: dict[str, float] = {}
        self.stamp = (0, 0)

    def look(self, held: Iterable[str]) -> bool:
        """Keep what is used, the keys `held` among it; whether the table is another than at the last look."""
        if not self.settings.allow_pyfunc:
            return False
        now = time.monotonic()
        self.used = {key: when for key, when in self.used.items() if now - when < IDLE}
        for key in {*held, *self.used}:
            self._lease(key, now)
        return self._read()

    def _lease(self, key: str, now: float) -> None:
        if now - self.leased.get(key, -LEASE) >= LEASE:
            table.want(self.settings.run, key)
            self.leased[key] = now

    def _read(self) -> bool:
        try:
            found = (self.settings.run / table.TABLE).stat()
        except OSError:
            return False
        stamp = (found.st_mtime_ns, found.st_ino)
        if stamp == self.stamp:
            return False
        self.stamp, self.table = stamp, table.read(self.settings.run)
        self.clients = {key: one for key, one in self.clients.items() if key in self.table}
        return True

    def at(self, version: Version) -> Side:
        """The process of a version that a stage or an alias names.

        Raises:
            NotYet: it is being started.
            Told: models of this kind are not allowed.
            Faulty: it cannot be loaded.
        """
        if not self.settings.allow_pyfunc:
            raise Told(
                f"{version} is no graph of this project: to serve it is to run code from the registry, "
                "which the operator allows by starting the server with --allow-pyfunc"
            )
        side = self.table.get(table.key(version))
        if side is None:
            raise NotYet(f"{version} is being started")
        if side.failed:
            raise Faulty(side.why)
        if not side.ready:
            raise NotYet(side.why)
        return side

    async def asked(self, version: Version) -> Side:
        """The process of a version that a request asks for by number, started if there is none.

        Raises:
            Faulty: as for `at`, after part of the time that a request has.
        """
        until = time.monotonic() + SHARE * self.settings.limits.seconds
        key = table.key(version)
        while True:
            now = time.monotonic()
            if self.settings.allow_pyfunc:
                self.used[key] = now
                self._lease(key, now)
            try:
                return self.at(version)
            except NotYet:
                if now > until:
                    raise
            await asyncio.sleep(LOOK)
            self._read()

    def client(self, key: str) -> "httpx.AsyncClient":
        """The connections to a process."""
        import httpx  # a tenth of a second, which only a server with such models is to spend

        if key not in self.clients:
            limits = httpx.Limits(
                max_connections=self.settings.limits.in_flight,
                max_keepalive_connections=self.settings.limits.in_flight,
                keepalive_expiry=60,
            )
            self.clients[key] = httpx.AsyncClient(
                transport=httpx.AsyncHTTPTransport(uds=str(table.socket_of(self.settings.run, key)), limits=limits),
                base_url="http://model",
                timeout=self.settings.limits.seconds,
                trust_env=False,
            )
        return self.clients[key]
