"""The example that a version was registered with, as a request of each protocol."""

import csv
import io
from typing import Any

import numpy as np

from serving.contract import Contract
from serving.describe import inference, schema
from serving.served import Served

ROWS = 2  # of a table

Rows = list[list[Any]]


def rows(example: dict[str, Any], contract: Contract) -> Rows:
    """The first rows of an example as lists in the contract's order; none if it has another layout."""
    kinds = [column.kind for column in contract.columns]
    return [[_shortest(cell, kind) for cell, kind in zip(row, kinds, strict=True)] for row in _rows(example, contract)]


def _shortest(cell: Any, kind: str) -> Any:
    """The same value as a person would write it."""
    if cell is None or isinstance(cell, str | list):
        return cell
    if kind == "boolean":
        return bool(cell)
    return float(str(np.float32(cell))) if kind == "number" else cell


def _rows(example: dict[str, Any], contract: Contract) -> Rows:
    if table := example.get("dataframe_split"):
        places = [table["columns"].index(name) for name in contract.names]
        return [[row[place] for place in places] for row in table["data"][:ROWS]]
    inputs = example.get("inputs")
    if isinstance(inputs, dict) and set(contract.names) <= inputs.keys():
        return [list(row) for row in zip(*(inputs[name] for name in contract.names), strict=True)][:ROWS]
    if isinstance(inputs, list):
        return [[cell] for cell in inputs[:1]]
    return []


def invocations(served: Served) -> dict[str, Any]:
    """MLflow's layouts, by name."""
    found = rows(served.example, served.contract)
    names = served.contract.names
    if not found:
        return {"registered": served.example}
    records = [dict(zip(names, row, strict=True)) for row in found]
    inputs = {name: list(cells) for name, cells in zip(names, zip(*found, strict=True), strict=True)}
    layouts = {"instances": records, "inputs": inputs}
    if served.contract.tensor is None:
        layouts |= {"dataframe_records": records}
        layouts |= {"dataframe_split": {"columns": list(names), "data": found}}
    return {name: {name: content} for name, content in layouts.items()}


def comma_separated(served: Served) -> str:
    """The same rows as CSV; empty for an image or a sequence."""
    found = rows(served.example, served.contract)
    if served.contract.tensor is not None or not found:
        return ""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(served.contract.names)
    writer.writerows(found)
    return text.getvalue()


def plain(served: Served) -> dict[str, Any]:
    """Requests of the plain API, by what they show."""
    found = rows(served.example, served.contract)
    if not found:
        return {}
    if schema.alone(served.contract):
        found = [row[0] for row in found]
    return {
        "rows": {"features": found, "probabilities": True},
        "one row": {"input_data": found[0]},
    }


def infer(served: Served) -> dict[str, Any]:
    """A request of the Open Inference Protocol; empty if there is none."""
    found = rows(served.example, served.contract)
    if not found:
        return {}
    tensors = []
    for place, column in enumerate(served.contract.columns):
        datatype = inference.datatype(column)
        cells = [row[place] for row in found]
        if datatype == "BYTES":
            cells = ["" if value is None else str(value) for value in cells]
        elif column.shape:
            cells = _flat(cells)
        elif column.kind == "boolean":
            cells = [value if value is None else float(value) for value in cells]
        shape = [len(found), *inference.shape(column)[1:]]
        tensors.append({"name": column.name, "datatype": datatype, "shape": shape, "data": cells})
    return {"inputs": tensors}


def _flat(cells: Any) -> list[Any]:
    return [number for cell in cells for number in _flat(cell)] if isinstance(cells, list) else [cells]
