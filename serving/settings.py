"""What an operator sets, checked once before anything starts."""

import os
from pathlib import Path

import msgspec

MIB = 1024 * 1024


class Share(msgspec.Struct, frozen=True):
    """A version that gets part of another's requests: all of them in the shadow, or `percent` of them as a canary."""

    task: str
    reference: str
    percent: float = 0


class Limits(msgspec.Struct, frozen=True):
    """What one request, and all together, may take."""

    body: int = 16 * MIB
    """Bytes of a request's body."""
    rows: int = 100_000
    """Rows of a request."""
    in_flight: int = 256
    """Requests at once in one worker."""
    seconds: float = 30
    """From a request's first byte to its answer."""
    rate: str = ""
    """Requests of one key, such as `100/s`; empty for no limit."""


class Settings(msgspec.Struct, frozen=True):
    """All that the worker processes need to know."""

    registry: str
    copy: Path
    run: Path
    """A folder for as long as the server runs: what its workers tell each other."""
    default: str = ""
    workers: int = 1
    limits: Limits = Limits()
    shadow: tuple[Share, ...] = ()
    canary: tuple[Share, ...] = ()
    sticky: str = "x-canary-key"
    allow_contract_change: bool = False
    keys: Path | None = None
    keys_required: bool = True
    """Whether a key is needed even while the file has none."""
    audit: Path | None = None
    allow_pyfunc: bool = False
    pyfunc_python: str = ""
    poll: float = 0.5
    """Seconds between two looks at the registry."""

    @property
    def cores(self) -> int:
        """Processor cores for each worker."""
        every = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        return max(1, every // self.workers)
