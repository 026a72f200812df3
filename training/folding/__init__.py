"""Scoring graphs made cheaper: what stands before a linear layer or a tree goes into it."""

from typing import Any

import onnx

from training.folding import layers, products, thresholds
from training.folding.reading import Change, Reading


def fold(model: onnx.ModelProto) -> None:
    """Make the graph cheaper; it gives what it gave, but for the rounding of float32.

    Bins compare raw numbers instead of filled and scaled ones, which changes nothing. Linear layers are folded with
    the one-hot categories and bins that they take, products being computed in float64 and rounded once. What nothing
    reads any more is left to `onnx_graph.prune`.

    Args:
        model: changed in place.
    """
    for change in (thresholds.of_raw_numbers, _folded, products.picked_number):
        graph = Reading(model)
        _apply(model, graph, [made for node in graph.nodes if (made := change(graph, node))])


def _folded(graph: Reading, node: Any) -> Change | None:
    layer = layers.foldable(graph, node)
    return products.folded(layer) if layer else None


def _apply(model: onnx.ModelProto, graph: Reading, changes: list[Change]) -> None:
    instead = {change.replaced[-1]: change for change in changes}
    gone = {name for change in changes for name in change.replaced[:-1]}
    nodes = []
    for node in graph.nodes:
        if change := instead.get(node.output[0]):
            nodes += change.nodes
            model.graph.initializer.extend(change.constants)
        elif node.output[0] not in gone:
            nodes.append(node)
    del model.graph.node[:]
    model.graph.node.extend(nodes)
