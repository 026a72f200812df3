"""Everything of the server that is not scoring: what is live, how it is asked, whether it is well."""

import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.answering import LONGEST_ID
from serving.describe import answer, docs, document, health, inference, metrics, models
from serving.protocol.errors import Refused

if TYPE_CHECKING:
    from serving.app import Application

log = logging.getLogger("serving.pages")

PAGES: dict[str, Callable[[Request], Awaitable[Response]]] = {
    "/ping": health.ping,
    "/health": health.ping,
    "/version": health.version,
    "/live": health.live,
    "/ready": health.ready,
    "/metrics": metrics.metrics,
    "/models": models.listed,
    "/models/{name}": models.model,
    "/models/{name}/{reference}": models.version,
    "/v2": inference.server,
    "/v2/health/live": inference.live,
    "/v2/health/ready": inference.ready,
    "/v2/models/{name}": inference.model,
    "/v2/models/{name}/ready": inference.model_ready,
    "/v2/models/{name}/versions/{version}": inference.model,
    "/v2/models/{name}/versions/{version}/ready": inference.model_ready,
    "/openapi.json": document.page,
    "/docs": docs.page,
    "/docs/openapi.json": document.older_page,
    "/docs/page.js": docs.script,
    "/docs/page.css": docs.style,
    docs.FILES: docs.file,
}
SCORING = (
    "/invocations",
    "/predict",
    "/api/predict",
    "/models/{name}/{reference}/invocations",
    "/models/{name}/{reference}/predict",
    "/v2/models/{name}/infer",
    "/v2/models/{name}/versions/{version}/infer",
)


def pages(application: "Application") -> Starlette:
    """The pages of one worker."""
    app = Starlette(
        routes=[Route(path, page, methods=["GET"]) for path, page in PAGES.items()]
        + [Route(path, unanswered, methods=["POST"]) for path in SCORING],
        middleware=[Middleware(Answered, application)],
        exception_handlers={Refused: answer.refused, HTTPException: answer.without_page},
    )
    app.router.redirect_slashes = False
    app.state.application = application
    app.state.documents = OrderedDict()
    return app


async def unanswered(request: Request) -> Response:
    """A scoring request that names no version where there is no default; a GET there is told to be a POST."""
    raise Refused(
        404,
        "RESOURCE_DOES_NOT_EXIST",
        f"no version is behind {request.url.path}; start the server with --default, "
        "or use one of the addresses that GET /models lists",
    )


class Answered:
    """Gives every answer its request's id, and an answer to what fails."""

    def __init__(self, app: ASGIApp, application: "Application") -> None:
        self.app = app
        self.application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        answering = self.application.answering
        request_id = dict(scope["headers"]).get(b"x-request-id", b"")
        if not request_id or len(request_id) > LONGEST_ID:
            request_id = f"{answering.id}{next(answering.number):x}".encode()
        begun = False

        async def send_with_id(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                message["headers"] = [*message["headers"], (b"x-request-id", request_id)]
            await send(message)

        try:
            await self.app(scope, receive, send_with_id)
        except Exception:
            log.exception("a page failed", extra={"request": request_id.decode("latin-1")})
            if begun:
                raise
            failed = Refused(500, "INTERNAL_ERROR", "the server failed; its log has the request's id")
            await answer.refused(Request(scope), failed)(scope, receive, send_with_id)
