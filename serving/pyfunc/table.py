"""What the main process tells the workers of the models' processes, and what they ask of it, in the run folder."""

import hashlib
import os
from pathlib import Path

import msgspec

from serving.follow.state import Version, replace
from serving.pyfunc.signature import Signature

TABLE, WANTED = "pyfunc.json", "pyfunc-wanted"
LONGEST = 107  # bytes of a UNIX socket's path


class Side(msgspec.Struct, frozen=True):
    """A version's process as it stands."""

    version: str
    ready: bool = False
    why: str = ""
    """Why it does not answer."""
    failed: bool = False
    """Whether it cannot be loaded, rather than not yet."""
    started: int = 0
    """How many processes it has had."""
    signature: Signature = Signature()
    example: str = ""
    """A request that it answers, in JSON; empty if it was logged without one."""


def key(version: Version) -> str:
    """A short name for the model behind a version, another if it was registered anew under the same number."""
    return hashlib.sha256(f"{version}\n{version.location}".encode()).hexdigest()[:12]


def socket_of(run: Path, of: str) -> Path:
    """The socket of a model's process."""
    return run / f"{of}.sock"


def read(run: Path) -> dict[str, Side]:
    """All models' processes by key; none if there is no table yet."""
    try:
        return msgspec.json.decode((run / TABLE).read_bytes(), type=dict[str, Side])
    except (OSError, msgspec.MsgspecError):
        return {}


def write(run: Path, sides: dict[str, Side]) -> None:
    """Replace the table."""
    replace(run / TABLE, msgspec.json.encode(sides))


def want(run: Path, of: str) -> None:
    """Ask for a model's process, or say that it is still used."""
    path = run / WANTED / of
    try:
        os.utime(path)
    except FileNotFoundError:
        path.parent.mkdir(exist_ok=True)
        path.touch()


def wanted(run: Path) -> dict[str, float]:
    """When each model's process was last asked for, seconds since 1970."""
    found = {}
    for path in (run / WANTED).glob("*"):
        try:
            found[path.name] = path.stat().st_mtime
        except OSError:
            continue
    return found
