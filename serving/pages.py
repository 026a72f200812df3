"""Pages."""

from starlette.applications import Starlette
from starlette.responses import Response, JSONResponse
from starlette.routing import Route


def pages(application):
    async def ping(request):
        return Response("\n", media_type="application/json")

    async def ready(request):
        return JSONResponse({"status": "ready"})

    return Starlette(routes=[Route("/ping", ping), Route("/live", ping), Route("/ready", ready)])
