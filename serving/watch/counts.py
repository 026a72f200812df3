"""Counters and histograms of one worker, summed over all workers where Prometheus asks.

Observing costs a bisection, a fifth of what a memory-mapped metric of the client library does; each worker keeps
its numbers in a file of its own, twice a second, and whichever worker is asked sums the files.
"""

from bisect import bisect_left
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from serving.follow.state import replace

if TYPE_CHECKING:
    from prometheus_client.core import Metric

BOUNDS = tuple(bound * power for power in (1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0) for bound in (1, 2.5, 5))  # seconds
SUFFIX = ".counts"

Labels = tuple[str, ...]
Key = tuple[str, Labels]
COUNTERS: dict[str, tuple[str, tuple[str, ...]]] = {
    "serving_rows": ("Rows scored.", ("model", "version")),
    "serving_refusals": ("Requests refused, by the reason's name.", ("code",)),
    "serving_swaps": ("Versions swapped in.", ("model", "reference")),
    "serving_swap_failures": ("Versions that failed a check and were not swapped in.", ("model", "reference")),
    "serving_compared_rows": ("Rows scored by two versions.", ("role", "model", "version", "against")),
    "serving_disagreements": ("Of these, rows with another label.", ("role", "model", "version", "against")),
    "serving_probability_distance": (
        "Sum over these rows of the largest difference of a probability.",
        ("role", "model", "version", "against"),
    ),
    "serving_compare_dropped": ("Requests not compared, since the queue was full.", ("role", "model")),
    "serving_audit_dropped": ("Lines of the audit log that could not be written.", ()),
}
HISTOGRAMS: dict[str, tuple[str, tuple[str, ...]]] = {
    "serving_request_seconds": (
        "From a request's headers to its answer.",
        ("model", "reference", "version", "protocol", "status"),
    ),
    "serving_phase_seconds": (
        "Time to parse a request, to validate and score what was ready together, and to encode an answer.",
        ("model", "version", "phase"),
    ),
    "serving_compared_seconds": ("Time to score a copy of a request.", ("role", "model", "version")),
}
GAUGES: dict[str, tuple[str, tuple[str, ...]]] = {
    "serving_in_flight": ("Requests being answered.", ("worker",)),
    "serving_version": (
        "Versions that are live in a worker.",
        ("worker", "model", "reference", "version", "family", "digest"),
    ),
    "serving_refused_version": (
        "Versions that are named but refused by a worker.",
        ("worker", "model", "reference", "version"),
    ),
}


class Timed(msgspec.Struct, array_like=True):
    """A histogram: counts by bucket, the last for all above, and the sum in seconds."""

    counts: list[int]
    total: float = 0.0

    def observe(self, seconds: float) -> None:
        """Count one duration."""
        self.counts[bisect_left(BOUNDS, seconds)] += 1
        self.total += seconds


class Counted(msgspec.Struct, array_like=True):
    """A counter."""

    amount: float = 0.0


class Snapshot(msgspec.Struct):
    """All numbers of a worker."""

    counters: list[tuple[str, Labels, float]]
    histograms: list[tuple[str, Labels, Timed]]
    gauges: list[tuple[str, Labels, float]]


class Counts:
    """The numbers of this worker."""

    def __init__(self) -> None:
        self.counters: dict[Key, Counted] = {}
        self.histograms: dict[Key, Timed] = {}
        self.gauges: dict[Key, float] = {}

    def counted(self, name: str, labels: Labels) -> Counted:
        """The counter of a name and labels."""
        key = (name, labels)
        found = self.counters.get(key)
        if found is None:
            found = self.counters[key] = Counted()
        return found

    def add(self, name: str, labels: Labels, amount: float = 1) -> None:
        """Raise a counter."""
        self.counted(name, labels).amount += amount

    def timed(self, name: str, labels: Labels) -> Timed:
        """The histogram of a name and labels, to observe in."""
        key = (name, labels)
        found = self.histograms.get(key)
        if found is None:
            found = self.histograms[key] = Timed([0] * (len(BOUNDS) + 1))
        return found

    def snapshot(self) -> Snapshot:
        """All numbers as they are now."""
        return Snapshot(
            [(name, labels, counted.amount) for (name, labels), counted in self.counters.items()],
            [(name, labels, timed) for (name, labels), timed in self.histograms.items()],
            [(name, labels, value) for (name, labels), value in self.gauges.items()],
        )

    def keep(self, path: Path) -> None:
        """Write all numbers for the other workers to read."""
        replace(path, msgspec.msgpack.encode(self.snapshot()))


class Summed:
    """A collector for prometheus_client: the numbers of all workers, dead ones included."""

    def __init__(self, own: Counts, folder: Path, own_path: Path) -> None:
        self.own, self.folder, self.own_path = own, folder, own_path

    def collect(self) -> "Iterable[Metric]":
        """Each metric once, its samples summed over the workers."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

        total = Counts()
        _merge(total, self.own.snapshot(), alive=True)
        for path in self.folder.glob(f"*{SUFFIX}"):
            if path != self.own_path:
                try:
                    snapshot = msgspec.msgpack.decode(path.read_bytes(), type=Snapshot)
                except (OSError, msgspec.MsgspecError):
                    continue  # a worker that has just begun
                _merge(total, snapshot, Path(f"/proc/{path.stem}").exists())
        for name, (text, labels) in COUNTERS.items():
            counter = CounterMetricFamily(name, text, labels=labels)
            for (found, values), counted in total.counters.items():
                if found == name:
                    counter.add_metric(values, counted.amount)
            yield counter
        for name, (text, labels) in HISTOGRAMS.items():
            histogram = HistogramMetricFamily(name, text, labels=labels)
            for (found, values), timed in total.histograms.items():
                if found == name:
                    histogram.add_metric(values, _buckets(timed), timed.total)
            yield histogram
        for name, (text, labels) in GAUGES.items():
            gauge = GaugeMetricFamily(name, text, labels=labels)
            for (found, values), amount in total.gauges.items():
                if found == name:
                    gauge.add_metric(values, amount)
            yield gauge


def _merge(total: Counts, part: Snapshot, alive: bool) -> None:
    for name, labels, amount in part.counters:
        total.add(name, tuple(labels), amount)
    for name, labels, timed in part.histograms:
        into = total.timed(name, tuple(labels))
        into.counts = [a + b for a, b in zip(into.counts, timed.counts, strict=True)]
        into.total += timed.total
    if alive:
        total.gauges |= {(name, tuple(labels)): amount for name, labels, amount in part.gauges}


def _buckets(timed: Timed) -> list[tuple[str, float]]:
    found, running = [], 0
    for bound, count in zip((*BOUNDS, float("inf")), timed.counts, strict=True):
        running += count
        found.append(("+Inf" if bound == float("inf") else f"{bound:g}", float(running)))
    return found
