"""`python -m benchmarks.serving.functions`: which functions of this server take the time of a request of one row.

The application runs under cProfile without a socket, requests one after the other. The profiler makes calls dearer than
they are, so that shares count, not times; the time without it stands first.
"""

import asyncio
import cProfile
import pstats
import tempfile
import time
from collections.abc import MutableMapping
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
import uvloop

from benchmarks.serving.servers import TASK
from serving.app import Application
from serving.follow import stores
from serving.follow.follower import Follower
from serving.settings import Settings

Message = MutableMapping[str, Any]
SCOPE = {"type": "http", "method": "POST", "path": "/invocations", "headers": [(b"content-type", b"application/json")]}


def main(
    family: Annotated[str, typer.Argument(help="whose newest version is asked")] = "logistic",
    calls: Annotated[int, typer.Option(min=1)] = 20_000,
    shown: Annotated[int, typer.Option(min=1, help="functions, those that take most themselves first")] = 25,
) -> None:
    """Show microseconds of a request, then the functions."""
    with tempfile.TemporaryDirectory(prefix="profile-") as place:
        folder = Path(place)
        bodies = _bodies(folder)
        registry = stores.address()
        settings = Settings(registry, folder / "copy", folder)
        seen = Follower(registry, settings.copy, settings.poll).look()
        numbers = [one.number for one in seen.versions if one.name == TASK and one.tags.get("family") == family]
        if not numbers:
            raise SystemExit(f"error: {TASK} has no version of the family {family}; make one with `make repro`")
        application = Application(msgspec.structs.replace(settings, default=f"{TASK}/{max(numbers)}"))
        uvloop.run(_profile(application, bodies, calls, shown))


def _bodies(folder: Path) -> list[bytes]:
    import pandas as pd

    from benchmarks.serving import bodies
    from data.contract import Contract
    from data.prepare import PREPARED

    rows = pd.read_parquet(PREPARED / TASK / "test.parquet").head(bodies.SIZES[1])
    body = bodies.write(rows, Contract.load(PREPARED / TASK), folder)["split", 1]
    return [file.read_bytes() for file in body.files]


async def _profile(application: Application, bodies: list[bytes], calls: int, shown: int) -> None:
    async with _Open(application):
        await _ask(application, bodies, calls // 10)
        start = time.perf_counter()
        await _ask(application, bodies, calls)
        print(f"{(time.perf_counter() - start) / calls * 1e6:.0f} µs a request without the profiler")
        profiler = cProfile.Profile()
        profiler.enable()
        await _ask(application, bodies, calls)
        profiler.disable()
    pstats.Stats(profiler).strip_dirs().sort_stats("tottime").print_stats(shown)


async def _ask(application: Application, bodies: list[bytes], calls: int) -> None:
    for turn in range(calls):
        body = bodies[turn % len(bodies)]

        async def receive(body: bytes = body) -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Message) -> None:
            if message.get("status", 200) != 200:
                raise SystemExit(f"error: the application answered with {message['status']}; expected 200")

        await application(dict(SCOPE), receive, send)


class _Open:
    """An application between the start and the end of its worker."""

    def __init__(self, application: Application) -> None:
        self.application = application
        self.told: asyncio.Queue[Message] = asyncio.Queue()
        self.said: asyncio.Queue[Message] = asyncio.Queue()

    async def __aenter__(self) -> None:
        await self.told.put({"type": "lifespan.startup"})
        self.life = asyncio.create_task(self.application({"type": "lifespan"}, self.told.get, self.said.put))
        await self.said.get()

    async def __aexit__(self, *_: object) -> None:
        await self.told.put({"type": "lifespan.shutdown"})
        await self.life


if __name__ == "__main__":
    typer.run(main)
