"""What the registry holds, as the server last saw it; one file that the follower writes and each worker reads."""

import os
import tempfile
from pathlib import Path

import msgspec

STATE = "state.json"
ARCHIVED = "Archived"
STAGES = {stage.lower(): stage for stage in ("Production", "Staging", ARCHIVED)}


class Version(msgspec.Struct, frozen=True):
    """A registered version."""

    name: str
    number: int
    stage: str = ""
    aliases: tuple[str, ...] = ()
    location: str = ""
    """Where its files lie: a folder, or the address of a folder in an artifact store."""
    run_id: str = ""
    tags: dict[str, str] = {}

    @property
    def digest(self) -> str:
        """The SHA-256 of its graph; empty if it is no graph of this project."""
        return self.tags.get("graph.digest", "")

    @property
    def references(self) -> tuple[str, ...]:
        """What names it besides its number: its stage, if not Archived as many are, and each alias with an @."""
        return ((self.stage,) if self.stage not in ("", ARCHIVED) else ()) + tuple(
            f"@{alias}" for alias in self.aliases
        )

    def __str__(self) -> str:
        return f"{self.name}/{self.number}"


def address(name: str, reference: str) -> str:
    """The address of a stage, an alias or a number; stages are the same in capitals and without, as MLflow has them."""
    return f"{name}/{STAGES.get(reference.lower(), reference)}"


class State(msgspec.Struct, frozen=True):
    """All versions, and whether the registry can be reached."""

    registry: str
    versions: tuple[Version, ...] = ()
    unreachable: str = ""
    """Why the registry cannot be reached since `since`; empty while it can."""
    since: float = 0
    """Seconds since 1970 at which the registry was first seen so."""
    faults: dict[str, str] = {}
    """By version why its files could not be fetched."""
    moved: dict[str, float] = {}
    """By reference (`flights/Production`) when it was first seen to name its version, seconds since 1970."""

    def named(self) -> dict[str, Version]:
        """The version that each stage and each alias names; of several in one stage the highest number."""
        ordered = sorted(self.versions, key=lambda version: version.number)
        return {f"{one.name}/{reference}": one for one in ordered for reference in one.references}


def read(folder: Path) -> State | None:
    """The state in a folder, or None if there is none that can be read."""
    try:
        return msgspec.json.decode((folder / STATE).read_bytes(), type=State)
    except (OSError, msgspec.MsgspecError):
        return None


def write(folder: Path, state: State) -> None:
    """Replace the state in a folder, whole or not at all."""
    replace(folder / STATE, msgspec.json.encode(state))


def replace(path: Path, content: bytes) -> None:
    """Write a file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
