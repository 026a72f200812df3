"""`python -m benchmarks.serving.functions`: which functions of this server take the time of a request of one row.

A connection is fed requests one after the other under cProfile, without a socket. The profiler makes calls dearer than
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
import uvicorn
import uvloop
from uvicorn.server import ServerState

from benchmarks.serving.servers import TASK
from serving.app import Application
from serving.direct import Direct
from serving.follow import stores
from serving.follow.follower import Follower
from serving.settings import Settings
from serving.worker import SEEN, Worker

Message = MutableMapping[str, Any]
HEAD = b"POST /invocations HTTP/1.1\r\nHost: here\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"


def main(
    family: Annotated[str, typer.Argument(help="whose newest version is asked")] = "logistic",
    calls: Annotated[int, typer.Option(min=1)] = 20_000,
    shown: Annotated[int, typer.Option(min=1, help="functions, those that take most themselves first")] = 25,
) -> None:
    """Show microseconds of a request, then the functions."""
    with tempfile.TemporaryDirectory(prefix="profile-") as place:
        folder = Path(place)
        requests = _requests(folder)
        registry = stores.address()
        settings = Settings(registry, folder / "copy", folder)
        seen = Follower(registry, settings.copy, settings.poll).look()
        (folder / SEEN).touch()
        numbers = [one.number for one in seen.versions if one.name == TASK and one.tags.get("family") == family]
        if not numbers:
            raise SystemExit(f"error: {TASK} has no version of the family {family}; make one with `make repro`")
        worker = Worker(msgspec.structs.replace(settings, default=f"{TASK}/{max(numbers)}"), "json")
        uvloop.run(_profile(worker, requests, calls, shown))


def _requests(folder: Path) -> list[bytes]:
    import pandas as pd

    from benchmarks.serving import bodies
    from data.contract import Contract
    from data.prepare import PREPARED

    rows = pd.read_parquet(PREPARED / TASK / "test.parquet").head(bodies.SIZES[1])
    written = bodies.write(rows, Contract.load(PREPARED / TASK), folder)["split", 1]
    return [HEAD % len(content) + content for content in (file.read_bytes() for file in written.files)]


async def _profile(worker: Worker, requests: list[bytes], calls: int, shown: int) -> None:
    config = uvicorn.Config(worker, log_config=None, ws="none", interface="asgi3", proxy_headers=False)
    config.load()
    async with _Open(worker.application):
        connection, answers = Direct(config, ServerState(), {}), _Answers()
        connection.connection_made(answers)
        connection.data_received(requests[0])
        await asyncio.sleep(0.5)  # a version that is asked by its number is opened first
        _ask(connection, answers, requests, calls // 10)
        start = time.perf_counter()
        _ask(connection, answers, requests, calls)
        print(f"{(time.perf_counter() - start) / calls * 1e6:.0f} µs a request without the profiler")
        profiler = cProfile.Profile()
        profiler.enable()
        _ask(connection, answers, requests, calls)
        profiler.disable()
        connection.connection_lost(None)
    pstats.Stats(profiler).strip_dirs().sort_stats("tottime").print_stats(shown)


def _ask(connection: Direct, answers: "_Answers", requests: list[bytes], calls: int) -> None:
    for turn in range(calls):
        connection.data_received(requests[turn % len(requests)])
        if not answers.latest.startswith(b"HTTP/1.1 200 "):
            raise SystemExit(f"error: the server answered {answers.latest[:300]!r}; expected 200")
        answers.latest = b""


class _Answers(asyncio.Transport):
    """A transport that keeps what is sent."""

    latest = b""

    def write(self, data: Any) -> None:
        self.latest = data

    def is_closing(self) -> bool:
        return False

    def close(self) -> None:
        pass

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass


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
