"""How much may be asked: requests a second of each key, rows of one request."""

import math
import mmap
import os
import re
import time
from hashlib import blake2b
from pathlib import Path

from serving.protocol.errors import Refused

SECONDS = {"s": 1, "min": 60}
FORM = re.compile(r"([1-9][0-9]{0,8})/(s|min)")
WAYS = 8
SETS = 512
WORD = 8
SIZE = WAYS * SETS * 2 * WORD
REMEMBERED = 4096
NANOSECONDS = 1_000_000_000


class Rate:
    """Requests of each key a second or a minute, with a burst: a token bucket for each.

    A bucket is one number, the time at which it is full again (the generic cell rate algorithm, in nanoseconds of the
    clock that all processes of a machine share). With a path, the buckets are in a file that every worker maps, so the
    rate is that of the whole server, however many workers there are and whichever of them a client's connections
    reach; without, they are those of one process. Workers take no lock: where two of them let in requests of one key
    in the same microsecond, they may count as one. That lets a little more through, and a worker that is killed or
    stopped at any moment holds nobody up.

    There are 4,096 buckets, in sets of 8 by the key's hash. A new key takes the bucket of its set that has been full
    for longest, which forgets nothing unless more than 8 keys of one set are asking at the same time.
    """

    def __init__(self, text: str, burst: int | None = None, path: Path | None = None) -> None:
        """The buckets of one rate.

        Args:
            text: A rate such as `100/s` or `5000/min`.
            burst: Requests that a key which has been silent may make at once; by default the rate's count.
            path: A file of this server alone, made where it is not there; None for one process.

        Raises:
            ValueError: No rate, or no burst, in one line.
            OSError: The file cannot be made.
        """
        found = FORM.fullmatch(text)
        if not found:
            raise ValueError(f"{text!r} is no rate; expected one such as 100/s or 5000/min")
        count = int(found[1])
        if burst is not None and burst < 1:
            raise ValueError(f"a burst of {burst} lets nothing in; expected 1 or more")
        self.text = text
        self._step = SECONDS[found[2]] * NANOSECONDS // count
        self._room = self._step * (burst or count)
        self._words = memoryview(_shared(path)).cast("q")
        self._places: dict[str, tuple[int, int]] = {}
        self._again = 0

    def take(self, who: str) -> None:
        """Count one request of `who`, a key's id or a client's address.

        Raises:
            Refused: 429 with `Retry-After` in whole seconds.
        """
        now = time.monotonic_ns()
        if now >= self._again:  # two workers that took different buckets for one key agree on the first of them
            self._places.clear()
            self._again = now + NANOSECONDS
        place, mark = self._places.get(who) or self._place(who)
        words = self._words
        if words[place] != mark:
            place = self._claim(who, mark, now)
        full = words[place + 1]
        if full < now or full > now + self._room + NANOSECONDS:  # so far off was left by the clock of an earlier boot
            full = now
        full += self._step
        wait = full - now - self._room
        if wait > 0:
            seconds = str(math.ceil(wait / NANOSECONDS)).encode()
            message = f"more than {self.text} requests; try again after {seconds.decode()} s"
            raise Refused(429, "RESOURCE_EXHAUSTED", message, headers=((b"retry-after", seconds),))
        words[place + 1] = full

    def _place(self, who: str) -> tuple[int, int]:
        if len(self._places) >= REMEMBERED:
            self._places.clear()
        digest = blake2b(who.encode(errors="replace"), digest_size=WORD).digest()
        mark = int.from_bytes(digest, "little", signed=True) or 1  # 0 marks a bucket that nobody has taken
        found = self._places[who] = (mark % SETS * WAYS * 2, mark)
        return found

    def _claim(self, who: str, mark: int, now: int) -> int:
        words = self._words
        start = mark % SETS * WAYS * 2
        ways = range(start, start + WAYS * 2, 2)
        place = next((one for one in ways if words[one] == mark), None)
        if place is None:
            place = min(ways, key=lambda one: words[one + 1])
            words[place], words[place + 1] = mark, now
        self._places[who] = (place, mark)
        return place


def check_rows(rows: int, maximum: int) -> None:
    """Refuse a request of too many rows; `maximum` 0 lets any number in.

    Raises:
        Refused: 413, since the same rows are welcome in smaller requests.
    """
    if rows > maximum > 0:
        message = f"{rows} rows in one request, of at most {maximum}; send them in several"
        raise Refused(413, "REQUEST_LIMIT_EXCEEDED", message)


def _shared(path: Path | None) -> mmap.mmap:
    if path is None:
        return mmap.mmap(-1, SIZE)
    with open(path, "r+b", opener=lambda name, flags: os.open(name, flags | os.O_CREAT, 0o600)) as file:
        if (size := os.fstat(file.fileno()).st_size) < SIZE:
            # Written out, not left a hole: a full disk then fails here and not at a request.
            os.pwrite(file.fileno(), bytes(SIZE - size), size)
        return mmap.mmap(file.fileno(), SIZE)
