"""A candidate on disk: `candidates/<task>/<model>/` with its graph, native model, plots and record."""

import hashlib
import json
import shutil
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from training.decision import Decision
from training.families import ENSEMBLE
from training.metrics import PER_CLASS, Interval, OfClass, Spread

CANDIDATES = Path("candidates")
UNFINISHED = CANDIDATES / ".unfinished"
MEMBERS = CANDIDATES / ".members"  # the graphs once more, apart, so that ensembles can depend on them and lie beside
GRAPH, NATIVE, PLOTS, RECORD, METRICS = "graph.onnx", "native", "plots", "candidate.json", "metrics.json"
LEARNING_CURVE = "learning_curve.csv"
DIFFERENCE = "worktree.diff"


@dataclass(frozen=True)
class Candidate:
    """What `candidate.json` says; times in seconds, memory in MiB, latency in milliseconds a row."""

    task: str
    model: str
    family: str
    params: dict[str, Any]
    seed: int
    digest: str
    """SHA-256 of the graph."""
    started: float
    """Seconds since the epoch."""
    seconds: float
    fit_seconds: float
    peak_memory_mib: float
    graph_bytes: int
    latency_ms: float
    parity: float
    """Largest difference of a test probability from the native model."""
    data: dict[str, Any]
    lineage: dict[str, Any]
    difference: str
    """SHA-256 of `worktree.diff`, what `git apply` makes the files of the commit with that were trained with."""
    validation: dict[str, Interval]
    test: dict[str, Interval] = field(default_factory=dict)
    per_class: dict[str, OfClass] = field(default_factory=dict)
    """Of the test rows, by class."""
    decision: dict[str, Any] = field(default_factory=dict)
    """How the graph's label follows from its probabilities."""
    folds: dict[str, Spread] = field(default_factory=dict)
    """Each metric over the folds of the training rows, where the task declares folds."""

    @property
    def folder(self) -> Path:
        """Where the candidate lies."""
        return CANDIDATES / self.task / self.model

    @property
    def graph(self) -> Path:
        """The scoring graph."""
        return self.folder / GRAPH

    @property
    def label_rule(self) -> str:
        """How the graph's label follows from its probabilities, in words."""
        return Decision.from_record(self.decision).describe(tuple(self.per_class))

    @property
    def id(self) -> str:
        """SHA-256 of the record, which no other training shares, not even one that gives the same graph."""
        return hashlib.sha256((self.folder / RECORD).read_bytes()).hexdigest()

    def learning_curve(self) -> pd.DataFrame:
        """One row per epoch or iteration."""
        return pd.read_csv(self.folder / PLOTS / LEARNING_CURVE)


def unfinished(task: str, model: str) -> Path:
    """An empty folder to build a candidate in; what a killed run left there is removed."""
    folder = UNFINISHED / task / model
    shutil.rmtree(folder, ignore_errors=True)
    (folder / NATIVE).mkdir(parents=True)
    (folder / PLOTS).mkdir()
    return folder


def write(candidate: Candidate, folder: Path) -> None:
    """Write the record into the unfinished `folder`, then put it in its place, whole."""
    (folder / RECORD).write_text(json.dumps(asdict(candidate), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    measured: dict[str, Any] = {
        "validation": {name: round(interval.value, 6) for name, interval in candidate.validation.items()},
        "test": {name: round(interval.value, 6) for name, interval in candidate.test.items()},
        "test_class": {
            name: {part: round(getattr(one, part).value, 6) for part in PER_CLASS} | {"support": one.support}
            for name, one in candidate.per_class.items()
        },
    }
    if candidate.folds:
        measured["folds"] = {
            name: {"mean": round(spread.mean, 6), "deviation": round(spread.deviation, 6)}
            for name, spread in candidate.folds.items()
        }
    (folder / METRICS).write_text(json.dumps(measured, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    shutil.rmtree(candidate.folder, ignore_errors=True)
    candidate.folder.parent.mkdir(parents=True, exist_ok=True)
    if candidate.family != ENSEMBLE:
        (MEMBERS / candidate.task).mkdir(parents=True, exist_ok=True)
        shutil.copyfile(folder / GRAPH, MEMBERS / candidate.task / f"{candidate.model}.onnx")
    folder.rename(candidate.folder)


def read(task: str, model: str) -> Candidate | None:
    """The candidate, or None where there is none or it is not whole.

    A graph or a difference that is not the one the record speaks of counts as none.
    """
    folder = CANDIDATES / task / model
    try:
        candidate = from_json((folder / RECORD).read_text(encoding="utf-8"))
        digests = {GRAPH: candidate.digest, DIFFERENCE: candidate.difference}
        whole = all(hashlib.sha256((folder / name).read_bytes()).hexdigest() == one for name, one in digests.items())
    except (FileNotFoundError, ValueError, KeyError, TypeError):  # no record, half of one, or an older one
        return None
    return candidate if whole and (folder / PLOTS / LEARNING_CURVE).is_file() else None


def from_json(text: str) -> Candidate:
    """The candidate that a record speaks of.

    Raises:
        ValueError, KeyError, TypeError: it is no such record, or one of another form.
    """
    content = json.loads(text)
    for part in ("validation", "test"):
        content[part] = {name: Interval(**interval) for name, interval in content[part].items()}
    content["per_class"] = {name: OfClass.from_record(one) for name, one in content["per_class"].items()}
    content["folds"] = {name: Spread(**spread) for name, spread in content["folds"].items()}
    return Candidate(**content)
