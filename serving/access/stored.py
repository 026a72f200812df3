"""The file of keys: read whole, and changed under a lock so that two changes at once lose nothing."""

import contextlib
import fcntl
import hashlib
import os
import secrets
import tempfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import msgspec

from serving.access import scopes

PREFIX = "sk"
SALT_BYTES = 16
SECRET_BYTES = 32


class FileError(Exception):
    """A file of keys that cannot be read or written, in one line."""


class Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is kept of one key: all but its secret.

    `salt` and `hash` are hexadecimal, times are in UTC; `expires` and `revoked` are null where there is none.
    """

    id: str
    name: str
    salt: str
    hash: str
    scopes: tuple[str, ...]
    created: datetime
    expires: datetime | None = None
    revoked: datetime | None = None

    def state(self, now: datetime) -> str:
        """`active`, `expired` or `revoked`."""
        if self.revoked:
            return "revoked"
        return "expired" if self.expires and self.expires <= now else "active"


class Content(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole file."""

    keys: tuple[Record, ...] = ()


def digest(secret: bytes, salt: bytes) -> bytes:
    """Hash of a secret under its salt, 32 bytes.

    One round is enough: the secret is 256 bits of the system's randomness, so there is nothing to guess from a stolen
    file, and a slow function made for passwords would only let strangers keep the server busy with wrong keys.
    """
    return hashlib.blake2b(secret, digest_size=32, salt=salt, person=b"serving api key").digest()


def issue(name: str, given: tuple[str, ...], created: datetime, expires: datetime | None) -> tuple[str, Record]:
    """A new key, `sk_<id>_<secret>`, and what to keep of it."""
    identity, secret, salt = secrets.token_hex(8), secrets.token_urlsafe(SECRET_BYTES), secrets.token_bytes(SALT_BYTES)
    kept = digest(secret.encode(), salt).hex()
    return f"{PREFIX}_{identity}_{secret}", Record(identity, name, salt.hex(), kept, given, created, expires)


def read(path: Path) -> tuple[Record, ...]:
    """Every key of a file, in the order in which they were made.

    Raises:
        FileNotFoundError: There is no such file.
        FileError: It cannot be read, or is not a file of keys.
    """
    try:
        return parse(path.read_bytes(), path)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise FileError(f"{path} cannot be read: {error.strerror}") from error


def parse(body: bytes, path: Path) -> tuple[Record, ...]:
    """Every key of a file's content.

    Raises:
        FileError: It is not a file of keys.
    """
    try:
        keys = msgspec.json.decode(body, type=Content).keys
        for one in keys:
            times = (one.created, one.expires, one.revoked)
            if len(bytes.fromhex(one.salt)) != SALT_BYTES or len(bytes.fromhex(one.hash)) != 32:
                raise ValueError(f"salt or hash of key {one.id} is cut")
            if any(time and time.tzinfo is None for time in times):
                raise ValueError(f"a time of key {one.id} has no zone")
            scopes.allowed(one.scopes)
    except (msgspec.DecodeError, ValueError) as error:  # UnicodeDecodeError is a ValueError
        raise FileError(f"{path} is not a file of keys: {error}") from None
    return keys


@contextlib.contextmanager
def changing(path: Path) -> Iterator[list[Record]]:
    """The keys of a file, to be changed in place by one process at a time; written when the block ends well.

    A reader sees the file as it was before or after, never in between. A file that is not there is made.

    Raises:
        FileError: The file cannot be read or written; it is then as it was.
    """
    path = Path(os.path.realpath(path))  # a link stays a link
    try:
        with open(path.with_name(path.name + ".lock"), "ab", opener=_private) as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            try:
                keys = list(read(path))
            except FileNotFoundError:
                keys = []
            before = list(keys)
            yield keys
            if keys != before:
                _replace(path, msgspec.json.format(msgspec.json.encode(Content(tuple(keys))), indent=1) + b"\n")
    except OSError as error:
        raise FileError(f"{path} cannot be written: {error.strerror}") from error


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _replace(path: Path, body: bytes) -> None:
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # mode 0600
    try:
        with open(descriptor, "wb") as file:
            if os.geteuid() == 0 and path.exists():  # root must not lock the server out of its own file
                os.fchown(file.fileno(), path.stat().st_uid, path.stat().st_gid)
            file.write(body)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
