"""The ASGI application of a worker: scoring by a look-up, all else through Starlette."""

import asyncio
import gc
import os
from functools import cached_property
from typing import Any

from serving.answering import Answering, Message, Receive, Route, Send
from serving.live import Live
from serving.protocol import invocations
from serving.settings import Settings
from serving.watch import logs
from serving.watch.counts import SUFFIX, Counts

KEEP = 0.5  # seconds between two writings of the counts
TALKS = {"invocations": invocations}
ROUTES = 1024  # paths that are remembered


class Application:
    """One worker's application; made in the parent process, opened in the worker."""

    def __init__(self, settings: Settings, log: str = "auto") -> None:
        self.settings = settings
        self.log = log
        self.routes: dict[str, Route | None] = {}

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
        return Answering(self.live, self.counts)

    @cached_property
    def pages(self) -> Any:
        """Everything that is not scoring."""
        from serving.pages import pages

        return pages(self)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request, or open and close the worker."""
        if scope["type"] == "http":
            if scope["method"] == "POST":
                path = scope["path"]
                route = self.routes[path] if path in self.routes else self._route(path)
                if route is not None:
                    await self.answering.answer(route, scope, receive, send)
                    return
            await self.pages(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._live(receive, send)

    def _route(self, path: str) -> Route | None:
        parts = path.split("/")[1:]
        default = self.live.default()
        found = None
        if parts[0] == "api" and len(parts) == 2:
            parts = parts[1:]
        if len(parts) == 1 and parts[0] in TALKS and default:
            name, _, reference = default.rpartition("/")
            found = Route(parts[0], TALKS[parts[0]], name, reference, default.lower())
        elif len(parts) == 4 and parts[0] == "models" and parts[3] in TALKS:
            found = Route(parts[3], TALKS[parts[3]], parts[1], parts[2], f"{parts[1]}/{parts[2]}".lower())
        if len(self.routes) < ROUTES:
            self.routes[path] = found
        return found

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        logs.to_stderr(self.log)
        await self.live.start()
        gc.freeze()
        gc.set_threshold(50_000, 20, 20)  # a request makes hundreds of objects and no cycles
        tasks = [
            asyncio.get_running_loop().create_task(work)
            for work in (self.live.follow(), self.answering.watch(), self._keep_counts())
        ]
        await send({"type": "lifespan.startup.complete"})
        await receive()
        for task in tasks:
            task.cancel()
        self._keep()
        await send({"type": "lifespan.shutdown.complete"})

    async def _keep_counts(self) -> None:
        while True:
            await asyncio.sleep(KEEP)
            self._keep()

    def _keep(self) -> None:
        self.counts.keep(self.settings.run / f"{os.getpid()}{SUFFIX}")
