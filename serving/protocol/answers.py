"""Scores as the body of an answer."""

from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import numpy as np

from serving.contract import Contract

encode = msgspec.json.Encoder().encode


class Probabilities:
    """Class probabilities of many rows, which are lists only once somebody goes through them."""

    def __init__(self, array: np.ndarray) -> None:
        """Take an array of the shape (rows, classes)."""
        self.array = array

    def __len__(self) -> int:
        return len(self.array)

    def __getitem__(self, rows: slice) -> "Probabilities":
        return Probabilities(self.array[rows])

    def __iter__(self) -> Iterator[list[float]]:
        return iter(self.array.tolist())

    def columns(self) -> list[list[float]]:
        """The probabilities of each class."""
        columns: list[list[float]] = self.array.T.tolist()
        return columns


def records_of(contract: Contract) -> Callable[[list[str], list[list[float]] | Probabilities], bytes]:
    """MLflow's form: `{"predictions": [{"label": …, "probability_<class>": …}, …]}`."""
    fields: list[Any] = [("label", str)] + [(f"p{place}", float) for place in range(len(contract.classes))]
    names = {f"p{place}": f"probability_{name}" for place, name in enumerate(contract.classes)}
    record = msgspec.defstruct("Record", fields, rename=names, gc=False)

    def body(labels: list[str], probabilities: list[list[float]] | Probabilities) -> bytes:
        if isinstance(probabilities, Probabilities):
            return encode({"predictions": list(map(record, labels, *probabilities.columns()))})
        return encode({"predictions": [record(label, *row) for label, row in zip(labels, probabilities, strict=True)]})

    return body
