"""Who is asking, and may they: a request's key against the file of keys."""

import hashlib
import hmac
import logging
import math
import secrets
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from serving.access import scopes, stored
from serving.protocol.errors import Refused

log = logging.getLogger(__name__)

LOOK_SECONDS = 0.25
REMEMBERED = 1024
LONGEST = 512
BEARER = b"bearer"
UNKNOWN = stored.Record("", "", "00" * stored.SALT_BYTES, "00" * 32, (), datetime.min)


@dataclass(frozen=True, slots=True)
class Grant:
    """Who asks: a key's id and name, and what it may.

    `pairs` holds models and references, `*` for any; `until` is seconds since 1970, infinite where a key never expires.
    """

    id: str
    name: str
    admin: bool
    pairs: frozenset[tuple[str, str]]
    until: float = math.inf

    def may(self, model: str, reference: str) -> bool:
        """Whether this key may ask `model` at `reference`, which is a stage, `@alias` or number as in the address."""
        pairs = self.pairs
        return (
            (model, reference) in pairs
            or (model, scopes.ANY) in pairs
            or (scopes.ANY, scopes.ANY) in pairs
            or (scopes.ANY, reference) in pairs
        )


ANYONE = Grant("", "anonymous", True, frozenset({(scopes.ANY, scopes.ANY)}))


class Keys:
    """The keys of a file, followed as it changes.

    A file that breaks or vanishes leaves the last good keys in force, and is logged once. With `required`, no file
    means that nobody is let in. Without, everybody is until the file has a key; from then on a key is needed. A file
    that is there and cannot be read lets nobody in either way.
    """

    def __init__(self, path: Path, required: bool = True) -> None:
        self.path = path
        self.required = required
        self._records: dict[bytes, tuple[stored.Record, Grant]] = {}
        self._known: dict[bytes, Grant] = {}
        self._salt = secrets.token_bytes(32)
        self._seen: tuple[int, int, int] | None = None
        self._complained = False
        self._next = 0.0
        self._look(time.monotonic())

    def allow(self, key: bytes | None, model: str, reference: str) -> Grant:
        """Who asks for `model` at `reference`, with the value of `Authorization` or `X-API-Key`.

        Raises:
            Refused: 401 where no valid key is given, 403 where its scopes are others; the same whether or not the
                model exists.
        """
        grant = self.who(key)
        if not grant.may(model, reference):
            raise _forbidden()
        return grant

    def administer(self, key: bytes | None) -> Grant:
        """Who asks for one of the server's own pages.

        Raises:
            Refused: 401 where no valid key is given, 403 where it has no `admin` scope.
        """
        grant = self.who(key)
        if not grant.admin:
            raise _forbidden()
        return grant

    def who(self, key: bytes | None) -> Grant:
        """Who asks, whatever for.

        Raises:
            Refused: 401, with one text for a key that is absent, wrong, expired or revoked.
        """
        now = time.monotonic()
        if now >= self._next:
            self._look(now)
        if not self.required:
            return ANYONE
        if not key or len(key) > LONGEST:
            raise _unauthenticated()
        mark = hashlib.blake2b(key, digest_size=16, key=self._salt).digest()
        grant = self._known.get(mark)
        if grant is None:
            grant = self._verified(key)
            if len(self._known) >= REMEMBERED:
                self._known.clear()
            self._known[mark] = grant
        if time.time() >= grant.until:
            raise _unauthenticated()
        return grant

    def _verified(self, key: bytes) -> Grant:
        scheme, space, rest = key.partition(b" ")
        if space and scheme.lower() == BEARER:
            key = rest.strip()
        prefix, _, rest = key.partition(b"_")
        identity, _, secret = rest.partition(b"_")
        record, grant = self._records.get(identity, (UNKNOWN, ANYONE))
        # An unknown id costs the same hash and comparison as a known one, so that time does not tell them apart.
        right = hmac.compare_digest(stored.digest(secret, bytes.fromhex(record.salt)), bytes.fromhex(record.hash))
        if not right or record is UNKNOWN or record.revoked or prefix != stored.PREFIX.encode():
            raise _unauthenticated()
        return grant

    def _look(self, now: float) -> None:
        self._next = now + LOOK_SECONDS
        try:
            status = self.path.stat()
            seen = (status.st_mtime_ns, status.st_ino, status.st_size)
            if seen == self._seen:
                return
            records = stored.read(self.path)
            self._records = {one.id.encode(): (one, _grant(one)) for one in records}
        except FileNotFoundError:
            if self.required:
                self._complain(f"{self.path} is not there")
            return
        except (OSError, stored.FileError) as error:
            self.required = True
            self._complain(str(error))
            return
        if self._complained:
            log.info("%s is read again", self.path)
        self._complained = False
        self._seen = seen
        self._known = {}
        self.required = self.required or bool(records)

    def _complain(self, problem: str) -> None:
        self._seen = None
        if not self._complained:
            log.error("%s; in force stay the %d keys that were read last", problem, len(self._records))
        self._complained = True


def presented(headers: Iterable[tuple[bytes, bytes]]) -> bytes | None:
    """What a request shows as its key: `X-API-Key` where there is one, else `Authorization`.

    Args:
        headers: Pairs of name in lower case and value, as ASGI has them.
    """
    found = None
    for name, value in headers:
        if name == b"x-api-key":
            return value
        if name == b"authorization" and found is None:
            found = value
    return found


def _grant(record: stored.Record) -> Grant:
    admin, pairs = scopes.allowed(record.scopes)
    return Grant(record.id, record.name, admin, pairs, record.expires.timestamp() if record.expires else math.inf)


def _unauthenticated() -> Refused:
    return Refused(
        401,
        "UNAUTHENTICATED",
        "a valid API key is needed, as `Authorization: Bearer <key>` or `X-API-Key: <key>`",
        headers=((b"www-authenticate", b"Bearer"),),
    )


def _forbidden() -> Refused:
    return Refused(403, "PERMISSION_DENIED", "this API key is not for what was asked")
