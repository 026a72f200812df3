"""Proof of a version: trained again from its commit, its difference and its rows, and compared."""

import json
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion

from data import params
from data.errors import InputError
from data.prepare import PREPARED
from registry import made, restored, versions
from registry.certificate import Certificate, Pair, Refusal, Terms
from registry.made import Made
from training import lineage
from training.candidate import CANDIDATES, GRAPH, RECORD
from training.graph import Graph
from training.search import declaration

EVIDENCE, TAG = "certificate.json", "reproduced"


@dataclass
class Place:
    """The files and rows of some versions, restored, and what was trained there."""

    root: Path
    task: str
    rows: str
    """Where the rows are from."""
    digest: str
    """Of the rows."""
    threads: int
    """Of TensorFlow."""
    started: dict[str, str | None] = field(default_factory=dict)
    """The models that were trained here, and the version that each was started from."""

    def train(self, starts: dict[str, str | None]) -> None:
        """Train models in one process, each from the version that it is to be started from, if any.

        Raises:
            InputError: the training of one failed.
        """
        for model, start in starts.items():
            if start is not None:
                declaration.write(model, {"warm_start": start}, self.root / params.PARAMS)
        # This is asked of the code of that commit, so that the call has to stay as it is.
        command = (sys.executable, "-m", "training", "train", *starts, "--no-record")
        restored.run(self.root, *command, **{lineage.THREADS: str(self.threads)})
        self.started |= starts

    def trained(self, model: str, start: str | None) -> dict[str, Any]:
        """The record of the model's candidate, trained here unless it was already."""
        if self.started.get(model, "") != start:
            self.train({model: start})
        path = self.root / CANDIDATES / self.task / model / RECORD
        return json.loads(path.read_text(encoding="utf-8"))

    def graph(self, model: str) -> Path:
        """The graph of a model that was trained here."""
        return self.root / CANDIDATES / self.task / model / GRAPH


def reproduce(client: MlflowClient, asked: list[ModelVersion], terms: Terms) -> Iterator[Certificate | Refusal]:
    """Train each version again, and give its certificate, or why there can be none.

    Versions of the same files and rows are trained in one place and one process, where ensembles come last.
    MLflow gets the certificate, as an artifact beside the version's other evidence, and where it agrees a tag.
    """
    places: dict[tuple[str, ...], list[Made]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as temporary:
        for version in asked:
            folder = Path(temporary) / version.name / str(version.version)
            folder.mkdir(parents=True, exist_ok=True)
            try:
                one = made.read(client, version, folder)
                places[one.place].append(one)
            except InputError as error:
                yield _refusal(version, error)
        for group in places.values():
            group.sort(key=lambda one: (bool(one.lineage["members"]), int(one.version.version)))
            try:
                yield from _in_one_place(client, group, terms)
            except InputError as error:
                yield from (_refusal(one.version, error) for one in group)


def _in_one_place(client: MlflowClient, group: list[Made], terms: Terms) -> Iterator[Certificate | Refusal]:
    task, commit = group[0].version.name, group[0].lineage["git_commit"]
    of = max((one.lineage for one in group), key=lambda lineage: lineage["dvc_data"] is not None)
    print(f"{task}: restoring commit {commit[:12]} and its rows", file=sys.stderr, flush=True)
    with restored.files(commit, of["git_folder"], group[0].difference) as root:
        rows = restored.rows(root, task, of["dvc_raw"], of["dvc_data"])
        here = Place(root, task, rows, lineage.folder_digest(root / PREPARED / task), of["threads"])
        starts: dict[str, str | None] = {}
        for one in group:
            starts |= _starts_of_members(client, one) | {one.record["model"]: one.start}
        if here.digest == group[0].record["data"]["digest"] and len(starts) > 1:
            with suppress(InputError):  # of one model, which is told when each is trained on its own
                here.train(starts)
        for one in group:
            try:
                certificate = _certificate(client, one, here, terms)
            except InputError as error:
                yield _refusal(one.version, error)
                continue
            text, number = certificate.to_json(), str(one.version.version)
            client.log_text(str(one.version.run_id), text, f"versions/{number}/{EVIDENCE}")
            if certificate.agrees:
                client.set_model_version_tag(task, number, TAG, f"{certificate.at[:10]} {certificate.words}")
            yield certificate


def _certificate(client: MlflowClient, one: Made, here: Place, terms: Terms) -> Certificate:
    record, model = one.record, one.record["model"]
    test = pd.read_parquet(here.root / PREPARED / here.task / "test.parquet")
    members: dict[str, Pair] = {}
    now: dict[str, Any] = {}
    difference = other = None
    if here.digest == record["data"]["digest"]:
        for name, start in _starts_of_members(client, one).items():
            members[name] = Pair(one.lineage["members"][name], here.trained(name, start)["digest"])
        now = here.trained(model, one.start)
        labels, chances = zip(*(Graph(path).score(test) for path in (one.graph, here.graph(model))), strict=True)
        difference, other = float(np.abs(chances[0] - chances[1]).max()), int((labels[0] != labels[1]).sum())
    measured = metrics(now) if now else {}
    return Certificate(
        task=here.task,
        version=str(one.version.version),
        model=model,
        commit=one.lineage["git_commit"],
        differed=bool(one.difference),
        rows=here.rows,
        data=Pair(record["data"]["digest"], here.digest),
        graph=Pair(record["digest"], now.get("digest")),
        members=members,
        metrics={name: Pair(value, measured.get(name)) for name, value in metrics(record).items()},
        machine=_machine(one.lineage, now.get("lineage", {})),
        test_rows=len(test),
        largest_difference=difference,
        other_labels=other,
        tolerance=terms.tolerance,
        at=datetime.now(UTC).isoformat(timespec="seconds"),
        seconds=now.get("seconds"),
    )


def _machine(then: dict[str, Any], now: dict[str, Any]) -> dict[str, Pair]:
    """Packages, processor and threads, then and in the training, which had this process's packages."""
    here = lineage.packages() | {"processor": lineage.processor(), "threads": now.get("threads")}
    before = then["packages"] | {"processor": then["processor"], "threads": then["threads"]}
    return {name: Pair(value, here.get(name)) for name, value in before.items()}


def metrics(record: dict[str, Any]) -> dict[str, float | None]:
    """Every metric of a candidate's record, under one name each; None where it is no number."""
    found: dict[str, float] = {f"test {name}": one["value"] for name, one in record["test"].items()}
    found |= {
        f"validation {name}": one["value"] if isinstance(one, dict) else one
        for name, one in record["validation"].items()
    }
    found |= {
        f"test {part} of {name}": value["value"]
        for name, one in record["per_class"].items()
        for part, value in one.items()
        if isinstance(value, dict)
    }
    found |= {f"folds {name}": one["mean"] for name, one in record["folds"].items()}
    return {name: value if np.isfinite(value) else None for name, value in found.items()}


def _starts_of_members(client: MlflowClient, one: Made) -> dict[str, str | None]:
    """The members of an ensemble, and the version that each was started from, where it is registered."""
    members = one.lineage["members"]
    known = {v.tags.get(versions.DIGEST): v for v in versions.of_task(client, one.version.name)} if members else {}
    return {
        name: known[digest].tags.get("warm_start.version") if digest in known else None
        for name, digest in members.items()
    }


def _refusal(version: ModelVersion, error: InputError) -> Refusal:
    return Refusal(version.name, str(version.version), str(error))
