"""Assembling one scoring graph: joining parts, adding the label, carrying the contract."""

from typing import Any

import numpy as np
import onnx
from onnx import compose, helper, numpy_helper

from data.contract import Contract
from training.decision import HIGHEST, Decision
from training.folding import fold
from training.graph import CONTRACT_KEY, DECISION_KEY, LABEL, PROBABILITIES

OPSET = {"": 18, "ai.onnx.ml": 3, "com.microsoft": 1}
IR_VERSION = 10
CHOSEN = "answer/code"
CLASSES = "answer/classes"


def join(before: onnx.ModelProto, after: onnx.ModelProto) -> onnx.ModelProto:
    """`after`, each input fed with the output of `before` that stands at its place."""
    first, second = _plain(before), compose.add_prefix(_plain(after), "next/")
    first = compose.add_prefix(first, "first/", rename_inputs=False)
    pairs = zip(first.graph.output, second.graph.input, strict=True)
    return compose.merge_models(first, second, io_map=[(given.name, taken.name) for given, taken in pairs])


def finish(model: onnx.ModelProto, contract: Contract, decision: Decision = HIGHEST) -> onnx.ModelProto:
    """The scoring graph: raw columns in, `label` (string) and `probabilities` (float32) out.

    Args:
        model: a graph whose last output has the class probabilities.
        contract: goes into the graph's metadata.
        decision: how the label follows from the probabilities; goes there too.
    """
    model = compose.add_prefix(_plain(model), "model/")
    fold(model)
    graph = model.graph
    _rename(graph, graph.output[-1].name, PROBABILITIES)
    classes = np.array(contract.classes, dtype=object)
    graph.initializer.append(numpy_helper.from_array(classes, CLASSES))
    graph.node.extend(
        [
            *_choice(graph, PROBABILITIES, decision),
            helper.make_node("Gather", [CLASSES, CHOSEN], [LABEL], name="name_label"),
        ]
    )
    del graph.output[:]
    graph.output.extend(
        [
            helper.make_tensor_value_info(LABEL, onnx.TensorProto.STRING, [None]),
            helper.make_tensor_value_info(PROBABILITIES, onnx.TensorProto.FLOAT, [None, len(contract.classes)]),
        ]
    )
    graph.name = contract.task
    prune(graph)
    model = _with_raw_names(model, contract)
    del model.metadata_props[:]
    helper.set_model_props(model, {CONTRACT_KEY: contract.to_json(), DECISION_KEY: decision.to_json()})
    onnx.checker.check_model(model)
    return model


def _rename(graph: Any, name: str, new: str) -> None:
    """Call `name`, which a node gives, `new`."""
    for node in graph.node:
        node.input[:] = [new if one == name else one for one in node.input]
        node.output[:] = [new if one == name else one for one in node.output]


def _with_raw_names(model: onnx.ModelProto, contract: Contract) -> onnx.ModelProto:
    """The model with its inputs called as the columns are, and nothing else inside called so."""
    mark = "_" * (1 + max(len(name) - len(name.lstrip("_")) for name in contract.names))
    model = compose.add_prefix(model, mark, rename_outputs=False)
    named = {given.name: name for given, name in zip(model.graph.input, contract.names, strict=True)}
    for given in model.graph.input:
        given.name = named[given.name]
    for node in model.graph.node:
        node.input[:] = [named.get(name, name) for name in node.input]
    return model


def _choice(graph: Any, given: str, decision: Decision) -> list[Any]:
    """The nodes from probabilities to the code of the label: `Decision.codes` in ONNX."""
    if decision.rule == "highest":
        return [helper.make_node("ArgMax", [given], [CHOSEN], axis=1, keepdims=0, name="choose")]
    if decision.rule == "threshold":
        constants = {"answer/positive": np.array(1), "answer/threshold": np.array(decision.threshold, np.float32)}
        nodes = [
            helper.make_node("Gather", [given, "answer/positive"], ["answer/score"], axis=1, name="score"),
            helper.make_node("GreaterOrEqual", ["answer/score", "answer/threshold"], ["answer/above"], name="compare"),
            helper.make_node("Cast", ["answer/above"], [CHOSEN], to=onnx.TensorProto.INT64, name="choose"),
        ]
    else:
        constants = {"answer/costs": decision.scaled_costs()}
        nodes = [
            helper.make_node("Cast", [given], ["answer/double"], to=onnx.TensorProto.DOUBLE, name="widen"),
            helper.make_node("MatMul", ["answer/double", "answer/costs"], ["answer/expected"], name="expect"),
            helper.make_node("Round", ["answer/expected"], ["answer/rounded"], name="round"),
            helper.make_node("ArgMin", ["answer/rounded"], [CHOSEN], axis=1, keepdims=0, name="choose"),
        ]
    graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in constants.items())
    return nodes


def _plain(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy with this project's versions and without the converter's own marks."""
    plain = onnx.ModelProto()
    plain.CopyFrom(model)
    plain.ir_version = IR_VERSION
    plain.producer_name, plain.producer_version, plain.doc_string, plain.graph.doc_string = "", "", "", ""
    del plain.opset_import[:]
    used = _domains(plain.graph) | {""}
    plain.opset_import.extend(
        helper.make_opsetid(domain, version) for domain, version in OPSET.items() if domain in used
    )
    return plain


def _domains(graph: Any) -> set[str]:
    """The operator sets of a graph's nodes, those inside of nodes included."""
    inside = [attribute.g for node in graph.node for attribute in node.attribute if attribute.HasField("g")]
    return {node.domain for node in graph.node}.union(*map(_domains, inside))


def prune(graph: Any) -> None:
    """Drop nodes whose outputs nothing reads, such as the label that a converter made."""
    while True:
        used = {name for node in graph.node for name in node.input} | {output.name for output in graph.output}
        idle = [node for node in graph.node if not used.intersection(node.output)]
        if not idle:
            break
        for node in idle:
            graph.node.remove(node)
    kept = [tensor for tensor in graph.initializer if tensor.name in used]
    del graph.initializer[:]
    graph.initializer.extend(kept)
