"""Scoring requests of ordinary size, answered at the connection itself: no ASGI scope, task or messages of their own.

What is out of the ordinary (another page, a large or slow body, a pipelined request, a model that is no graph or is
slow) goes the way of every ASGI server, to the same `Answering`.
"""

import logging
from functools import partial
from time import monotonic, perf_counter
from typing import TYPE_CHECKING, Any, NamedTuple

from uvicorn.protocols.http.httptools_impl import HEADER_VALUE_RE, STATUS_LINE, HttpToolsProtocol

from serving.access.keys import ANYONE, Grant
from serving.answering import COMPRESSED, FAILED, LARGE, LONGEST_ID, Headers, Route, busy, too_large
from serving.beside import Beside
from serving.connections import BUSY, Guarded
from serving.eager import Eager
from serving.heads import Head, Heads
from serving.protocol.errors import Refused
from serving.protocol.question import Question
from serving.served import Served
from serving.together import Scores

if TYPE_CHECKING:
    from serving.answering import Answering

log = logging.getLogger("serving")

CLOSE = 0.001  # seconds between requests that may come at the same time
SLOW = 1.0  # seconds after which a body that is not complete is left to uvicorn
JSON = b"content-type: application/json\r\ncontent-length: %d\r\nx-request-id: %b\r\n"
TEXT = b"content-type: text/plain; charset=utf-8\r\ncontent-length: %d\r\nx-request-id: %b\r\n"

OPEN: "set[Direct]" = set()
"""All connections."""


class Turn:
    """Stands where uvicorn looks for the request that a connection is answering."""

    __slots__ = ("disconnected", "keep_alive", "message_event", "response_complete")

    def __init__(self) -> None:
        self.response_complete = True
        self.keep_alive = True
        self.disconnected = False
        self.message_event = self

    def set(self) -> None:
        """Wake whoever waits for more of the body: nobody."""


class Asked(NamedTuple):
    """A request that waits for its scores."""

    route: Route
    served: Served
    champion: Served
    question: Question
    beside: Beside | None
    grant: Grant
    request_id: bytes


class Direct(Guarded):
    """A connection that answers ordinary scoring requests itself."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        application = self.app.application
        self.answering: Answering = application.answering
        self.route_of = application.route
        self.eager: Eager = application.eager
        self.turn = Turn()
        self.route: Route | None = None
        self.content = b""
        self.start = 0.0
        self.idle = 0.0
        self.entered: Grant | None = None
        self.heads = Heads()
        self.within = False  # a request, of which more is to come
        self.answered: Head | None = None

    def connection_made(self, transport: Any) -> None:
        """Wait for the first request."""
        super().connection_made(transport)
        if self.scheme == "http":  # over TLS, uvloop would take an empty buffer for a full one
            transport.set_write_buffer_limits(high=0)  # sends at once, and not at the end of the loop's turn
        OPEN.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        OPEN.discard(self)
        self.route = None
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Answer a request whose head is known; have any other parsed."""
        whole = not self.within
        if self.heads.known and whole and self._idle() and (found := self.heads.find(data)) is not None:
            head, self.content = found
            self._unset_keepalive_if_required()
            self.headers = head.headers
            self._take()
            if self._answers(head.route):
                self.entered, self.content = None, b""
                return
            self.turn.response_complete = True
        self.answered = None
        super().data_received(data)
        if self.answered is not None and whole and not self.within:
            self.heads.keep(data, self.answered, len(OPEN))

    def _idle(self) -> bool:
        """Whether the next request can be answered at once."""
        return (
            (self.cycle is None or self.cycle.response_complete)
            and not (self.draining or self.pipeline or self.flow.write_paused)
            and not self.transport.is_closing()
        )

    def _take(self) -> None:
        """Begin to answer."""
        self.start, self.idle = perf_counter(), 0.0
        self.turn.response_complete = False
        self.cycle = self.turn  # type: ignore[assignment]
        self.complete()

    def on_message_begin(self) -> None:
        """Wait for the headers; uvicorn's scope is made where it is needed."""
        self.begun = self.within = True
        self.idle = 0.0
        self.url = b""
        self.headers = []
        self.expect_100_continue = False

    def on_headers_complete(self) -> None:
        """Keep an ordinary request; hand on any other."""
        parser = self.parser
        if (
            parser.get_method() == b"POST"
            and (self.cycle is None or self.cycle.response_complete)
            and (route := self.route_of(self.url)) is not None
            and not (self.expect_100_continue or self.draining or self.flow.write_paused)
            and parser.get_http_version() == "1.1"
            and parser.should_keep_alive()
            and not parser.should_upgrade()
        ):
            self.route, self.content = route, b""
            self._take()
        else:
            self._begin()

    def on_body(self, body: bytes) -> None:
        """Keep a body until it is complete or large."""
        if self.route is None:
            super().on_body(body)
            return
        self.content = self.content + body if self.content else body
        if len(self.content) > LARGE:
            self.hand_on()

    def on_message_complete(self) -> None:
        """Answer, or hand on."""
        self.within = False
        route = self.route
        if route is None:
            super().on_message_complete()
            return
        if self.draining or not self._answers(route):
            self.hand_on()
            super().on_message_complete()
        else:
            self.answered = Head(route, self.headers, len(self.content))
            self.route, self.entered, self.content = None, None, b""

    def hand_on(self) -> None:
        """Have uvicorn answer the request that was kept."""
        body, self.route, self.content = self.content, None, b""
        self.turn.response_complete = True
        self._begin()
        self.scope["state"]["start"] = self.start
        if body:
            super().on_body(body)

    def _begin(self) -> None:
        """Make of the headers what uvicorn would have made from the first on."""
        url, headers, expects = self.url, self.headers, self.expect_100_continue
        HttpToolsProtocol.on_message_begin(self)
        self.url, self.expect_100_continue = url, expects
        self.headers.extend(headers)
        super().on_headers_complete()
        if self.entered is not None:
            self.scope["state"]["grant"], self.entered = self.entered, None

    def _answers(self, route: Route) -> bool:
        """Whether the request is answered, now or at the end of this turn of the event loop."""
        answering, before = self.answering, self.answering.latest[1]
        slot = answering.slots.get(route.key)
        champion = slot.served if slot is not None else answering.numbers.get(route.key)
        if type(champion) is not Served:
            return False
        headers: Headers = dict(self.headers)
        request_id = headers.get(b"x-request-id", b"")
        if not request_id or len(request_id) > LONGEST_ID or HEADER_VALUE_RE.search(request_id):
            request_id = answering.new_id()
        door, limits, body, grant = answering.door, answering.limits, self.content, ANYONE
        served: Served | None = None
        try:
            if len(BUSY) > limits.in_flight:
                raise busy(limits.in_flight)
            if door.guarded:
                grant = self.entered = self.entered or door.enter(
                    self.headers, self.client, route.name, route.reference
                )
            if len(body) > limits.body:
                raise too_large(limits.body)
            if b"content-encoding" in headers and headers[b"content-encoding"] != b"identity":
                raise COMPRESSED
            beside = answering.beside.get(route.key) if answering.beside else None
            served = champion if beside is None else beside.chosen(headers, champion)
            question = answering.read(route.talk, served, body, headers.get(b"content-type"))
            together = served.together
            if together.aside is not None or not together.quick(question.total):
                return False
            asked = Asked(route, served, champion, question, beside, grant, request_id)
            if question.rows is None:
                scores = served.scores_of(question)
            elif self._alone() and together.free(question.total):
                scores = together.score(question.rows)
            else:
                together.soon(question.rows, partial(self.settle, asked))
                return True
        except Exception as error:  # told apart where the answer is written
            self._refuse(route, error, grant, request_id, served)
            return True
        self.settle(asked, scores)
        if self.start - before < self.eager.seconds:
            self.eager.look(self.loop)
        return True

    def _alone(self) -> bool:
        """Whether no other connection asks now: none was answered just before."""
        latest = self.answering.latest
        return latest[0] == id(self) or self.start - latest[1] > CLOSE

    def settle(self, asked: Asked, found: Scores | Exception) -> None:
        """Answer with the scores that were waited for."""
        route, served, champion, question, beside, grant, request_id = asked
        try:
            if isinstance(found, Exception):
                raise found
            content = self.answering.written(route.talk, served, question, found)
        except Exception as error:
            self._refuse(route, error, grant, request_id, served)
            return
        if beside is not None:
            beside.answered(question, found, served, champion)
        self._reply(b"HTTP/1.1 200 OK\r\n" + JSON % (len(content), request_id) + served.line, content)
        self._note(route, served, grant, question.total, 200, request_id)

    def _refuse(self, route: Route, error: Exception, grant: Grant, request_id: bytes, served: Served | None) -> None:
        if not isinstance(error, Refused):
            log.error("a request failed", exc_info=error, extra={"request": request_id.decode("latin-1")})
            error = FAILED
        else:
            self.answering.counts.add("serving_refusals", (error.code,))
        content = route.talk.refuse(error)
        head = STATUS_LINE[error.status] + (TEXT if error.plain else JSON) % (len(content), request_id)
        if served is not None:
            head += served.line
        for name, value in error.headers:
            head += b"%b: %b\r\n" % (name, value)
        self._reply(head, content, ends=(b"connection", b"close") in error.headers)
        self._note(route, served, grant, 0, error.status, request_id)

    def _reply(self, head: bytes, content: bytes, ends: bool = False) -> None:
        self.turn.response_complete = True
        self.server_state.total_requests += 1
        BUSY.discard(self)
        if self.transport.is_closing():
            return
        if self.draining and not ends:
            head, ends = head + b"connection: close\r\n", True
        self.whole.transport.write(b"%b\r\n%b" % (head, content))
        if ends:
            self.transport.close()
        elif self.pipeline:
            super().on_response_complete()
        else:
            self.idle = monotonic()

    def _note(
        self, route: Route, served: Served | None, grant: Grant, rows: int, status: int, request_id: bytes
    ) -> None:
        now = perf_counter()
        seconds = now - self.start
        self.answering.latest = (id(self), now)
        self.answering.note(route, served, grant, rows, status, seconds, request_id, self.client)


def end_idle() -> None:
    """Leave bodies that come slowly to uvicorn, and close the connections that ask nothing any more."""
    now, clock = monotonic(), perf_counter()
    for connection in list(OPEN):
        if connection.route is not None:
            if connection.start < clock - min(SLOW, connection.answering.limits.seconds):
                connection.hand_on()
        elif connection.idle and now - connection.idle > connection.timeout_keep_alive:
            connection.timeout_keep_alive_handler()
