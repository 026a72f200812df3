"""A request from its headers to its answer: the path that has to be short."""

import asyncio
import itertools
import logging
import os
from collections.abc import Awaitable, Callable, MutableMapping
from time import perf_counter
from typing import Any, NamedTuple, Protocol

from serving.live import Live, unavailable
from serving.protocol.errors import Refused
from serving.protocol.question import Question
from serving.served import Served
from serving.together import Scores
from serving.watch.counts import Counts

LARGE = 32 * 1024  # bytes of a body that is read, scored and answered in a thread

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Headers = dict[bytes, bytes]

log = logging.getLogger("serving")


class Talk(Protocol):
    """A protocol: how its requests are read and its answers written."""

    def read(self, served: Served, body: bytes, content_type: bytes | None) -> Question:
        """The rows that a request has."""

    def write(self, served: Served, question: Question, scores: Scores) -> bytes:
        """The answer's body."""

    def refuse(self, refused: Refused) -> bytes:
        """The body of a refusal."""


class Route(NamedTuple):
    """Where a path leads: a protocol, and the address of a version."""

    protocol: str
    talk: Talk
    name: str
    reference: str
    key: str
    """`<name>/<reference>` in lower case."""


class Asked:
    """A request being answered."""

    __slots__ = ("complete", "overdue", "start", "task")

    def __init__(self, start: float, task: "asyncio.Task[Any]") -> None:
        self.start = start
        self.task = task
        self.complete = False
        self.overdue = False


class Answering:
    """Answers scoring requests."""

    def __init__(self, live: Live, counts: Counts) -> None:
        self.live = live
        self.counts = counts
        self.limits = live.settings.limits
        self.slots = live.slots
        self.open: set[Asked] = set()
        self.id = f"{os.getpid():x}-{os.urandom(4).hex()}-"
        self.number = itertools.count()

    async def answer(self, route: Route, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request, whatever it is."""
        asked = Asked(perf_counter(), asyncio.current_task())  # type: ignore[arg-type]
        headers: Headers = dict(scope["headers"])
        request_id = headers.get(b"x-request-id") or f"{self.id}{next(self.number):x}".encode()
        served: Served | None = None
        status, extra, kind, rows = 200, (), b"application/json", 0
        self.open.add(asked)
        try:
            slot = self.slots.get(route.key)
            served = slot.served if slot is not None else None
            if served is None:
                served = await self._numbered(route)
            body = await self._body(headers, receive)
            asked.complete = True
            content, rows = await self._scored(route.talk, served, body, headers.get(b"content-type"))
        except Refused as refused:
            content, status, extra = route.talk.refuse(refused), refused.status, refused.headers
            kind = b"text/plain; charset=utf-8" if refused.plain else kind
            self.counts.add("serving_refusals", (route.name, refused.code))
        except asyncio.CancelledError:
            if not asked.overdue:
                raise
            asked.task.uncancel()
            refused = self._late(asked)
            content, status = route.talk.refuse(refused), refused.status
            self.counts.add("serving_refusals", (route.name, refused.code))
        except Gone:
            return
        except Exception:
            log.exception("a request failed", extra={"request": request_id.decode("latin-1")})
            content, status = (
                Refused(500, "INTERNAL_ERROR", "the server failed; its log has the request's id").body(),
                500,
            )
        finally:
            self.open.discard(asked)
        version = served.header if served else None
        answered = [
            (b"content-type", kind),
            (b"content-length", b"%d" % len(content)),
            (b"x-request-id", request_id),
            *((version,) if version else ()),
            *extra,
        ]
        await send({"type": "http.response.start", "status": status, "headers": answered})
        await send({"type": "http.response.body", "body": content})
        self._count(route, served, status, rows, perf_counter() - asked.start)

    def _count(self, route: Route, served: Served | None, status: int, rows: int, seconds: float) -> None:
        if served is None:
            labels = ("", "", "", route.protocol, str(status))  # an address that nothing answers for is no label
            self.counts.timed("serving_request_seconds", labels).observe(seconds)
            return
        served.timed(route.reference, route.protocol, status).observe(seconds)
        served.rows.amount += rows

    async def _numbered(self, route: Route) -> Served:
        """The version of a route whose address has none in memory."""
        if route.reference.isdecimal():
            return await self.live.numbered(route.name, route.reference)
        raise unavailable(str(self.live.slot(route.name, route.reference)))

    async def _body(self, headers: Headers, receive: Receive) -> bytes:
        most = self.limits.body
        length = headers.get(b"content-length")
        if length is not None and length.isdigit() and int(length) > most:
            raise too_large(most)
        message = await receive()
        body: bytes = message.get("body", b"")
        if message.get("more_body"):
            parts, total = [body], len(body)
            while message.get("more_body"):
                message = await receive()
                parts.append(message.get("body", b""))
                total += len(parts[-1])
                if total > most:
                    raise too_large(most)
            body = b"".join(parts)
        if message["type"] == "http.disconnect":
            raise Gone
        if len(body) > most:
            raise too_large(most)
        if b"content-encoding" in headers and headers[b"content-encoding"] != b"identity":
            raise Refused(
                415, "UNSUPPORTED_MEDIA_TYPE", "compressed bodies are not read; send it without Content-Encoding"
            )
        return body

    async def _scored(self, talk: Talk, served: Served, body: bytes, content_type: bytes | None) -> tuple[bytes, int]:
        if len(body) > LARGE:
            return await asyncio.to_thread(self._whole, talk, served, body, content_type)
        start = perf_counter()
        question = self._read(talk, served, body, content_type)
        served.parsed.observe(perf_counter() - start)
        if question.rows is not None:
            scores = await served.together.ask(question.rows)
        else:
            scores = served.score(question.feeds or {})
        start = perf_counter()
        content = talk.write(served, question, scores)
        served.encoded.observe(perf_counter() - start)
        return content, question.count

    def _whole(self, talk: Talk, served: Served, body: bytes, content_type: bytes | None) -> tuple[bytes, int]:
        """All of a large request, so that the small ones of others are answered meanwhile."""
        question = self._read(talk, served, body, content_type)
        scores = (
            served.together.score(question.rows) if question.rows is not None else served.score(question.feeds or {})
        )
        return talk.write(served, question, scores), question.count

    def _read(self, talk: Talk, served: Served, body: bytes, content_type: bytes | None) -> Question:
        question = talk.read(served, body, content_type)
        if question.count > self.limits.rows:
            raise Refused(
                413,
                "REQUEST_LIMIT_EXCEEDED",
                f"the request has {question.count} rows, at most {self.limits.rows} are answered at once; send it in parts",
            )
        return question

    async def watch(self) -> None:
        """End what takes too long, until cancelled."""
        while True:
            await asyncio.sleep(0.1)
            before = perf_counter() - self.limits.seconds
            for asked in [one for one in self.open if one.start < before and not one.overdue]:
                asked.overdue = True
                asked.task.cancel()

    def _late(self, asked: Asked) -> Refused:
        if asked.complete:
            return Refused(504, "DEADLINE_EXCEEDED", f"no answer within {self.limits.seconds:g} s")
        return Refused(408, "REQUEST_TIMEOUT", f"the body did not arrive within {self.limits.seconds:g} s")


FAILED = Refused(500, "INTERNAL_ERROR", "the server failed; its log has the request's id")


class Gone(Exception):
    """The client has left."""


def too_large(most: int) -> Refused:
    """A body above the limit; the connection ends, as the rest of the body is not read."""
    return Refused(
        413,
        "REQUEST_LIMIT_EXCEEDED",
        f"the body has more than {most} bytes; send the rows in several requests",
        ((b"connection", b"close"),),
    )
