"""The gate's decision, with its evidence, as it is kept with a version."""

import json
from dataclasses import asdict, dataclass

from pydantic import TypeAdapter

from registry.comparison import McNemar
from registry.guardrails import Guardrail
from registry.seen import Seen
from training.metrics import Interval


@dataclass(frozen=True)
class ComparedSlice:
    """The gate's metric on the rows that have one value in a column."""

    column: str
    value: str | None
    """As text; None for the rows where it is missing."""
    rows: int
    challenger: float | None
    champion: float | None
    """None, as the challenger's, where the slice lacks a class that the metric needs; and where nothing is compared."""


@dataclass(frozen=True)
class Verdict:
    """Whether a challenger may take Production, why, and what was measured on which rows."""

    better: bool
    """Whether its lead is above the margin and it passes every guardrail."""
    reason: str
    challenger: str
    champion: str
    metric: str
    margin: float
    confidence: float
    rows: int
    data: str
    """Digest of the prepared data that the rows are of."""
    challenger_value: float | None = None
    champion_value: float | None = None
    lead: Interval | None = None
    """Challenger over champion, positive where the challenger is better, with its paired bootstrap interval."""
    resamples: int | None = None
    seed: int | None = None
    mcnemar: McNemar | None = None
    guardrails: tuple[Guardrail, ...] = ()
    """The challenger's."""
    champion_guardrails: tuple[Guardrail, ...] = ()
    """The champion's, which decide nothing."""
    slices: tuple[ComparedSlice, ...] = ()
    seen: Seen | None = None

    @property
    def failed(self) -> list[Guardrail]:
        """The guardrails that the challenger does not pass."""
        return [one for one in self.guardrails if not one.passed]

    def to_json(self) -> str:
        """The verdict as JSON."""
        return json.dumps(asdict(self), indent=1)

    @classmethod
    def from_json(cls, text: str) -> "Verdict":
        """The verdict that `to_json` wrote, or that a former one did, with less evidence."""
        return TypeAdapter(cls).validate_json(text)
