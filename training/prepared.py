"""The prepared rows of a task: one split at a time, held whole or read in batches."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from data.contract import Contract
from data.errors import InputError
from data.prepare import PREPARED

Part = Literal["train", "validation", "test"]

IN_MEMORY = 500_000  # rows up to which a split is held whole
SAMPLE = 200_000  # rows of a larger split that are held in its place
BATCH = 65_536
NESTED_BATCH = 2_048  # of images and sequences, whose cells are large


@dataclass(frozen=True)
class Split:
    """Inputs as a table and classes as codes, int64, shape (rows,)."""

    inputs: pd.DataFrame
    codes: np.ndarray

    def __len__(self) -> int:
        return len(self.codes)

    def where(self, chosen: np.ndarray) -> "Split":
        """The rows for which `chosen`, bool, shape (rows,), holds."""
        return Split(self.inputs[chosen].reset_index(drop=True), self.codes[chosen])


class Stored:
    """A split as it lies in the prepared folder, which may have more rows than memory holds."""

    def __init__(self, contract: Contract, part: Part) -> None:
        """The training, validation or test rows of the contract's task."""
        self.contract = contract
        self.path = PREPARED / contract.task / f"{part}.parquet"
        self.rows = int(pq.read_metadata(self.path).num_rows)

    @property
    def large(self) -> bool:
        """Whether there are too many rows to hold at once."""
        return self.rows > IN_MEMORY

    def batches(self) -> Iterator[Split]:
        """All rows in order, some at a time."""
        size = NESTED_BATCH if self.contract.tensor else BATCH
        columns = [*self.contract.names, self.contract.target]
        with pq.ParquetFile(self.path) as file:
            for batch in file.iter_batches(batch_size=size, columns=columns, use_threads=False):
                yield self._parted(batch.to_pandas())

    def held(self, seed: int) -> Split:
        """The rows to hold in memory: all, or a seeded sample of `SAMPLE` where there are too many."""
        if not self.large:
            return self._parted(pd.read_parquet(self.path))
        chosen = np.sort(np.random.default_rng(seed).choice(self.rows, SAMPLE, replace=False))
        tables, codes, start = [], [], 0
        for batch in self.batches():
            places = chosen[np.searchsorted(chosen, start) : np.searchsorted(chosen, start + len(batch))] - start
            tables.append(batch.inputs.iloc[places])
            codes.append(batch.codes[places])
            start += len(batch)
        return Split(pd.concat(tables, ignore_index=True), np.concatenate(codes))

    def _parted(self, table: pd.DataFrame) -> Split:
        return Split(table[self.contract.names], self.contract.codes(table[self.contract.target]))


def contract(task: str) -> Contract:
    """The contract of a task.

    Raises:
        InputError: the task's rows are not prepared.
    """
    if not (PREPARED / task / "contract.json").is_file():
        raise InputError(f"{PREPARED / task} is not there; run `dvc repro prepare@{task}` first")
    return Contract.load(PREPARED / task)
