"""uvicorn's HTTP protocol with an end to headers that come too slowly or too many."""

import asyncio
from time import monotonic
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

SECONDS = 10.0  # for the headers of a request
BYTES = 64 * 1024  # of all headers and the path
GRACE = 1.0  # seconds in which a client may still send on a connection of a worker that ends

WAITING: "set[Guarded]" = set()
"""Connections whose headers are not complete."""
BUSY: "set[Guarded]" = set()
"""Connections whose request is being answered."""


class Whole:
    """A transport that sends the head of a response along with what follows it, in one system call and not in two."""

    __slots__ = ("head", "is_closing", "transport")

    def __init__(self, transport: asyncio.Transport) -> None:
        self.transport = transport
        self.is_closing = transport.is_closing
        self.head = b""

    def __getattr__(self, name: str) -> Any:
        return getattr(self.transport, name)

    def write(self, data: bytes) -> None:
        """Send, but for a head alone, which waits."""
        if self.head:
            data, self.head = self.head + data, b""
        elif data.endswith(b"\r\n\r\n") and data.startswith(b"HTTP/1.1 ") and not data.startswith(b"HTTP/1.1 1"):
            self.head = data
            return
        self.transport.write(data)

    def flush(self) -> None:
        """Send a head that nothing follows."""
        if self.head:
            self.write(b"")

    def close(self) -> None:
        """Send what waits, and close."""
        self.flush()
        self.transport.close()


class Guarded(HttpToolsProtocol):
    """A connection whose headers have to arrive in time."""

    since = 0.0
    size = 0
    begun = False  # whether a part of the headers of a request has come
    draining = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for the first request."""
        super().connection_made(transport)
        self.transport = self.whole = Whole(transport)  # type: ignore[assignment]
        self.since = monotonic()
        WAITING.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        WAITING.discard(self)
        BUSY.discard(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what came; headers that have begun and not ended are counted."""
        super().data_received(data)
        if self.begun and not self.transport.is_closing():
            if self not in WAITING:  # it began behind another request, whose bytes are not its own
                self.since, self.size = monotonic(), 0
                WAITING.add(self)
            else:
                self.size += len(data)
            if self.size > BYTES:
                self.send_400_response("The headers are too large.")

    def on_message_begin(self) -> None:
        """Wait for the headers."""
        self.begun = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Wait no more."""
        super().on_headers_complete()
        self.complete()
        if self.draining:
            self.cycle.keep_alive = False

    def complete(self) -> None:
        """Note that a request is to be answered."""
        self.begun = False
        BUSY.add(self)
        if self in WAITING:
            WAITING.discard(self)
            self.size = 0

    def on_response_complete(self) -> None:
        """Wait for the next request, as long as uvicorn does."""
        BUSY.discard(self)
        self.whole.flush()
        super().on_response_complete()

    def _unsupported_upgrade_warning(self) -> None:
        """Who would rather speak another protocol is answered in this one; there is nothing to warn of."""

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


def end_slow() -> None:
    """Close the connections whose headers did not arrive in time."""
    before = monotonic() - SECONDS
    for connection in [one for one in WAITING if one.since < before]:
        WAITING.discard(connection)
        if connection.transport is None or connection.transport.is_closing():
            continue
        if connection.size:
            connection.send_400_response("The headers did not arrive in time.")
        else:
            connection.transport.close()
