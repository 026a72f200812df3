"""Two versions on the same requests: one in the shadow of another, or a canary that answers a share of them."""

import asyncio
import logging
import random
from binascii import crc32
from collections import deque
from time import perf_counter
from typing import NamedTuple

from serving.live import Live
from serving.protocol.question import Question
from serving.served import Served
from serving.settings import Settings, Share
from serving.together import Scores

WAITING = 256  # requests that wait to be compared
PRODUCTION = "Production"
HUNDRED_PERCENT = 10_000  # in hundredths of a percent

log = logging.getLogger("serving.beside")


class Copy(NamedTuple):
    """A request that was answered, to be scored by another version too."""

    role: str
    question: Question
    scores: Scores
    by: Served
    other: Served


class Beside:
    """What stands beside the Production of one model."""

    def __init__(self, live: Live, name: str, settings: Settings) -> None:
        self.live = live
        self.name = name
        self.shadows = tuple(one for one in settings.shadow if one.task == name)
        self.canary = next((one for one in settings.canary if one.task == name), None)
        self.sticky = settings.sticky.lower().encode()
        self.copies: deque[Copy] = deque()
        self.some = asyncio.Event()

    def chosen(self, headers: dict[bytes, bytes], champion: Served) -> Served:
        """Who answers a request: the canary for its share, always the same for one value of the sticky header."""
        if self.canary is None:
            return champion
        other = self._version(self.canary, champion)
        if other is None:
            return champion
        value = headers.get(self.sticky)
        drawn = random.randrange(HUNDRED_PERCENT) if value is None else crc32(value) % HUNDRED_PERCENT  # noqa: S311
        return other if drawn < self.canary.percent * 100 else champion

    def answered(self, question: Question, scores: Scores, by: Served, champion: Served) -> None:
        """Have the others score a copy of an answered request, later."""
        if by is not champion:
            self._copy(Copy("canary", question, scores, by, champion))
            return
        for shadow in self.shadows:
            other = self._version(shadow, champion)
            if other is not None:
                self._copy(Copy("shadow", question, scores, by, other))

    def _version(self, share: Share, champion: Served) -> Served | None:
        """The other version, where there is one that takes the champion's requests."""
        slot = self.live.slots.get(f"{share.task}/{share.reference}")
        if slot is None or not isinstance(slot.served, Served) or slot.served is champion:
            return None
        return slot.served if slot.served.reads_as(champion) else None

    def _copy(self, copy: Copy) -> None:
        if len(self.copies) >= WAITING:
            self.live.counts.add("serving_compare_dropped", (copy.role, self.name))
            return
        self.copies.append(copy)
        self.some.set()

    async def compare(self) -> None:
        """Score what waits, one after the other in a thread, until cancelled."""
        while True:
            await self.some.wait()
            self.some.clear()
            while self.copies:
                copy = self.copies.popleft()
                try:
                    await asyncio.to_thread(self._compared, copy)
                except Exception:
                    log.exception("a copy of a request could not be scored", extra={"version": copy.other.name})

    def _compared(self, copy: Copy) -> None:
        start = perf_counter()
        found = copy.other.scores_of(copy.question)
        seconds = perf_counter() - start
        labels, probabilities = copy.scores
        new, old = (copy.other, copy.by) if copy.role == "shadow" else (copy.by, copy.other)
        names = (copy.role, self.name, new.number, old.number)
        counts = self.live.counts
        counts.timed("serving_compared_seconds", (copy.role, self.name, copy.other.number)).observe(seconds)
        counts.add("serving_compared_rows", names, len(labels))
        counts.add("serving_disagreements", names, sum(a != b for a, b in zip(labels, found[0], strict=True)))
        if new.contract.classes == old.contract.classes:
            distance = sum(
                max(abs(p - q) for p, q in zip(one, other, strict=True))
                for one, other in zip(probabilities, found[1], strict=True)
            )
            counts.add("serving_probability_distance", names, distance)


def beside(live: Live, settings: Settings) -> dict[str, Beside]:
    """By address what stands beside it."""
    names = {share.task for share in (*settings.shadow, *settings.canary)}
    return {f"{name}/{PRODUCTION}": Beside(live, name, settings) for name in names}
