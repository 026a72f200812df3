"""A linear layer behind one-hot features, folded into them: a category or a bin picks its row of the weights."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from training.features.inputs_graph import Builder

MOST_NUMBERS = 1_000_000
"""In one folded table or tree, 4 MB; a layer so wide is multiplied instead."""
ML = "ai.onnx.ml"
TREES, CODES, LINEAR = "TreeEnsembleRegressor", "LabelEncoder", "LinearClassifier"


def fold(model: onnx.ModelProto) -> None:
    """Fold each linear node (MatMul, Gemm, LinearClassifier) of a graph with what one-hot features it takes.

    Features are recognised where a linear node takes, alone, a Concat along axis 1 of: `GatherND` of a constant table
    (categories) and a `TreeEnsembleRegressor` (bins, all columns in one node). The products are computed in float64
    and rounded once. Other features keep their rows of the weights. The graph gives what it gave, but for float32
    rounding; nodes that nothing reads any more are left to `onnx_graph.prune`.

    Args:
        model: changed in place.
    """
    graph = _Reading(model)
    layers = {layer.output: layer for node in graph.nodes if (layer := _layer(graph, node))}
    gone = {name for layer in layers.values() for name in layer.replaced}
    nodes = []
    for node in graph.nodes:
        if layer := layers.get(node.output[0]):
            add = _folded(layer)
            nodes += add.nodes
            model.graph.initializer.extend(add.constants)
        elif node.output[0] not in gone:
            nodes.append(node)
    del model.graph.node[:]
    model.graph.node.extend(nodes)


class _Reading:
    """Look-ups in a graph."""

    def __init__(self, model: onnx.ModelProto) -> None:
        self.nodes = [onnx.NodeProto.FromString(node.SerializeToString()) for node in model.graph.node]
        self.maker = {name: node for node in self.nodes for name in node.output}
        self.constants = {tensor.name: tensor for tensor in model.graph.initializer}
        self.readers: dict[str, list[Any]] = {output.name: [None] for output in model.graph.output}
        for node in self.nodes:
            for name in node.input:
                self.readers.setdefault(name, []).append(node)
        shown = onnx.shape_inference.infer_shapes(model).graph
        shapes = {one.name: one.type.tensor_type.shape.dim for one in [*shown.value_info, *shown.input]}
        self.widths = {name: dims[1].dim_value for name, dims in shapes.items() if len(dims) == 2 and dims[1].dim_value}

    def made_by(self, name: str, operator: str) -> Any:
        """The node of that operator which gives `name`, looking through Identity; None where another one does."""
        node = self.maker.get(name)
        while node is not None and node.op_type == "Identity":
            node = self.maker.get(node.input[0])
        return node if node is not None and node.op_type == operator else None

    def constant(self, name: str) -> np.ndarray | None:
        """A constant's value."""
        return numpy_helper.to_array(self.constants[name]) if name in self.constants else None

    def reader(self, name: str) -> Any:
        """The only node that reads `name`, or None."""
        readers = self.readers[name]
        return readers[0] if len(readers) == 1 else None

    def parts(self, name: str) -> list[str]:
        """What a Concat along axis 1 puts together, Concats inside of it taken apart."""
        node = self.made_by(name, "Concat")
        if node is None or said(node, "axis") != 1 or len(self.readers.get(name, [])) > 1:
            return [name]
        return [part for given in node.input for part in self.parts(given)]

    def width(self, name: str) -> int | None:
        """How many features `name`, of shape (rows, features), has; None where it cannot be told."""
        node = self.maker.get(name)
        if name in self.widths or node is None:
            return self.widths.get(name)
        if node.op_type == TREES:
            return said(node, "n_targets")
        if node.op_type == "Imputer" and len(said(node, "imputed_value_floats")) > 1:
            return len(said(node, "imputed_value_floats"))
        if node.op_type == "Concat":
            each = [self.width(part) for part in node.input]
            return None if None in each else sum(one for one in each if one)
        if node.op_type in ("Sub", "Div") and (by := self.constant(node.input[1])) is not None and by.ndim == 1:
            return len(by) if len(by) > 1 else self.width(node.input[0])
        return self.width(node.input[0]) if node.op_type in ("Identity", "Imputer", "Cast") else None


def said(node: Any, attribute: str) -> Any:
    """An attribute's value, or None."""
    return next((helper.get_attribute_value(one) for one in node.attribute if one.name == attribute), None)


@dataclass
class _Part:
    """Features next to each other, and their rows of the weights, float64, shape (features, outputs)."""

    names: list[str]
    weights: np.ndarray
    node: Any = None
    """The GatherND or the trees that the weights are folded into; None of features that stay."""
    table: np.ndarray | None = None
    """Of a GatherND: the rows that it gathers, folded."""
    codes: Any = None
    """Of a GatherND: the LabelEncoder that gives its codes and may give numbers of a table of one column instead."""


@dataclass
class _Layer:
    """A linear node, what it gives, and the parts of what it takes."""

    node: Any
    output: str
    parts: list[_Part]
    bias: np.ndarray | None
    replaced: list[str]
    """First outputs of the nodes that the folded ones stand for."""


def _layer(graph: _Reading, node: Any) -> _Layer | None:
    """What to fold of a linear node; None of another one, and where nothing folds."""
    found = _linear(graph, node)
    if found is None:
        return None
    weights, bias, after = found
    names = graph.parts(node.input[0])
    blocks = [(name, _block(graph, name)) for name in names]
    sizes = [graph.width(name) if one is None else one for name, one in blocks]
    lacking = [place for place, size in enumerate(sizes) if size is None]
    if len(lacking) == 1:
        sizes[lacking[0]] = len(weights) - sum(size for size in sizes if size)
    if len(lacking) > 1 or sum(size or 0 for size in sizes) != len(weights):
        return None
    ends = np.cumsum([size or 0 for size in sizes])
    parts: list[_Part] = []
    for name, end, size in zip(names, ends, sizes, strict=True):
        part = _part(graph, name, weights[end - (size or 0) : end], node.op_type == LINEAR)
        if part.node is None and parts and parts[-1].node is None:
            parts[-1].names.append(name)
            parts[-1].weights = np.vstack([parts[-1].weights, part.weights])
        else:
            parts.append(part)
    if all(part.node is None for part in parts):
        return None
    replaced = [one.output[0] for one in (node, after) if one is not None]
    return _Layer(node, replaced[-1], parts, bias, replaced)


def _linear(graph: _Reading, node: Any) -> tuple[np.ndarray, np.ndarray | None, Any] | None:
    """Weights, shape (features, outputs), bias, shape (outputs,), and the node behind that adds it, if one does.

    Of a LinearClassifier of two opposite classes, the weights are the second's alone, and its bias stays its own.
    """
    if node.op_type == LINEAR:
        classes = len(said(node, "intercepts"))
        rows = np.array(said(node, "coefficients"), np.float64).reshape(classes, -1)
        return (rows[1:] if _opposite(rows) else rows).T, None, None
    if node.op_type not in ("MatMul", "Gemm"):
        return None
    weights = graph.constant(node.input[1])
    if weights is None or weights.ndim != 2 or weights.dtype != np.float32:
        return None
    if node.op_type == "Gemm":
        plain = said(node, "alpha") in (None, 1.0) and said(node, "beta") in (None, 1.0) and not said(node, "transA")
        weights = weights.T if said(node, "transB") else weights
        bias = graph.constant(node.input[2]) if len(node.input) > 2 else np.zeros(weights.shape[1])
        fits = plain and bias is not None and bias.size == weights.shape[1]
        return (
            (weights.astype(np.float64), bias.astype(np.float64).ravel(), None) if fits and bias is not None else None
        )
    after = graph.reader(node.output[0])
    if after is not None and after.op_type == "Add":
        other = next((name for name in after.input if name != node.output[0]), "")
        bias = graph.constant(other)
        if bias is not None and bias.shape in ((weights.shape[1],), (1, weights.shape[1])):
            return weights.astype(np.float64), bias.astype(np.float64).ravel(), after
    return weights.astype(np.float64), np.zeros(weights.shape[1]), None


def _opposite(rows: np.ndarray) -> bool:
    return len(rows) == 2 and bool((rows[0] == -rows[1]).all())


def _block(graph: _Reading, name: str) -> int | None:
    """Width of one-hot categories or of trees; None of other features."""
    if (gather := graph.made_by(name, "GatherND")) is not None:
        table = graph.constant(gather.input[0])
        return table.shape[1] if table is not None and table.ndim == 2 else None
    trees = graph.made_by(name, TREES)
    return None if trees is None else said(trees, "n_targets")


def _part(graph: _Reading, name: str, weights: np.ndarray, classifier: bool) -> _Part:
    features, outputs = weights.shape
    if (gather := graph.made_by(name, "GatherND")) is not None:
        table = graph.constant(gather.input[0])
        narrower = outputs <= features or not classifier
        if table is not None and narrower and len(table) * outputs <= MOST_NUMBERS:
            codes = graph.made_by(gather.input[1], CODES)
            return _Part([name], weights, gather, table.astype(np.float64) @ weights, codes)
    trees = graph.made_by(name, TREES)
    if trees is not None and _folds(trees):
        count = len(set(said(trees, "nodes_treeids")))
        # a leaf adds its numbers one by one: as many as a row of one-hot bins has are no gain any more
        if count * outputs <= features and len(said(trees, "target_weights")) * outputs <= MOST_NUMBERS:
            return _Part([name], weights, trees)
    return _Part([name], weights)


def _folds(trees: Any) -> bool:
    return (
        said(trees, "aggregate_function") in (None, b"SUM")
        and said(trees, "post_transform") in (None, b"NONE")
        and not said(trees, "base_values")
    )


def _folded(layer: _Layer) -> Builder:
    """The nodes that stand for the layer, the last of them with its output."""
    add = Builder(layer.output)
    if layer.node.op_type == LINEAR:
        _classifier(add, layer)
    else:
        _sum(add, layer)
        add.nodes[-1].output[0] = layer.output
    return add


def _classifier(add: Builder, layer: _Layer) -> None:
    """The classifier takes of each folded part its share of the outputs, and sums them up."""
    classes = len(said(layer.node, "intercepts"))
    given, columns = [], []
    for part in layer.parts:
        given += part.names if part.node is None else [_picked(add, part)]
        weights = part.weights.T if part.node is None else np.eye(part.weights.shape[1])
        columns.append(np.vstack([-weights, weights]) if len(weights) < classes else weights)
    kept = {one.name: helper.get_attribute_value(one) for one in layer.node.attribute}
    kept["coefficients"] = np.hstack(columns).astype(np.float32).ravel().tolist()
    features = add("Concat", *given, axis=1) if len(given) > 1 else given[0]
    node = helper.make_node(LINEAR, [features], layer.node.output, name=layer.node.name, domain=ML, **kept)
    add.nodes.append(node)


def _sum(add: Builder, layer: _Layer) -> None:
    """The folded parts summed up, and added to the product of the other ones."""
    bias = layer.bias
    looked_up, summed, others = [], [], [part for part in layer.parts if part.node is None]
    for part in layer.parts:
        if part.table is not None:
            if bias is not None:  # once: in all rows of the first table
                part.table, bias = part.table + bias, None
            looked_up.append(part)
    for part in layer.parts:
        if part.node is not None and part.table is None:
            summed.append(_trees(add, part, bias))
            bias = None
    outputs = layer.parts[0].weights.shape[1]
    if outputs == 1:
        summed += [_picked(add, part) for part in looked_up]
    elif looked_up:
        rows = [
            add("Gather", part.table.astype(np.float32), part.node.input[1])
            for part in looked_up
            if part.table is not None
        ]
        summed.append(add("Flatten", rows[0] if len(rows) == 1 else add("Sum", *rows)))
    total = summed[0] if len(summed) == 1 else add("Sum", *summed)
    if others:
        names = [name for part in others for name in part.names]
        features = names[0] if len(names) == 1 else add("Concat", *names, axis=1)
        add("Gemm", features, np.vstack([part.weights for part in others]).astype(np.float32), total)


def _picked(add: Builder, part: _Part) -> str:
    """The part's share of each output, shape (rows, outputs)."""
    if part.table is None:
        return _trees(add, part, None)
    table = part.table.astype(np.float32)
    keys, values = said(part.codes, "keys_strings"), said(part.codes, "values_int64s")
    if table.shape[1] > 1 or keys is None or values is None:
        return add("GatherND", table, part.node.input[1])
    numbers, default = table[values, 0].tolist(), float(table[said(part.codes, "default_int64"), 0])
    return add(CODES, part.codes.input[0], domain=ML, keys_strings=keys, values_floats=numbers, default_float=default)


def _trees(add: Builder, part: _Part, bias: np.ndarray | None) -> str:
    """The part's trees, whose leaves have a number for each output."""
    kept = {one.name: helper.get_attribute_value(one) for one in part.node.attribute}
    leaves: dict[tuple[int, int], np.ndarray] = {}
    places = zip(*(kept[f"target_{name}"] for name in ("treeids", "nodeids", "ids", "weights")), strict=True)
    for tree, leaf, target, weight in places:
        leaves[tree, leaf] = leaves.get((tree, leaf), 0.0) + weight * part.weights[target]
    outputs = part.weights.shape[1]
    kept["n_targets"] = outputs
    kept["target_treeids"], kept["target_nodeids"] = (
        np.repeat(ids, outputs).tolist() for ids in zip(*leaves, strict=True)
    )
    kept["target_ids"] = list(range(outputs)) * len(leaves)
    kept["target_weights"] = np.concatenate(list(leaves.values())).astype(np.float32).tolist()
    if bias is not None:
        kept["base_values"] = bias.astype(np.float32).tolist()
    return add(TREES, part.node.input[0], domain=ML, **kept)
