"""An event loop that does not sleep between the requests of a fast client."""

import asyncio
from time import perf_counter

SECONDS = 0.0002


class Eager:
    """Has the event loop look for the next request for a while, and not sleep, where the one before came so soon.

    Waking up takes longer than answering one row; clients that ask again later than that are not waited for.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.until = 0.0
        self.looking = False

    def look(self, loop: asyncio.AbstractEventLoop) -> None:
        """Keep the loop from sleeping for the next while."""
        self.until = perf_counter() + self.seconds
        if not self.looking:
            self.looking = True
            loop.call_soon(self._turn, loop)

    def _turn(self, loop: asyncio.AbstractEventLoop) -> None:
        if perf_counter() < self.until:
            loop.call_soon(self._turn, loop)
        else:
            self.looking = False
