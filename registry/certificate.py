"""The certificate of a version that was trained again: what is equal, and how far the rest lies apart."""

import json
from dataclasses import asdict, dataclass
from typing import Any

from pydantic import Field
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from data import params
from data.params import Strict

WIDTH = 100
SHORT = 12  # letters of a digest


class Terms(Strict):
    """What stands under `reproduce:` in `params.yaml`."""

    tolerance: float = Field(1e-6, ge=0, lt=1)
    """By how much a probability may differ."""


def declared(content: dict[str, Any]) -> Terms:
    """The declared terms, or the defaults.

    Raises:
        InputError: a key is unknown or has a wrong value.
    """
    return params.parse(Terms, content.get("reproduce") or {}, "reproduce")


@dataclass(frozen=True)
class Pair:
    """A value of the version and of the training now; None where there is none."""

    then: Any
    now: Any

    @property
    def equal(self) -> bool:
        """Whether there is no difference."""
        return bool(self.then == self.now)


@dataclass(frozen=True)
class Certificate:
    """What a training from the version's commit, difference and rows gave."""

    task: str
    version: str
    model: str
    commit: str
    differed: bool
    """Whether files differed from the commit; that difference was applied."""
    rows: str
    """Where the rows are from."""
    data: Pair
    """Digests of the prepared rows. Where they differ, nothing was trained."""
    graph: Pair
    """Digests of the graphs."""
    members: dict[str, Pair]
    """Digests of the members' graphs, of an ensemble."""
    metrics: dict[str, Pair]
    machine: dict[str, Pair]
    """Versions of Python and the packages, the processor, and how many threads TensorFlow had."""
    test_rows: int
    largest_difference: float | None
    """Of a probability on the test rows."""
    other_labels: int | None
    """Test rows that got another label."""
    tolerance: float
    at: str
    """When, in UTC."""
    seconds: float | None
    """Of the training."""

    @property
    def agrees(self) -> bool:
        """Whether the rows are the same and no probability differs by more than the tolerance."""
        near = self.largest_difference is not None and self.largest_difference <= self.tolerance
        return self.data.equal and near

    @property
    def words(self) -> str:
        """What was found, in a few words."""
        if not self.data.equal:
            return f"the rows are others ({self.rows}), so nothing was trained"
        if self.graph.equal:
            return "digest equal"
        side = "within" if self.agrees else "above"
        return f"digest differs, probabilities by {self.largest_difference:.1e} at most, {side} {self.tolerance:g}"

    def record(self) -> dict[str, Any]:
        """The certificate as plain values."""
        return asdict(self) | {"agrees": self.agrees, "words": self.words}

    def to_json(self) -> str:
        """The certificate as JSON."""
        return json.dumps(self.record(), indent=1, ensure_ascii=False)

    def print(self) -> None:
        """Print the certificate for a person."""
        console = Console(highlight=False, width=None if Console().is_terminal else WIDTH)
        files = "with the kept difference" if self.differed else "nothing differed from it"
        shown = Table(box=box.SIMPLE_HEAD, padding=0, pad_edge=False, show_edge=False)
        for name in ("", "then", "now", ""):
            shown.add_column(name, overflow="fold")
        digests = {"rows": self.data, "graph": self.graph} | {f"member {k}": v for k, v in self.members.items()}
        for name, pair in digests.items():
            shown.add_row(name, *(str(one)[:SHORT] if one else "none" for one in (pair.then, pair.now)), _mark(pair))
        for name, pair in self.metrics.items():
            figures = ("none" if one is None else f"{one:.6f}" for one in (pair.then, pair.now))
            shown.add_row(escape(name), *figures, _mark(pair))
        for name, pair in self.machine.items():
            shown.add_row(name, str(pair.then), str(pair.now), _mark(pair))
        took = "was not trained again" if self.seconds is None else f"was trained again in {self.seconds:.1f} s"
        lines = [
            f"\n{self.task}: version {self.version} ({self.model}) {took}",
            f"commit {self.commit}, {files}",
            f"rows: {self.rows}\n",
        ]
        for line in lines:
            console.print(line, markup=False)
        console.print(shown)
        if self.largest_difference is not None:
            console.print(
                f"\nlargest difference of a probability on {self.test_rows:,} test rows: {self.largest_difference:g}, "
                f"other labels: {self.other_labels}",
                markup=False,
            )
        console.print(f"{'reproduced' if self.agrees else 'NOT reproduced'}: {self.words}", markup=False)


@dataclass(frozen=True)
class Refusal:
    """Why a version cannot be trained again."""

    task: str
    version: str
    words: str
    agrees = False

    def record(self) -> dict[str, Any]:
        """The refusal as plain values."""
        return asdict(self) | {"agrees": self.agrees}


def _mark(pair: Pair) -> str:
    return "" if pair.equal else "differs"
