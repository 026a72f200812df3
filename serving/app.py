"""The ASGI application of a worker: scoring by a look-up, all else through Starlette."""

import asyncio
import gc
import logging
import multiprocessing
import os
import signal
from functools import cached_property
from importlib import import_module
from typing import TYPE_CHECKING
from urllib.parse import unquote

from serving.answering import Answering, Message, Receive, Route, Send, Talk
from serving.beside import Beside, beside
from serving.connections import end_slow
from serving.direct import end_idle
from serving.door import Door
from serving.eager import SECONDS, Eager
from serving.follow.state import address
from serving.forked import trim
from serving.live import Live
from serving.protocol import invocations, open_inference, plain
from serving.settings import Settings
from serving.watch import logs
from serving.watch.counts import SUFFIX, Counts
from serving.worker import SEEN

if TYPE_CHECKING:
    from starlette.types import ASGIApp

log = logging.getLogger("serving")

KEEP = 0.5  # seconds between two writings of the counts
HURRY = 0.1  # seconds between two looks at connections that are slow or silent
TALKS: dict[str, Talk] = {"invocations": invocations, "predict": plain}
ROUTES = 1024  # paths that are remembered
GONE = "the server's main process has gone, this worker ends"


class Application:
    """One worker's application; made in the parent process, opened in the worker."""

    def __init__(self, settings: Settings, log: str = "auto") -> None:
        self.settings = settings
        self.log = log
        self.routes: dict[bytes, Route] = {}
        self.pages: ASGIApp | None = None
        """Everything that is not scoring, once somebody has asked for any of it."""
        self.importing = asyncio.Lock()

    @cached_property
    def counts(self) -> Counts:
        """This worker's numbers."""
        return Counts()

    @cached_property
    def live(self) -> Live:
        """This worker's versions."""
        return Live(self.settings, self.counts)

    @cached_property
    def answering(self) -> Answering:
        """What answers scoring requests."""
        return Answering(self.live, self.counts, self.door, self.beside)

    @cached_property
    def eager(self) -> Eager:
        """What has the event loop look for the next request of a fast client, where a core is left for others."""
        return Eager(SECONDS if self.settings.cores > 1 else 0)

    @cached_property
    def door(self) -> Door:
        """Who comes in."""
        return Door(self.settings)

    @cached_property
    def beside(self) -> dict[str, Beside]:
        """Shadows and canaries."""
        return beside(self.live, self.settings)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request, or open and close the worker."""
        if scope["type"] == "http":
            if scope["method"] == "POST":
                route = self.route(scope["raw_path"])
                if route is not None:
                    await self.answering.answer(route, scope, receive, send)
                    return
            pages = self.pages or await self._pages()
            await pages(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._live(receive, send)

    async def _pages(self) -> "ASGIApp":
        """The pages, imported in a thread, as it takes a while in which others want to be answered."""
        async with self.importing:
            if self.pages is None:
                module = await asyncio.to_thread(import_module, "serving.pages")
                self.pages = module.pages(self)
        return self.pages

    def route(self, raw_path: bytes) -> Route | None:
        """Where a path of a POST leads."""
        if raw_path in self.routes:
            return self.routes[raw_path]
        path = unquote(raw_path.decode("latin-1"))
        found = self._found(path.strip("/").split("/"))
        if len(self.routes) < ROUTES and found is not None:
            self.routes[raw_path] = found
        return found

    def _found(self, parts: list[str]) -> Route | None:
        match parts:
            case [protocol] | ["api", "predict" as protocol] if protocol in TALKS:
                name, _, reference = self.live.default().rpartition("/")
                return _route(protocol, TALKS[protocol], name, reference) if name else None
            case ["models", name, reference, protocol] if protocol in TALKS:
                return _route(protocol, TALKS[protocol], name, reference)
            case ["v2", "models", name, "infer"]:
                return _route("infer", open_inference, name, "Production")
            case ["v2", "models", name, "versions", reference, "infer"]:
                return _route("infer", open_inference, name, reference)
        return None

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        logs.to_stderr(self.log)
        while not (self.settings.run / SEEN).exists():
            if os.getppid() != _main():
                await send({"type": "lifespan.startup.failed", "message": GONE})
                return
            await asyncio.sleep(0.002)
        await self.live.start()
        gc.freeze()
        gc.set_threshold(50_000, 20, 20)  # a request makes hundreds of objects and no cycles
        loop = asyncio.get_running_loop()
        works = [
            self.live.follow(),
            self.answering.watch(),
            self._tick(),
            self._hurry(),
            *(one.compare() for one in self.beside.values()),
        ]
        tasks = [loop.create_task(work) for work in works]
        await send({"type": "lifespan.startup.complete"})
        log.info("worker answers", extra={"versions": ", ".join(sorted(self.live.loaded))})
        await receive()
        for task in tasks:
            task.cancel()
        self.door.close()
        self._keep()
        await send({"type": "lifespan.shutdown.complete"})

    @staticmethod
    async def _hurry() -> None:
        while True:
            await asyncio.sleep(HURRY)
            end_idle()

    async def _tick(self) -> None:
        await asyncio.sleep(KEEP)
        trim()
        while True:
            await asyncio.sleep(KEEP)
            self._keep()
            end_slow()
            if os.getppid() != _main():  # nobody follows the registry or would restart this worker any more
                log.error(GONE)
                os.kill(os.getpid(), signal.SIGTERM)
                return

    def _keep(self) -> None:
        worker = str(os.getpid())
        counts, gauges = self.counts, self.counts.gauges
        gauges.clear()
        gauges["serving_in_flight", (worker,)] = len(self.answering.open)
        for slot in self.live.slots.values():
            if slot.served is not None:
                version = slot.served.version
                facts = (slot.served.number, version.tags.get("family", ""), version.digest)
                gauges["serving_version", (worker, slot.name, slot.reference, *facts)] = 1
            if slot.refused is not None:
                gauges["serving_refused_version", (worker, slot.name, slot.reference, str(slot.refused.number))] = 1
        if self.door.audit is not None:
            counts.counted("serving_audit_dropped", ()).amount = self.door.audit.dropped
        try:
            counts.keep(self.settings.run / f"{worker}{SUFFIX}")
        except OSError as error:  # such as a full disk; the next time may succeed
            log.warning("the counts could not be kept", extra={"why": str(error)})


def _main() -> int:
    """The process that has started this one."""
    parent = multiprocessing.parent_process()
    return os.getppid() if parent is None or parent.pid is None else parent.pid


def _route(protocol: str, talk: Talk, name: str, reference: str) -> Route:
    key = address(name, reference)
    return Route(protocol, talk, name, key.removeprefix(f"{name}/"), key)
