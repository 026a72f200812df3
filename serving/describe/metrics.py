"""The page `/metrics`: the numbers of all workers, for Prometheus."""

import os

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from starlette.requests import Request
from starlette.responses import Response

from serving.describe import seen
from serving.watch.counts import SUFFIX, Summed


async def metrics(request: Request) -> Response:
    """`GET /metrics`, in the form that `Accept` asks for."""
    seen.administered(request)
    application = seen.application(request)
    folder = application.settings.run
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Summed(application.counts, folder, folder / f"{os.getpid()}{SUFFIX}"))
    try:
        encode, kind = choose_encoder(request.headers.get("accept", ""))
        content = encode(registry)
    except (TypeError, ValueError):  # a version is asked for that is none
        encode, kind = choose_encoder("")
        content = encode(registry)
    return Response(content, headers={"content-type": kind, "cache-control": "no-store"})
