"""A graph that takes many rows some at a time, so that what it holds for them stays bounded."""

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, compose, helper, numpy_helper

from training.onnx_graph import prune


def in_parts(model: onnx.ModelProto, most: int) -> onnx.ModelProto:
    """The same model, which takes at most `most` rows at a time.

    Args:
        model: with one input, float32 of shape (rows, features), and as its last output the `probabilities`, of shape
            (rows, classes), which for each row follow from that row alone.
        most: how many rows to take at a time.
    """
    body = compose.add_prefix_graph(model.graph, "part/")
    del body.output[:-1]
    prune(body)
    features, classes = (given[-1].type.tensor_type.shape.dim[1].dim_value for given in (body.input, body.output))
    constants = {
        "most": np.array([most]),
        "one": np.array([1]),
        "zero": np.array([0]),
        "zeros": np.array([0, 0]),
        "rest": np.array([-1]),
        "table": np.array([-1, classes]),
    }
    nodes: list[tuple[str, list[str], str, dict[str, Any]]] = [
        ("Shape", ["features"], "rows", {"start": 0, "end": 1}),
        ("Min", ["rows", "most"], "few", {}),
        ("Max", ["few", "one"], "size", {}),
        ("Add", ["rows", "size"], "beyond", {}),
        ("Sub", ["beyond", "one"], "until", {}),
        ("Div", ["until", "size"], "full", {}),
        ("Max", ["full", "one"], "parts", {}),
        ("Mul", ["parts", "size"], "even", {}),
        ("Sub", ["even", "rows"], "lacking", {}),
        ("Concat", ["zeros", "lacking", "zero"], "margins", {"axis": 0}),
        ("Pad", ["features", "margins"], "padded", {}),
        ("Concat", ["parts", "size", "rest"], "cut", {"axis": 0}),
        ("Reshape", ["padded", "cut"], "each", {}),
        ("Scan", ["each"], "answers", {"body": body, "num_scan_inputs": 1}),
        ("Reshape", ["answers", "table"], "joined", {}),
        ("Slice", ["joined", "zero", "rows", "zero"], "probabilities", {}),
    ]
    graph = helper.make_graph(
        [helper.make_node(operator, given, [gives], **said) for operator, given, gives, said in nodes],
        model.graph.name,
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, [None, features])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [None, classes])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    return helper.make_model(graph)
