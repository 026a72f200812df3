"""The rows of a prepared split, read in batches so that not all of them need be in memory."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from data.contract import Contract

IN_MEMORY = 500_000  # rows up to which a split is held whole
SAMPLE = 200_000  # rows of a larger split that are held in its place
BATCH = 65_536
NESTED_BATCH = 2_048  # of images and sequences, whose cells are large


class Split:
    """Training, validation or test rows in a prepared folder."""

    def __init__(self, folder: Path, name: str, contract: Contract) -> None:
        """The split `name` of a prepared folder."""
        self.path = folder / f"{name}.parquet"
        self.contract = contract
        self.rows = int(pq.ParquetFile(self.path).metadata.num_rows)

    @property
    def large(self) -> bool:
        """Whether there are too many rows to hold at once."""
        return self.rows > IN_MEMORY

    def batches(self) -> Iterator[tuple[pd.DataFrame, np.ndarray]]:
        """All rows in order, some at a time: inputs, and classes as codes of shape (rows,)."""
        size = NESTED_BATCH if self.contract.tensor else BATCH
        columns = [*self.contract.names, self.contract.target]
        with pq.ParquetFile(self.path) as file:
            for batch in file.iter_batches(batch_size=size, columns=columns, use_threads=False):
                yield self._parted(batch.to_pandas())

    def held(self, seed: int) -> tuple[pd.DataFrame, np.ndarray]:
        """The rows to hold in memory: all, or a seeded sample of `SAMPLE` where there are too many."""
        if not self.large:
            return self._parted(pd.read_parquet(self.path))
        chosen = np.sort(np.random.default_rng(seed).choice(self.rows, SAMPLE, replace=False))
        tables, codes, start = [], [], 0
        for inputs, labels in self.batches():
            places = chosen[np.searchsorted(chosen, start) : np.searchsorted(chosen, start + len(labels))] - start
            tables.append(inputs.iloc[places])
            codes.append(labels[places])
            start += len(labels)
        return pd.concat(tables, ignore_index=True), np.concatenate(codes)

    def _parted(self, table: pd.DataFrame) -> tuple[pd.DataFrame, np.ndarray]:
        return table[self.contract.names], self.contract.codes(table[self.contract.target])
