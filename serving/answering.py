"""A request from its headers to its answer: the path that has to be short."""

import asyncio
import itertools
import logging
import os
import time
from collections.abc import Awaitable, Callable, MutableMapping
from time import perf_counter
from typing import Any, NamedTuple, Protocol

from serving.access import audit
from serving.access.keys import ANYONE, Grant
from serving.access.limits import check_rows
from serving.beside import Beside
from serving.door import Door
from serving.live import Live, unavailable
from serving.protocol.errors import Refused
from serving.protocol.question import Question
from serving.pyfunc.served import Pyfunc
from serving.served import Served
from serving.together import Scores
from serving.watch.counts import Counts

LARGE = 32 * 1024  # bytes of a body that is read, scored and answered in a thread
LONGEST_ID = 128  # of a client's own name of its request

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
    """`<name>/<reference>`."""


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

    def __init__(self, live: Live, counts: Counts, door: Door, beside: dict[str, Beside]) -> None:
        self.live = live
        self.slots, self.numbers = live.slots, live.numbers
        self.counts = counts
        self.door = door
        self.beside = beside
        self.limits = live.settings.limits
        self.open: set[Asked] = set()
        self.latest = (0, 0.0)  # the connection that was answered last at itself, and when
        self.id = f"{os.getpid():x}-{os.urandom(4).hex()}-".encode()
        self.number = itertools.count()

    def new_id(self) -> bytes:
        """A name for a request that brought none."""
        return b"%b%x" % (self.id, next(self.number))

    async def answer(self, route: Route, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request, whatever it is."""
        asked = Asked(scope.get("state", {}).get("start") or perf_counter(), asyncio.current_task())  # type: ignore[arg-type]
        headers: Headers = dict(scope["headers"])
        served: Served | Pyfunc | None = None
        grant = ANYONE
        status, kind, rows = 200, b"application/json", 0
        extra: tuple[tuple[bytes, bytes], ...] = ()
        request_id = headers.get(b"x-request-id", b"")
        if not request_id or len(request_id) > LONGEST_ID:
            request_id = self.new_id()
        try:
            if len(self.open) >= self.limits.in_flight:
                raise busy(self.limits.in_flight)
            self.open.add(asked)
            if self.door.guarded:
                grant = scope["state"].get("grant") or self.door.enter(
                    scope["headers"], scope.get("client"), route.name, route.reference
                )
            message = await receive()
            body = message.get("body", b"")
            if message.get("more_body") or message["type"] != "http.request":
                body = await self._rest(message, headers, receive)
            asked.complete = True
            if len(body) > self.limits.body:
                raise too_large(self.limits.body)
            if b"content-encoding" in headers and headers[b"content-encoding"] != b"identity":
                raise COMPRESSED
            slot = self.slots.get(route.key)
            champion = slot.served if slot is not None else self.numbers.get(route.key)
            if champion is None:
                champion = await self._numbered(route)
            beside = self.beside.get(route.key)
            if isinstance(champion, Pyfunc):
                served = champion
                content, rows = await champion.answer(route.protocol, body, headers.get(b"content-type"))
            else:
                served = chosen = champion if beside is None else beside.chosen(headers, champion)
                if len(body) > LARGE:
                    content, rows, pair = await asyncio.to_thread(
                        self._whole, route.talk, chosen, body, headers, beside is not None
                    )
                else:
                    question = self.read(route.talk, chosen, body, headers.get(b"content-type"))
                    together = chosen.together
                    if question.rows is None:
                        scores = await self._odd(chosen, question)
                    elif together.free(question.total):
                        scores = together.score(question.rows)
                    else:
                        scores = await together.ask(question.rows)
                    content = self.written(route.talk, chosen, question, scores)
                    rows, pair = question.total, (question, scores)
                if beside is not None and pair is not None:
                    beside.answered(*pair, chosen, champion)
        except Refused as refused:
            content, status, extra = route.talk.refuse(refused), refused.status, refused.headers
            kind = b"text/plain; charset=utf-8" if refused.plain else kind
            self.counts.add("serving_refusals", (refused.code,))
        except asyncio.CancelledError:
            if not asked.overdue:
                raise
            asked.task.uncancel()
            late = self._late(asked)
            content, status, extra = route.talk.refuse(late), late.status, late.headers
            self.counts.add("serving_refusals", (late.code,))
        except Gone:
            return
        except Exception:
            log.exception("a request failed", extra={"request": request_id.decode("latin-1")})
            content, status = route.talk.refuse(FAILED), 500
        finally:
            self.open.discard(asked)
        answered = [
            (b"content-type", kind),
            (b"content-length", b"%d" % len(content)),
            (b"x-request-id", request_id),
        ]
        if served is not None:
            answered.append(served.header)
        answered.extend(extra)
        await send({"type": "http.response.start", "status": status, "headers": answered})
        await send({"type": "http.response.body", "body": content})
        seconds = perf_counter() - asked.start
        self.note(route, served, grant, rows, status, seconds, request_id, scope.get("client"))

    def note(
        self,
        route: Route,
        served: Served | Pyfunc | None,
        grant: Grant,
        rows: int,
        status: int,
        seconds: float,
        request_id: bytes,
        client: tuple[str, int] | None,
    ) -> None:
        """Count an answer, and write it into the audit log."""
        if served is None:
            labels = ("", "", "", route.protocol, str(status))  # an address that nothing answers for is no label
            self.counts.timed("serving_request_seconds", labels).observe(seconds)
        else:
            served.timed(route.reference, route.protocol, status).observe(seconds)
            served.rows.amount += rows
        if self.door.audit is None:
            return
        self.door.audit(
            audit.Asked(
                time.time(),
                grant.id or None,
                grant.name,
                client[0] if client else "",
                route.protocol,
                route.name[:LONGEST_ID],
                route.reference[:LONGEST_ID],
                served.number if served else "",
                rows,
                status,
                round(seconds * 1000, 3),
                request_id.decode("latin-1"),
            )
        )

    async def _numbered(self, route: Route) -> Served | Pyfunc:
        """The version of a route whose address has none in memory."""
        if route.reference.isdecimal():
            return await self.live.numbered(route.name, route.reference)
        slot = self.live.slot(route.name, route.reference)
        raise unavailable(str(slot), slot.told)

    async def _rest(self, message: Message, headers: Headers, receive: Receive) -> bytes:
        """A body of which only a first part came along with its headers."""
        most = self.limits.body
        length = headers.get(b"content-length", b"")
        if length.isdigit() and int(length) > most:
            raise too_large(most)
        parts, total = [message.get("body", b"")], len(message.get("body", b""))
        while message.get("more_body"):
            message = await receive()
            parts.append(message.get("body", b""))
            total += len(parts[-1])
            if total > most:
                raise too_large(most)
        if message["type"] == "http.disconnect":
            raise Gone
        return b"".join(parts)

    def read(self, talk: Talk, served: Served, body: bytes, content_type: bytes | None) -> Question:
        """What a body asks.

        Raises:
            Refused: it is no request of its protocol, or has too many rows.
        """
        start = perf_counter()
        question = talk.read(served, body, content_type)
        check_rows(question.total, self.limits.rows)
        served.parsed.observe(perf_counter() - start)
        return question

    @staticmethod
    async def _odd(served: Served, question: Question) -> Scores:
        """The scores of a question whose inputs are read already."""
        if served.together.quick(question.total):
            return served.scores_of(question)
        return await asyncio.to_thread(served.scores_of, question)

    @staticmethod
    def written(talk: Talk, served: Served, question: Question, scores: Scores) -> bytes:
        """The body of an answer."""
        start = perf_counter()
        content = talk.write(served, question, scores)
        served.encoded.observe(perf_counter() - start)
        return content

    def _whole(
        self, talk: Talk, served: Served, body: bytes, headers: Headers, kept: bool
    ) -> tuple[bytes, int, tuple[Question, Scores] | None]:
        """All of a large request, in a thread, so that the small ones of others are answered meanwhile.

        What need not be kept is freed in the thread too.
        """
        question = self.read(talk, served, body, headers.get(b"content-type"))
        scores = served.scores_of(question)
        content = self.written(talk, served, question, scores)
        return content, question.total, (question, scores) if kept else None

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
        return Refused(
            408,
            "REQUEST_TIMEOUT",
            f"the body did not arrive within {self.limits.seconds:g} s",
            ((b"connection", b"close"),),
        )


class Gone(Exception):
    """The client has left."""


FAILED = Refused(500, "INTERNAL_ERROR", "the server failed; its log has the request's id")
COMPRESSED = Refused(415, "UNSUPPORTED_MEDIA_TYPE", "compressed bodies are not read; send it without Content-Encoding")


def too_large(most: int) -> Refused:
    """A body above the limit; the connection ends, as the rest of the body is not read."""
    return Refused(
        413,
        "REQUEST_LIMIT_EXCEEDED",
        f"the body has more than {most} bytes; send the rows in several requests",
        ((b"connection", b"close"),),
    )


def busy(most: int) -> Refused:
    """More requests at once than a worker is to hold."""
    return Refused(
        503,
        "TEMPORARILY_UNAVAILABLE",
        f"{most} requests are being answered already; try again after 1 s",
        ((b"retry-after", b"1"),),
    )
