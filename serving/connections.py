"""uvicorn's HTTP protocol with an end to headers that come too slowly or too many."""

import asyncio
from time import monotonic
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

SECONDS = 10.0  # for the headers of a request
BYTES = 64 * 1024  # of all headers and the path
GRACE = 1.0  # seconds in which a client may still send on a connection of a worker that ends
WAITING: "set[Guarded]" = set()


class Guarded(HttpToolsProtocol):
    """A connection whose headers have to arrive in time."""

    since = 0.0
    size = 0
    draining = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the clock."""
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clock."""
        WAITING.discard(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Count what headers take that do not end."""
        super().data_received(data)
        if self in WAITING and not self.transport.is_closing():
            self.size += len(data)
            if self.size > BYTES:
                self.send_400_response("The headers are too large.")

    def on_message_begin(self) -> None:
        """Start the clock."""
        super().on_message_begin()
        self.size = 0
        self._wait()

    def on_headers_complete(self) -> None:
        """Stop the clock."""
        WAITING.discard(self)
        super().on_headers_complete()
        if self.draining:
            self.cycle.keep_alive = False

    def shutdown(self) -> None:
        """End after the request in flight, or after the one that may be on its way."""
        self.draining = True
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.keep_alive = False
        else:
            self.loop.call_later(GRACE, self._end)

    def _end(self) -> None:
        if not self.transport.is_closing() and (self.cycle is None or self.cycle.response_complete):
            self.transport.close()

    def _wait(self) -> None:
        self.since = monotonic()
        WAITING.add(self)


def end_slow() -> None:
    """Close the connections whose headers did not arrive in time."""
    before = monotonic() - SECONDS
    for connection in [one for one in WAITING if one.since < before]:
        WAITING.discard(connection)
        transport: Any = connection.transport
        if transport is not None and not transport.is_closing():
            if connection.scope is None:  # which has sent nothing
                transport.close()
            else:
                connection.send_400_response("The headers did not arrive in time.")
