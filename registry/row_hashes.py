"""The rows of a task as hashes, kept in MLflow for each state of the data that models were fitted on."""

import tempfile
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from mlflow import MlflowClient

from data.contract import Contract
from data.splits import SPLITS, TEST

FOLDER = "rows"
BATCH = 8_192  # rows hashed at once
PROBE = pd.DataFrame({"text": ["ä"], "number": [0.5], "time": [pd.Timestamp(0, tz="UTC")], "cells": [[1.0, 2.0]]})
"""A row that is hashed along, so that hashes are compared only with those that another version of pandas made alike."""


@dataclass(frozen=True)
class FitRows:
    """The rows that a state of the data has for fitting: its training and validation splits."""

    columns: tuple[str, ...]
    """The inputs that were hashed, along with the target."""
    hashes: np.ndarray
    """uint64, ascending, each once."""


class Rows:
    """The prepared rows of a task, each hash computed once."""

    def __init__(self, folder: Path, contract: Contract, digest: str) -> None:
        """The splits in a prepared folder, their contract, and the folder's digest."""
        self.folder, self.contract, self.digest = folder, contract, digest
        self._known: dict[tuple[str, ...], tuple[np.ndarray, np.ndarray]] = {}

    def hashes(self, columns: Iterable[str]) -> tuple[np.ndarray, np.ndarray]:
        """Of the rows to fit on, ascending and each once, and of each test row; by some inputs and the target."""
        names = tuple(columns)
        if names not in self._known:
            fit = np.unique(np.concatenate([self._hashed(part, names) for part in SPLITS[:TEST]]))
            self._known[names] = fit, self._hashed(SPLITS[TEST], names)
        return self._known[names]

    @property
    def fit(self) -> FitRows:
        """The rows to fit on, by every input."""
        names = tuple(sorted(self.contract.names))
        return FitRows(names, self.hashes(names)[0])

    @property
    def repeated(self) -> np.ndarray:
        """The test rows that equal a row to fit on, bool."""
        fit, test = self.hashes(self.fit.columns)
        return np.isin(test, fit)

    def seen_by(self, other: FitRows) -> np.ndarray | None:
        """The test rows, bool, that another state of the data had for fitting and this one has not.

        None where the other had columns that are gone, so that nothing can be said.
        """
        if not set(other.columns) <= set(self.contract.names):
            return None
        fit, test = self.hashes(other.columns)
        return np.isin(test, other.hashes) & ~np.isin(test, fit)

    def _hashed(self, part: str, names: tuple[str, ...]) -> np.ndarray:
        columns = [*names, self.contract.target]
        with pq.ParquetFile(self.folder / f"{part}.parquet") as file:
            batches = file.iter_batches(BATCH, columns=columns, use_threads=False)
            found = [_hashes(batch.to_pandas()[columns]) for batch in batches]
        return np.concatenate([np.empty(0, np.uint64), *found])


def keep(client: MlflowClient, run_id: str, rows: Rows) -> None:
    """Keep the hashes of the rows to fit on with a run, once for each digest of the data."""
    if kept(client, run_id, rows.digest) is None:
        with tempfile.TemporaryDirectory() as temporary:
            path = Path(temporary) / f"{rows.digest}.npz"
            np.savez(path, columns=np.array(rows.fit.columns), hashes=rows.fit.hashes, probe=_hashes(PROBE))
            client.log_artifact(run_id, str(path), FOLDER)


def kept(client: MlflowClient, run_id: str, digest: str) -> FitRows | None:
    """What `keep` kept with a run for a digest; None if that is nothing, half a file, or hashes of another kind."""
    path = f"{FOLDER}/{digest}.npz"
    if not any(file.path == path for file in client.list_artifacts(run_id, FOLDER)):
        return None
    with tempfile.TemporaryDirectory() as temporary:
        try:
            with np.load(client.download_artifacts(run_id, path, temporary), allow_pickle=False) as content:
                found = FitRows(tuple(content["columns"].tolist()), content["hashes"])
                return found if np.array_equal(content["probe"], _hashes(PROBE)) else None
        except (ValueError, EOFError, KeyError, zipfile.BadZipFile):
            return None


def _hashes(table: pd.DataFrame) -> np.ndarray:
    """One for each row, uint64, the same for the same values whatever type holds them."""
    plain = pd.DataFrame({place: _plain(table[name]) for place, name in enumerate(table)})
    return pd.util.hash_pandas_object(plain, index=False).to_numpy()


def _plain(values: pd.Series) -> pd.Series:
    """Numbers as float64 with one zero and one NaN, images and sequences as bytes, the rest as it is."""
    if pd.api.types.is_numeric_dtype(values):
        numbers = values.to_numpy(np.float64, na_value=np.nan) + 0.0
        return pd.Series(np.where(np.isnan(numbers), np.nan, numbers))
    if values.dtype == object:
        return pd.Series([(np.asarray(cells, np.float32) + 0).tobytes() for cells in values], dtype=object)
    return values
