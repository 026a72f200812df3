"""How a version was made, as its run keeps it."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException

from data.errors import InputError
from registry import versions
from training import tracking
from training.candidate import DIFFERENCE, RECORD
from training.worktree import TITLE


@dataclass(frozen=True)
class Made:
    """A version, its graph, and what it was made from."""

    version: ModelVersion
    graph: Path
    record: dict[str, Any]
    """`candidate.json`, in whatever form its commit wrote it."""
    difference: bytes
    """By what the files differed from the commit."""

    @property
    def lineage(self) -> dict[str, Any]:
        """Commit, hashes and packages."""
        return self.record["lineage"]

    @property
    def place(self) -> tuple[str, ...]:
        """The same for versions that were made of the same files and rows, in as many threads."""
        files = (self.lineage["git_commit"], self.record["difference"], self.record["data"]["digest"])
        return self.version.name, *files, str(self.lineage["threads"])

    @property
    def start(self) -> str | None:
        """The version that its training was started from."""
        return (self.lineage["warm_start"] or {}).get("version")


def read(client: MlflowClient, version: ModelVersion, folder: Path) -> Made:
    """What a version's run keeps, fetched into an empty folder.

    Raises:
        InputError: the version cannot be trained again, or its run keeps not what it was registered with.
    """
    name, run_id = f"version {version.version} of {version.name}", str(version.run_id)
    try:
        text = Path(client.download_artifacts(run_id, RECORD, str(folder))).read_bytes()
        record, patch = json.loads(text), b""
        kept = record.get("difference")
        if kept is not None:
            patch = Path(client.download_artifacts(run_id, DIFFERENCE, str(folder))).read_bytes()
        candidate = client.get_run(run_id).data.tags.get(tracking.CANDIDATE_TAG)
        graph = versions.graph(version, folder)
    except (MlflowException, OSError, ValueError) as error:
        raise InputError(f"{name}: its run does not give what it keeps: {tracking.reason(error)}") from None
    if kept is None:
        raise InputError(f"{name} was made before differences to the commit were kept; train it anew to have a proof")
    if why := record["lineage"]["unreproducible"]:
        raise InputError(f"{name} is not reproducible: {why}")
    for file, content, digest in ((RECORD, text, candidate), (DIFFERENCE, patch, kept)):
        if hashlib.sha256(content).hexdigest() != digest:
            raise InputError(f"{name}: the file {file} of its run was changed after registration, so it proves nothing")
    return Made(version, graph, record, patch.removeprefix(TITLE))
