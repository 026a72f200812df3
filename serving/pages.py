"""Pages."""

from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route


def pages(application):
    async def ping(request):
        return Response("\n", media_type="application/json")

    return Starlette(routes=[Route("/ping", ping)])
