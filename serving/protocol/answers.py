"""Scores as the body of an answer."""

from collections.abc import Callable
from typing import Any

import msgspec

from serving.contract import Contract

encode = msgspec.json.Encoder().encode


def records_of(contract: Contract) -> Callable[[list[str], list[list[float]]], bytes]:
    """MLflow's form: `{"predictions": [{"label": …, "probability_<class>": …}, …]}`."""
    fields: list[Any] = [("label", str)] + [(f"p{place}", float) for place in range(len(contract.classes))]
    names = {f"p{place}": f"probability_{name}" for place, name in enumerate(contract.classes)}
    record = msgspec.defstruct("Record", fields, rename=names, gc=False)

    def body(labels: list[str], probabilities: list[list[float]]) -> bytes:
        return encode({"predictions": [record(label, *row) for label, row in zip(labels, probabilities, strict=True)]})

    return body
