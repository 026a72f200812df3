"""Scoring graphs that answer with what they were given."""

import hashlib
import json
from functools import reduce

from onnx import NodeProto, TensorProto, helper

from serving.contract import Column, Contract
from serving.graph import Graph

WIDE = "w" * 20_000
"""A class so long that any label of these tests has room."""
ALL = Contract("echo", "y", (Column("number", "number"), Column("time", "time"), Column("text", "text")), ("no", WIDE))
TYPES = {"time": TensorProto.DOUBLE, "text": TensorProto.STRING, "category": TensorProto.STRING}


def content(contract: Contract = ALL, numbers: int = TensorProto.FLOAT) -> bytes:
    """The file: `label` are all texts in a row, `probabilities` all numbers and seconds."""
    kinds = {column.name: TYPES.get(column.kind, numbers) for column in contract.columns}
    values = [name for name in contract.names if name not in contract.texts]
    outputs = [  # a contract without texts or without numbers gets one of the other
        helper.make_tensor_value_info("label", TensorProto.STRING, [None]),
        helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [None, max(1, len(values))]),
    ]
    nodes: list[NodeProto] = []

    def joined(one: str, other: str) -> str:
        nodes.append(helper.make_node("StringConcat", [one, other], [f"{one}{other}"]))
        return f"{one}{other}"

    texts = list(contract.texts)
    if not texts:
        nodes.append(helper.make_node("Cast", [values[0]], ["text"], to=TensorProto.STRING))
        texts = ["text"]
    nodes.append(helper.make_node("Reshape", [reduce(joined, texts), "all"], ["label"]))
    if not values:
        nodes.append(helper.make_node("Equal", [texts[0], texts[0]], ["same"]))
        values = ["same"]
    nodes += [helper.make_node("Cast", [name], [f"{name} float"], to=TensorProto.FLOAT) for name in values]
    nodes.append(helper.make_node("Concat", [f"{name} float" for name in values], ["probabilities"], axis=1))
    inputs = [helper.make_tensor_value_info(name, kind, [None, 1]) for name, kind in kinds.items()]
    rows = helper.make_tensor("all", TensorProto.INT64, [1], [-1])
    model = helper.make_model(
        helper.make_graph(nodes, "echo", inputs, outputs, [rows]),
        opset_imports=[helper.make_opsetid("", 20)],
        ir_version=9,
    )
    told = {
        "task": contract.task,
        "target": contract.target,
        "columns": [{"name": column.name, "kind": column.kind} for column in contract.columns],
        "classes": [WIDE[place:] for place in range(max(1, len(values)))],
    }
    helper.set_model_props(model, {"contract": json.dumps(told)})
    found: bytes = model.SerializeToString()
    return found


def echo(contract: Contract = ALL, numbers: int = TensorProto.FLOAT) -> Graph:
    """The graph, open."""
    made = content(contract, numbers)
    return Graph(made, hashlib.sha256(made).hexdigest())
