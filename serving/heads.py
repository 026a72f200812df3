"""Heads of requests that a connection has sent before, byte for byte: what the parser made of them still holds."""

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from serving.answering import Route

END = b"\r\n\r\n"
LONGEST = 2048  # bytes of a head
MOST = 32  # heads of a connection
ALL = 4096  # heads of all connections


class Head(NamedTuple):
    """A head of an ordinary scoring request."""

    route: "Route"
    headers: list[tuple[bytes, bytes]]
    length: int
    """Bytes of the body."""


class Heads:
    """The heads of a connection's requests that came in one piece."""

    def __init__(self) -> None:
        self.known: dict[bytes, Head] = {}

    def find(self, data: bytes) -> tuple[Head, bytes] | None:
        """The head and the body of what came, if it is a whole request whose head is known."""
        place = data.find(END) + len(END)
        head = self.known.get(data[:place])
        return (head, data[place:]) if head is not None and len(data) == place + head.length else None

    def keep(self, data: bytes, head: Head, connections: int) -> None:
        """Remember the head of what came, if that is its head and its body and nothing else."""
        place = data.find(END) + len(END)
        if len(data) != place + head.length or place > LONGEST:
            return
        if len(self.known) >= min(MOST, ALL // max(1, connections)):
            self.known.clear()
        self.known[data[:place]] = head
