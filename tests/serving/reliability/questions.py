"""Requests of every protocol, and what a version's own graph answers to them."""

import json
from functools import cache
from typing import Any

import httpx
import pandas as pd

from tests.conftest import churn_table
from tests.serving.reliability.made import TASK, Registry
from training.graph import Graph

COLUMNS = ["tenure", "plan", "visits"]
Row = dict[str, Any]


def rows(count: int, start: int = 0) -> list[Row]:
    """Rows of the table, missing values as None."""
    table = churn_table()[COLUMNS].astype(object)
    return table.where(table.notna(), None).iloc[start : start + count].to_dict("records")


def ask(protocol: str, some: list[Row], address: str = "") -> tuple[str, dict[str, Any]]:
    """A request in one of the protocols; `address` is that of a version, by default what the default leads to."""
    data = [[row[name] for name in COLUMNS] for row in some]
    prefix = f"/models/{address}" if address else ""
    bodies: dict[str, tuple[str, Any]] = {
        "split": (f"{prefix}/invocations", {"dataframe_split": {"columns": COLUMNS, "data": data}}),
        "records": (f"{prefix}/invocations", {"dataframe_records": some}),
        "plain": (f"{prefix}/predict", {"features": data, "probabilities": True}),
        "v2": (
            f"/v2/models/{TASK}/infer",
            {
                "inputs": [
                    {
                        "name": name,
                        "shape": [len(some)],
                        "datatype": "BYTES" if name == "plan" else "FP32",
                        "data": [row[name] for row in some],
                    }
                    for name in COLUMNS
                ]
            },
        ),
    }
    path, body = bodies[protocol]
    return path, {"json": body}


def chances(content: bytes) -> list[float]:
    """The probability of the last class in an answer of any protocol."""
    answer = json.loads(content)
    if "predictions" in answer:
        return [row["probability_yes"] for row in answer["predictions"]]
    if "outputs" in answer:
        found = next(one["data"] for one in answer["outputs"] if one["name"] == "probabilities")
        return found[1::2]
    return [row["yes"] for row in answer["probabilities"]]


class Own:
    """What each version's graph answers by itself."""

    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        self.graph = cache(lambda number: Graph(registry.graph(number)))
        self.known: dict[tuple[str, str], list[float]] = {}

    def chances(self, number: str, some: list[Row]) -> list[float]:
        """The probability of the last class of each row."""
        key = (number, json.dumps(some))
        if key not in self.known:
            table = pd.DataFrame(some, columns=COLUMNS).astype({"tenure": float, "visits": float})
            self.known[key] = self.graph(number).score(table)[1][:, 1].tolist()
        return self.known[key]


def good(response: httpx.Response) -> httpx.Response:
    """The response, if it is one of status 200."""
    assert response.status_code == 200, response.text
    return response
