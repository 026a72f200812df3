"""Answers of the pages, good and bad, as JSON."""

from typing import Any

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from serving.protocol.errors import Refused

WORDS = {404: "RESOURCE_DOES_NOT_EXIST", 405: "METHOD_NOT_ALLOWED"}


def json(content: Any, status: int = 200) -> Response:
    """A document that may be another one the next time."""
    return Response(msgspec.json.encode(content), status, {"cache-control": "no-store"}, "application/json")


def refused(request: Request, error: Exception) -> Response:
    """An error in the shape of all others; with `error` for clients of the Open Inference Protocol."""
    assert isinstance(error, Refused)  # noqa: S101
    content = {"error_code": error.code, "message": error.message}
    if request.url.path.startswith("/v2"):
        content["error"] = error.message
    answer = json(content, error.status)
    for name, value in error.headers:
        answer.headers[name.decode()] = value.decode()
    return answer


def without_page(request: Request, error: Exception) -> Response:
    """An unknown path, or a method that a path does not take."""
    assert isinstance(error, HTTPException)  # noqa: S101
    message = "there is no such page; GET /openapi.json describes all that there are"
    if error.status_code == 405:
        message = f"this path takes {(error.headers or {}).get('Allow', '')}, not {request.method}"
    headers = tuple((name.encode(), value.encode()) for name, value in (error.headers or {}).items())
    return refused(request, Refused(error.status_code, WORDS.get(error.status_code, "BAD_REQUEST"), message, headers))
