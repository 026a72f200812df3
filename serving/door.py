"""Who comes in: keys, rates and the audit log of one worker."""

from collections.abc import Iterable

from serving.access.audit import Audit
from serving.access.keys import ANYONE, Grant, Keys, presented
from serving.access.limits import Rate
from serving.settings import Settings


class Door:
    """What a request passes before anything is told to it."""

    def __init__(self, settings: Settings) -> None:
        self.keys = Keys(settings.keys, settings.keys_required) if settings.keys else None
        self.rate = Rate(settings.limits.rate, path=settings.run / "rates") if settings.limits.rate else None
        self.audit = Audit(settings.audit) if settings.audit else None
        self.guarded = bool(self.keys or self.rate)

    def enter(
        self, headers: Iterable[tuple[bytes, bytes]], client: tuple[str, int] | None, name: str, reference: str
    ) -> Grant:
        """Who asks.

        Raises:
            Refused: 401 or 403 without a key that may, 429 where it asks too often.
        """
        grant = ANYONE if self.keys is None else self.keys.allow(presented(headers), name, reference)
        if self.rate is not None:
            self.rate.take(grant.id or (client[0] if client else ""))
        return grant

    def close(self) -> None:
        """Write what waits to be written."""
        if self.audit is not None:
            self.audit.close()
