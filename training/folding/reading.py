"""Look-ups in a graph that is to be changed."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

ML = "ai.onnx.ml"
TREES, CODES, LINEAR = "TreeEnsembleRegressor", "LabelEncoder", "LinearClassifier"


@dataclass(frozen=True)
class Change:
    """Nodes that stand for others, and what constants they need."""

    replaced: list[str]
    """First outputs of the others, in the order of the graph."""
    nodes: list[Any]
    constants: list[Any] = field(default_factory=list)


class Reading:
    """A graph's nodes as they were when it was opened, and who gives and reads what."""

    def __init__(self, model: onnx.ModelProto) -> None:
        """Read a graph."""
        self.nodes = [onnx.NodeProto.FromString(node.SerializeToString()) for node in model.graph.node]
        self.maker = {name: node for node in self.nodes for name in node.output}
        self.constants = {tensor.name: tensor for tensor in model.graph.initializer}
        self.readers: dict[str, list[Any]] = {output.name: [None] for output in model.graph.output}
        for node in self.nodes:
            for name in node.input:
                self.readers.setdefault(name, []).append(node)
        declared = [*model.graph.value_info, *model.graph.input]
        shapes = {one.name: one.type.tensor_type.shape.dim for one in declared}
        self.widths = {name: dims[1].dim_value for name, dims in shapes.items() if len(dims) == 2 and dims[1].dim_value}

    def made_by(self, name: str, *operators: str) -> Any:
        """The node of one of these operators which gives `name`, looking through Identity, or None."""
        node = self.maker.get(name)
        while node is not None and node.op_type == "Identity":
            node = self.maker.get(node.input[0])
        return node if node is not None and node.op_type in operators else None

    def constant(self, name: str) -> np.ndarray | None:
        """A constant's value."""
        return numpy_helper.to_array(self.constants[name]) if name in self.constants else None

    def reader(self, name: str) -> Any:
        """The only node that reads `name`, or None."""
        readers = self.readers[name]
        return readers[0] if len(readers) == 1 else None

    def parts(self, name: str) -> list[str]:
        """What a Concat along axis 1 puts together for one reader, Concats inside of it taken apart."""
        node = self.made_by(name, "Concat")
        if node is None or said(node, "axis") != 1 or self.reader(name) is None:
            return [name]
        return [part for given in node.input for part in self.parts(given)]

    def width(self, name: str) -> int | None:
        """How many features `name`, of shape (rows, features), has; None where it cannot be told.

        By the nodes that features are made of here: ONNX's own inference breaks off at some of them, and crashes on
        some recurrent networks.
        """
        node = self.maker.get(name)
        if name in self.widths or node is None:
            return self.widths.get(name)
        match node.op_type:
            case "TreeEnsembleRegressor":
                return int(said(node, "n_targets"))
            case "TfIdfVectorizer":
                return int(max(said(node, "ngram_indexes"))) + 1
            case "Concat":
                each = [self.width(part) for part in node.input]
                return None if None in each else sum(one for one in each if one)
            case "Imputer":
                each_filled = len(said(node, "imputed_value_floats"))
                return each_filled if each_filled > 1 else self.width(node.input[0])
            case "Sub" | "Div" | "Mul":
                by = self.constant(node.input[1])
                return by.size if by is not None and by.size > 1 else self.width(node.input[0])
            case "Identity" | "Normalizer":
                return self.width(node.input[0])
        return None


def said(node: Any, attribute: str) -> Any:
    """An attribute's value, or None."""
    return next((helper.get_attribute_value(one) for one in node.attribute if one.name == attribute), None)


def attributes(node: Any) -> dict[str, Any]:
    """All attributes and their values."""
    return {one.name: helper.get_attribute_value(one) for one in node.attribute}
