"""A contract as JSON Schemas: what its requests may have, and what its answers do have."""

import math
from functools import reduce
from typing import Any

from serving.contract import Column, Contract
from serving.describe import inference
from serving.protocol.fast import LARGEST

Schema = dict[str, Any]

SCALARS: dict[str, Schema] = {
    "number": {"type": ["number", "null"], "format": "float", "minimum": -LARGEST, "maximum": LARGEST},
    "boolean": {"type": ["boolean", "null"]},
    "category": {"type": ["string", "null"]},
    "text": {"type": ["string", "null"]},
    "time": {
        "type": ["string", "null"],
        "format": "date-time",
        "description": "ISO 8601, such as 2013-10-01T12:00:00+02:00; UTC without a zone",
    },
}
PROBABILITY: Schema = {"type": "number", "minimum": 0, "maximum": 1}
REST: Schema = {"type": "object", "description": "MLflow's parameters; these models have none", "maxProperties": 0}


def cell(column: Column) -> Schema:
    """One value of a column; null is a missing one."""
    if not column.shape:
        return {"title": column.name, **SCALARS[column.kind]}
    number = {"type": "number", "minimum": max(column.low, -LARGEST), "maximum": min(column.high, LARGEST)}
    nested = reduce(lambda inner, size: listed(inner, size), reversed(column.shape), number)
    return {"title": column.name, "description": f"{column.kind} of shape {list(column.shape)}", **nested}


def listed(item: Schema, size: int = 0) -> Schema:
    """A list of `size`, or of at least one."""
    return {"type": "array", "items": item, "minItems": size or 1} | ({"maxItems": size} if size else {})


def row(contract: Contract) -> Schema:
    """A row as a list in the contract's order; a text, an image or a sequence by itself."""
    columns = contract.columns
    if alone(contract):
        return cell(columns[0])
    return {
        "type": "array",
        "prefixItems": [cell(column) for column in columns],
        "items": False,
        "minItems": len(columns),
        "maxItems": len(columns),
    }


def alone(contract: Contract) -> bool:
    """Whether a row of the plain API is no list of columns."""
    return len(contract.columns) == 1 and contract.columns[0].kind in ("text", "image", "sequence")


def record(contract: Contract) -> Schema:
    """A row as an object."""
    return {
        "type": "object",
        "properties": {column.name: cell(column) for column in contract.columns},
        "required": list(contract.names),
    }


def split(contract: Contract) -> Schema:
    """Rows as lists, in the order of `columns`, which may be any."""
    size = len(contract.columns)
    types = sorted({name for column in contract.columns for name in SCALARS[column.kind]["type"]})
    return {
        "type": "object",
        "properties": {
            "columns": listed({"type": "string", "enum": list(contract.names)}, size) | {"uniqueItems": True},
            "data": listed(listed({"type": types}, size)),
            "index": {"type": "array", "items": {"type": "integer"}},
        },
        "required": ["columns", "data"],
        "additionalProperties": False,
    }


def columns(contract: Contract) -> Schema:
    """Columns as lists of one length."""
    return {
        "type": "object",
        "properties": {column.name: listed(cell(column)) for column in contract.columns},
        "required": list(contract.names),
    }


def one_of(forms: dict[str, Schema], others: dict[str, Schema]) -> Schema:
    """An object with exactly one of `forms`, and any of `others`."""
    return {
        "oneOf": [
            {
                "type": "object",
                "properties": {name: form, **others},
                "required": [name],
                "additionalProperties": False,
                "title": name,
            }
            for name, form in forms.items()
        ]
    }


def invocations(contract: Contract, of: str) -> Schema:
    """MLflow's layouts; `of` is the reference to the contract's other schemas, less their last word."""
    rows = listed({"$ref": f"{of}Record"})
    table = {"instances": rows, "inputs": {"$ref": f"{of}Columns"}}
    if contract.tensor is None:
        table |= {"dataframe_split": {"$ref": f"{of}Split"}, "dataframe_records": rows}
    else:
        bare = listed(cell(contract.tensor))
        table = {"instances": {"anyOf": [rows, bare]}, "inputs": {"anyOf": [table["inputs"], bare]}}
    return one_of(table, {"params": REST})


def predictions(contract: Contract) -> Schema:
    """MLflow's answer."""
    names = [f"probability_{name}" for name in contract.classes]
    one = {
        "type": "object",
        "properties": {"label": label(contract), **dict.fromkeys(names, PROBABILITY)},
        "required": ["label", *names],
        "additionalProperties": False,
    }
    return {"type": "object", "properties": {"predictions": listed(one)}, "required": ["predictions"]}


def label(contract: Contract) -> Schema:
    """A class."""
    return {"type": "string", "enum": list(contract.classes)}


def plain(contract: Contract, of: str) -> Schema:
    """Requests of the plain API: rows, or one row."""
    one = {"$ref": f"{of}Row"} if contract.tensor or not alone(contract) else {"type": "string"}
    rows = {"anyOf": [listed({"$ref": f"{of}Row"}), one]}
    return one_of({"features": rows, "input_data": rows}, {"probabilities": {"type": "boolean", "default": False}})


def plain_answer(contract: Contract) -> Schema:
    """The plain API's answer."""
    chances = {
        "type": "object",
        "properties": dict.fromkeys(contract.classes, PROBABILITY),
        "required": list(contract.classes),
        "additionalProperties": False,
    }
    return {
        "type": "object",
        "properties": {"prediction": listed(label(contract)), "probabilities": listed(chances)},
        "required": ["prediction"],
    }


def infer(contract: Contract) -> Schema:
    """Requests of the Open Inference Protocol: one tensor for each column."""
    tensors = [_tensor(column) for column in contract.columns]
    every = [{"contains": {"properties": {"name": {"const": name}}}} for name in contract.names]
    return {
        "type": "object",
        "properties": {
            "id": {"type": "string"},
            "parameters": {"type": "object"},
            "inputs": listed({"oneOf": tensors} if len(tensors) > 1 else tensors[0], len(tensors)) | {"allOf": every},
            "outputs": listed(
                {
                    "type": "object",
                    "properties": {"name": {"enum": ["label", "probabilities"]}, "parameters": {"type": "object"}},
                    "required": ["name"],
                }
            ),
        },
        "required": ["inputs"],
    }


def _tensor(column: Column) -> Schema:
    value: Schema = {"type": "string"}
    if inference.datatype(column) == "FP32":
        value = {"type": ["number", "null"]} if not column.shape else {"type": "number"}
    sizes = [{"type": "integer", "minimum": 1}, *({"const": size} for size in column.shape or (1,))]
    return {
        "type": "object",
        "title": column.name,
        "properties": {
            "name": {"type": "string", "const": column.name},
            "datatype": {"type": "string", "const": inference.datatype(column)},
            "shape": {
                "type": "array",
                "prefixItems": sizes,
                "items": False,
                "minItems": 1 if not column.shape else len(sizes),
                "maxItems": len(sizes),
            },
            "data": {
                "type": "array",
                "items": value,
                "minItems": math.prod(column.shape),
                "description": "value after value, row after row",
            },
            "parameters": {"type": "object"},
        },
        "required": ["name", "datatype", "shape", "data"],
    }


def infer_answer(contract: Contract) -> Schema:
    """The Open Inference Protocol's answer."""
    outputs = [
        {
            "type": "object",
            "properties": {
                "name": {"type": "string", "const": one["name"]},
                "datatype": {"type": "string", "const": one["datatype"]},
                "shape": {"type": "array", "items": {"type": "integer"}},
                "data": listed(label(contract) if one["name"] == "label" else PROBABILITY),
            },
            "required": ["name", "datatype", "shape", "data"],
        }
        for one in inference.outputs(contract)
    ]
    return {
        "type": "object",
        "properties": {
            "model_name": {"type": "string"},
            "model_version": {"type": "string"},
            "id": {"type": "string"},
            "outputs": listed({"oneOf": outputs}),
        },
        "required": ["model_name", "outputs"],
    }


def schemas(contract: Contract, prefix: str) -> dict[str, Schema]:
    """All of a contract, by names that begin with `prefix`."""
    of = f"#/components/schemas/{prefix}."
    found = {
        "Record": record(contract),
        "Columns": columns(contract),
        "Row": row(contract),
        "Invocations": invocations(contract, of),
        "Predictions": predictions(contract),
        "Predict": plain(contract, of),
        "Prediction": plain_answer(contract),
        "Infer": infer(contract),
        "Inferred": infer_answer(contract),
    }
    if contract.tensor is None:
        found["Split"] = split(contract)
    return {f"{prefix}.{name}": schema for name, schema in found.items()}
