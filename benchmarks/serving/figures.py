"""What is measured of each server, what is to be reached, and whether it was."""

from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

from benchmarks.serving.servers import ECHO, FAMILIES, MLFLOW, OURS

Sample = dict[str, float]
"""A server's figures in one round, by key."""
Round = dict[tuple[str, str], Sample]
"""By name of the server and family."""


def digits(value: float) -> str:
    """Three digits, or all that stand before the point."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


@dataclass(frozen=True)
class Figure:
    """One figure and its unit."""

    key: str
    title: str
    show: Callable[[float], str]
    more: bool = False
    """Whether more is better."""


FIGURES = (
    Figure("p50", "one row, one connection, p50", lambda seconds: f"{digits(seconds * 1e3)} ms"),
    Figure("rate", "one row, 16 connections, requests/s", lambda value: f"{value:,.0f}", more=True),
    Figure("cpu", "CPU per request at 16 connections", lambda seconds: f"{digits(seconds * 1e3)} ms"),
    Figure("tail", "p99 over p50 at 16 connections", lambda value: f"{value:.1f}"),
    Figure("hundred", "100 rows a request, rows/s", lambda value: f"{value:,.0f}", more=True),
    Figure("json", "10,000 rows a request, JSON, rows/s", lambda value: f"{value:,.0f}", more=True),
    Figure("parquet", "10,000 rows a request, Parquet, rows/s", lambda value: f"{value:,.0f}", more=True),
    Figure("start", "start to first answer", lambda seconds: f"{seconds:.2f} s"),
    Figure("memory", "memory after load", lambda mib: f"{mib:,.0f} MiB"),
)
BY_KEY = {figure.key: figure for figure in FIGURES}


@dataclass(frozen=True)
class Target:
    """A bound on this server's figure, or on its ratio to another server's in the same round."""

    key: str
    family: str
    bound: float
    against: str | None = MLFLOW
    """None where the figure itself is bounded."""

    @property
    def at_least(self) -> bool:
        """Whether the bound is a lower one."""
        return BY_KEY[self.key].more

    @property
    def shown(self) -> str:
        """The bound, as a person writes it."""
        if self.against is None:
            bound = BY_KEY[self.key].show(self.bound)
        elif self.against == ECHO:
            bound = as_share(self.bound)
        else:
            bound = f"{self.bound:g} times" if self.at_least else as_ratio(self.bound)
        return f"{bound} or {'more' if self.at_least else 'less'}"

    def reached(self, value: float) -> bool:
        """Whether the median over the rounds is within the bound."""
        return value >= self.bound if self.at_least else value <= self.bound


BOUNDS = {  # of each family: logistic, mlp
    "p50": (1 / 100, 1 / 450),
    "rate": (300, 500),
    "cpu": (1 / 300, 1 / 300),
    "hundred": (60, 60),
    "json": (6, 6),
    "parquet": (15, 15),
    "start": (1 / 12, 1 / 12),
    "memory": (1 / 5, 1 / 5),
}

TARGETS = (
    *(Target(key, family, bounds[place]) for place, family in enumerate(FAMILIES) for key, bounds in BOUNDS.items()),
    *(Target("tail", family, 5, against=None) for family in FAMILIES),
    *(Target("rate", family, 0.65, against=ECHO) for family in FAMILIES),
)


@dataclass(frozen=True)
class Spread:
    """Median, lowest and highest over the rounds."""

    median: float
    low: float
    high: float

    def show(self, show: Callable[[float], str]) -> str:
        """The median, and the rest in brackets."""
        return f"{show(self.median)} [{show(self.low)}, {show(self.high)}]"


def spread(values: list[float]) -> Spread | None:
    """Of the rounds' values; None where none was measured."""
    return Spread(median(values), min(values), max(values)) if values else None


def absolute(rounds: list[Round], server: tuple[str, str], key: str) -> Spread | None:
    """A server's figure over the rounds."""
    return spread([one[server][key] for one in rounds if key in one.get(server, {})])


def ratio(rounds: list[Round], family: str, key: str, against: str) -> Spread | None:
    """This server's figure over another's in the same round, over the rounds."""
    other = (against, "" if against == ECHO else family)
    pairs = [(one.get((OURS, family), {}), one.get(other, {})) for one in rounds]
    return spread([ours[key] / theirs[key] for ours, theirs in pairs if key in ours and key in theirs])


def result(rounds: list[Round], target: Target) -> Spread | None:
    """What a target bounds, over the rounds."""
    if target.against is None:
        return absolute(rounds, (OURS, target.family), target.key)
    return ratio(rounds, target.family, target.key, target.against)


def as_ratio(value: float) -> str:
    """A ratio as a person writes it: 254, or 1/100."""
    return digits(value) if value >= 1 else f"1/{digits(1 / value)}"


def as_share(value: float) -> str:
    """A ratio in per cent."""
    return f"{value:.0%}".replace("%", " %")
