"""The prepared rows of a task, one split at a time."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from data.contract import Contract
from data.errors import InputError
from data.prepare import PREPARED

Part = Literal["train", "validation", "test"]


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


def contract(task: str) -> Contract:
    """The contract of a task.

    Raises:
        InputError: the task's rows are not prepared.
    """
    if not (PREPARED / task / "contract.json").is_file():
        raise InputError(f"{PREPARED / task} is not there; run `dvc repro prepare@{task}` first")
    return Contract.load(PREPARED / task)


def split(contract: Contract, part: Part) -> Split:
    """The rows of one split."""
    rows = pd.read_parquet(PREPARED / contract.task / f"{part}.parquet")
    return Split(rows[contract.names], contract.codes(rows[contract.target]))
