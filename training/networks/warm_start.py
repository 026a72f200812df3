"""Where a network may start from: the native model of a registered version, taken from its MLflow run."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

from data.contract import Contract
from data.errors import InputError
from data.prepare import PREPARED

CONTRACT = "contract.json"


@dataclass(frozen=True)
class Start:
    """A registered version and the folder that its native model was fetched to."""

    version: str
    digest: str
    """SHA-256 of the version's graph."""
    data: str
    """Digests of the data it was fitted on, with spaces between: its own, then that of what it started from itself."""
    folder: Path

    @property
    def lineage(self) -> dict[str, str]:
        """What goes into the candidate's lineage."""
        return {"version": self.version, "digest": self.digest, "data": self.data}

    def fill(self, network: Any) -> None:
        """Give a built network the version's weights.

        Raises:
            InputError: the version's network has another architecture.
        """
        import keras

        theirs = keras.models.load_model(self.folder / "network.keras", compile=False)
        for here, there in zip_longest(network.weights, theirs.weights):
            shapes = ["nothing" if one is None else f"{one.path} of shape {tuple(one.shape)}" for one in (here, there)]
            if here is None or there is None or here.shape != there.shape:
                raise InputError(
                    f"warm_start: the network of version {self.version} has another architecture: {shapes[1]} there, "
                    f"{shapes[0]} here; declare the parameters that it was trained with"
                )
        network.set_weights(theirs.get_weights())


@contextmanager
def fetch(reference: str, family: str, contract: Contract) -> Iterator[Start]:
    """The native model of a version; the folder is removed afterwards.

    Args:
        reference: a stage, such as Production, or a version's number.
        family: what the version must be of.
        contract: the task whose version it is; columns and classes must be the same.

    Raises:
        InputError: there is no such version, or it does not fit.
    """
    from mlflow.exceptions import MlflowException

    from training.tracking import MlflowClient

    task, wanted = contract.task, f"warm_start: {reference}"
    client = MlflowClient()
    try:
        if reference.isdecimal():
            version = client.get_model_version(task, reference)
        else:
            version = client.get_model_version_by_alias(task, reference.lower())
    except MlflowException as error:
        reason = str(error).splitlines()[0]
        raise InputError(
            f"{wanted}: {task} has no such version in MLflow ({reason}); register one first or remove warm_start"
        ) from None
    number = f"version {version.version} of {task}"
    found = version.tags.get("family", "unknown")
    if found != family:
        raise InputError(f"{wanted}: {number} is of the family {found}, expected {family}; name another version")
    with tempfile.TemporaryDirectory() as temporary:
        try:
            folder = Path(client.download_artifacts(str(version.run_id), "native", temporary))
            theirs = Contract.from_json((folder / CONTRACT).read_text(encoding="utf-8"))
        except (MlflowException, OSError) as error:
            reason = str(error).splitlines()[0]
            raise InputError(
                f"{wanted}: {number} has no native model to start from ({reason}); name another version"
            ) from None
        if (theirs.columns, theirs.classes) != (contract.columns, contract.classes):
            raise InputError(
                f"{wanted}: {number} has other columns or classes than {PREPARED / task}; name another version"
            )
        data = dict.fromkeys([version.tags["data.digest"], *version.tags.get("warm_start.data", "").split()])
        start = Start(str(version.version), version.tags["graph.digest"], " ".join(data), folder)
        print(f"starting from {number} (graph {start.digest[:12]}, data {start.data[:12]})", flush=True)
        _warn_of_other_rows(start, task)
        yield start


def _warn_of_other_rows(start: Start, task: str) -> None:
    from training import lineage

    prepared = PREPARED / task
    if prepared.is_dir() and lineage.folder_digest(prepared) != start.data:
        print(
            f"warning: version {start.version} was fitted on other rows than those of {prepared}; "
            "where today's test rows were among them, test metrics flatter",
            flush=True,
        )
