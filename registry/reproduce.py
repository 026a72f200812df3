"""Proof of a version: trained again from its commit, its difference and its rows, and compared."""

import hashlib
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from pydantic import Field

from data import params
from data.errors import InputError
from data.params import Strict
from data.prepare import PREPARED
from registry import restored, versions
from registry.certificate import Certificate, Pair, Refusal
from training import lineage, tracking
from training.candidate import CANDIDATES, DIFFERENCE, GRAPH, RECORD
from training.graph import Graph
from training.search import declaration

EVIDENCE, TAG = "certificate.json", "reproduced"
NOTHING = hashlib.sha256(b"").hexdigest()


class Terms(Strict):
    """What stands under `reproduce:` in `params.yaml`."""

    tolerance: float = Field(1e-6, ge=0, lt=1)
    """By how much a probability may differ."""


@dataclass(frozen=True)
class Made:
    """A version, and what its run keeps of how it was made."""

    version: ModelVersion
    record: dict[str, Any]
    """`candidate.json`, in whatever form its commit wrote it."""
    difference: bytes

    @property
    def lineage(self) -> dict[str, Any]:
        """What it was made from."""
        return self.record["lineage"]

    @property
    def place(self) -> tuple[str, ...]:
        """The same for versions that can be trained again in one place."""
        of = self.lineage
        return of["git_commit"], of["git_folder"], self.record["difference"], self.record["data"]["digest"]


@dataclass
class Place:
    """The files and rows of some versions, restored, and what was trained there."""

    root: Path
    task: str
    rows: str
    digest: str
    started: dict[str, str | None] = field(default_factory=dict)
    """The version that each model was started from."""

    def trained(self, model: str, start: str | None) -> dict[str, Any]:
        """The record of the model's candidate, trained here unless it was already."""
        folder = self.root / CANDIDATES / self.task / model
        if self.started.get(model, "") != start:
            if start is not None:
                declaration.write(model, {"warm_start": start}, self.root / params.PARAMS)
            restored.run(self.root, sys.executable, "-m", "training", "train", model, "--no-record")
            self.started[model] = start
        return json.loads((folder / RECORD).read_text(encoding="utf-8"))

    def graph(self, model: str) -> Path:
        """The graph of a model that was trained here."""
        return self.root / CANDIDATES / self.task / model / GRAPH


def declared(content: dict[str, Any]) -> Terms:
    """The declared terms, or the defaults.

    Raises:
        InputError: a key is unknown or has a wrong value.
    """
    return params.parse(Terms, content.get("reproduce") or {}, "reproduce")


def reproduce(client: MlflowClient, asked: list[ModelVersion], terms: Terms) -> Iterator[Certificate | Refusal]:
    """Train each version again, and give its certificate, or why there can be none.

    Versions of one commit, difference and rows share one place, where ensembles come after their members.
    MLflow gets the certificate, as an artifact beside the version's other evidence, and where it agrees a tag.
    """
    ready: list[Made] = []
    for version in asked:
        try:
            ready.append(made(client, version))
        except InputError as error:
            yield _refusal(version, error)
    for place, sharing in groupby(sorted(ready, key=lambda one: one.place), key=lambda one: one.place):
        group = sorted(sharing, key=lambda one: (bool(one.lineage["members"]), int(one.version.version)))
        commit, folder, *_ = place
        of, task = group[0].lineage, group[0].version.name
        try:
            print(f"{task}: restoring commit {commit[:12]} and its rows", file=sys.stderr, flush=True)
            with restored.files(commit, folder, group[0].difference) as root:
                rows = restored.rows(root, task, of["dvc_raw"], of["dvc_data"])
                here = Place(root, task, rows, lineage.folder_digest(root / PREPARED / task))
                for one in group:
                    yield _attempt(client, one, here, terms)
        except InputError as error:
            for one in group:
                yield _refusal(one.version, error)


def made(client: MlflowClient, version: ModelVersion) -> Made:
    """What a version's run keeps of how it was made.

    Raises:
        InputError: it keeps too little, or not what it was registered with.
    """
    name, run_id = f"version {version.version} of {version.name}", str(version.run_id)
    try:
        with tempfile.TemporaryDirectory() as folder:
            text = Path(client.download_artifacts(run_id, RECORD, folder)).read_bytes()
            record = json.loads(text)
            kept = record.get("difference")
            difference = b""
            if kept not in (None, NOTHING):
                difference = Path(client.download_artifacts(run_id, DIFFERENCE, folder)).read_bytes()
        candidate = client.get_run(run_id).data.tags.get(tracking.CANDIDATE_TAG)
    except (MlflowException, OSError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{name}: its run does not keep how it was made ({reason[:200]})") from None
    if kept is None:
        raise InputError(f"{name} was made before differences to the commit were kept; train it anew to have a proof")
    if why := record["lineage"]["unreproducible"]:
        raise InputError(f"{name} is not reproducible: {why}")
    for file, content, digest in ((RECORD, text, candidate), (DIFFERENCE, difference, kept)):
        if hashlib.sha256(content).hexdigest() != digest:
            raise InputError(f"{name}: the file {file} of its run was changed after registration, so it proves nothing")
    return Made(version, record, difference)


def _keep(client: MlflowClient, version: ModelVersion, certificate: Certificate) -> None:
    client.log_text(str(version.run_id), certificate.to_json(), f"versions/{version.version}/{EVIDENCE}")
    if certificate.agrees:
        said = f"{certificate.at[:10]} {certificate.words}"
        client.set_model_version_tag(version.name, version.version, TAG, said)


def _attempt(client: MlflowClient, one: Made, here: Place, terms: Terms) -> Certificate | Refusal:
    try:
        with tempfile.TemporaryDirectory() as folder:
            certificate = _certificate(client, one, versions.graph(one.version, Path(folder)), here, terms)
    except InputError as error:
        return _refusal(one.version, error)
    _keep(client, one.version, certificate)
    return certificate


def _refusal(version: ModelVersion, error: InputError) -> Refusal:
    return Refusal(version.name, str(version.version), str(error))


def _certificate(client: MlflowClient, one: Made, graph: Path, here: Place, terms: Terms) -> Certificate:
    clock, record = time.perf_counter(), one.record
    test = pd.read_parquet(here.root / PREPARED / here.task / "test.parquet")
    members, now, difference, other = {}, {}, None, None
    if here.digest == record["data"]["digest"]:
        members = {
            name: Pair(digest, here.trained(name, _start_of_member(client, here.task, digest))["digest"])
            for name, digest in one.lineage["members"].items()
        }
        now = here.trained(record["model"], _start(record))
        labels, probabilities = zip(
            *(Graph(path).score(test) for path in (graph, here.graph(record["model"]))), strict=True
        )
        difference = float(np.abs(probabilities[0] - probabilities[1]).max())
        other = int((labels[0] != labels[1]).sum())
    packages, measured = lineage.packages(), metrics(now) if now else {}
    return Certificate(
        task=here.task,
        version=str(one.version.version),
        model=record["model"],
        commit=one.lineage["git_commit"],
        differed=bool(one.difference),
        rows=here.rows,
        data=Pair(record["data"]["digest"], here.digest),
        graph=Pair(record["digest"], now.get("digest")),
        members=members,
        metrics={name: Pair(value, measured.get(name)) for name, value in metrics(record).items()},
        packages={name: Pair(value, packages.get(name)) for name, value in one.lineage["packages"].items()},
        test_rows=len(test),
        largest_difference=difference,
        other_labels=other,
        tolerance=terms.tolerance,
        at=datetime.now(UTC).isoformat(timespec="seconds"),
        seconds=time.perf_counter() - clock,
    )


def metrics(record: dict[str, Any]) -> dict[str, float | None]:
    """Every metric of a candidate's record, under one name each; None where it is no number."""
    found: dict[str, float] = {f"test {name}": one["value"] for name, one in record["test"].items()}
    found |= {f"validation {name}": value for name, value in record["validation"].items()}
    found |= {
        f"test {part} of {name}": value["value"]
        for name, one in record["per_class"].items()
        for part, value in one.items()
        if isinstance(value, dict)
    }
    found |= {f"folds {name}": one["mean"] for name, one in record["folds"].items()}
    return {name: value if np.isfinite(value) else None for name, value in found.items()}


def _start(record: dict[str, Any]) -> str | None:
    return (record["lineage"]["warm_start"] or {}).get("version")


def _start_of_member(client: MlflowClient, task: str, digest: str) -> str | None:
    """The version that a member of an ensemble was started from, if it is registered."""
    found = [one for one in versions.of_task(client, task) if one.tags.get(versions.DIGEST) == digest]
    return found[0].tags.get("warm_start.version") if found else None
