"""The nodes that stand for a folded layer."""

import math
from typing import Any

import numpy as np
from onnx import helper

from training.features.inputs_graph import Builder
from training.folding.layers import Layer, Part, Table, Trees, constant_table
from training.folding.reading import CODES, LINEAR, ML, TREES, Change, Reading, attributes, said

MOST_JOINED = 2**18
"""Numbers in a layer's tables up to which tables are joined, 1 MB: what a core's cache holds beside the rest."""


def folded(layer: Layer) -> Change:
    """What gives the same as the layer."""
    add = Builder(layer.output)
    if layer.bias is None:
        _classifier(add, layer)
    else:
        _sum(add, layer, layer.bias)
        add.nodes[-1].output[0] = layer.output
    return Change(layer.replaced, add.nodes, add.constants)


def _classifier(add: Builder, layer: Layer) -> None:
    """The classifier takes each folded part's share of the outputs, and sums them up."""
    kept, given, columns = attributes(layer.node), list[str](), list[np.ndarray]()
    for part in layer.parts:
        weights = np.eye(part.weights.shape[1])
        if isinstance(part, Trees):
            given.append(_trees(add, part))
        elif isinstance(part, Table):
            given.append(_share(add, part))
        else:
            given, weights = given + part.names, part.weights.T
        columns.append(np.vstack([-weights, weights]) if len(weights) < len(kept["intercepts"]) else weights)
    kept["coefficients"] = np.hstack(columns).astype(np.float32).ravel().tolist()
    features = add("Concat", *given, axis=1) if len(given) > 1 else given[0]
    add.nodes.append(helper.make_node(LINEAR, [features], layer.node.output, layer.node.name, domain=ML, **kept))


def _sum(add: Builder, layer: Layer, bias: np.ndarray) -> None:
    """The folded parts and the bias summed up, and added to the product of the other parts."""
    tables = [part for part in layer.parts if isinstance(part, Table)]
    if tables:  # each row has one code of the first table
        tables[0].rows = tables[0].rows + bias
    summed = [
        _trees(add, part, None if tables or place else bias)
        for place, part in enumerate(part for part in layer.parts if isinstance(part, Trees))
    ]
    if len(bias) == 1:
        summed += [_share(add, part) for part in tables]
    elif tables:
        rows = [_rows(add, group) for group in _groups(tables)]
        summed.append(add("Flatten", add("Sum", *rows) if len(rows) > 1 else rows[0]))
    total = add("Sum", *summed) if len(summed) > 1 else summed[0]
    others = [part for part in layer.parts if type(part) is Part]
    if others:
        names = [name for part in others for name in part.names]
        features = add("Concat", *names, axis=1) if len(names) > 1 else names[0]
        add("Gemm", features, np.vstack([part.weights for part in others]).astype(np.float32), total)


def _groups(tables: list[Table]) -> list[list[Table]]:
    """Tables that become one, of all their combinations of codes, the smallest first."""
    groups: list[list[Table]] = []
    total, most = sum(len(table.rows) for table in tables), MOST_JOINED // tables[0].rows.shape[1]
    for table in sorted(tables, key=lambda table: len(table.rows)):
        for group in groups:
            size, own = math.prod(len(one.rows) for one in group), len(table.rows)
            more = size * own - size - own
            if _knows_codes(table.encoder) and _knows_codes(group[0].encoder) and total + more <= most:
                group.append(table)
                total += more
                break
        else:
            groups.append([table])
    return groups


def _knows_codes(encoder: Any) -> bool:
    return encoder is not None and bool(said(encoder, "keys_strings")) and bool(said(encoder, "values_int64s"))


def _rows(add: Builder, group: list[Table]) -> str:
    """What the codes of the group's columns pick, summed, shape (rows, 1, outputs)."""
    if len(group) == 1:
        return add("Gather", group[0].rows.astype(np.float32), group[0].code)
    rows, code = np.zeros((1, group[0].rows.shape[1])), ""
    for table in reversed(group):
        step, size = len(rows), len(table.rows)
        rows = (table.rows[:, None] + rows).reshape(size * step, -1)
        kept = attributes(table.encoder)
        kept["values_int64s"] = [value % size * step for value in kept["values_int64s"]]
        kept["default_int64"] = kept["default_int64"] % size * step
        own = add(CODES, table.encoder.input[0], domain=ML, **kept)
        code = add("Add", code, own) if code else own
    return add("Gather", rows.astype(np.float32), code)


def _share(add: Builder, table: Table) -> str:
    """The table's share of each output, shape (rows, outputs)."""
    rows = table.rows.astype(np.float32)
    if rows.shape[1] > 1 or not _knows_codes(table.encoder):
        return add("GatherND", rows, table.code)
    return _number(add, table.encoder, rows)


def picked_number(graph: Reading, node: Any) -> Change | None:
    """One LabelEncoder for a GatherND of a table of one column by another's codes; None of another node."""
    if node.op_type != "GatherND" or (found := constant_table(graph, node.output[0])) is None:
        return None
    encoder = graph.made_by(node.input[1], CODES)
    if found[0].shape[1] > 1 or not _knows_codes(encoder):
        return None
    add = Builder(node.output[0])
    _number(add, encoder, found[0])
    add.nodes[-1].output[0] = node.output[0]
    return Change([node.output[0]], add.nodes)


def _number(add: Builder, encoder: Any, rows: np.ndarray) -> str:
    """For each category, the number that stands for it, shape (rows, 1)."""
    return add(
        CODES,
        encoder.input[0],
        domain=ML,
        keys_strings=said(encoder, "keys_strings"),
        values_floats=rows[said(encoder, "values_int64s"), 0].tolist(),
        default_float=float(rows[said(encoder, "default_int64"), 0]),
    )


def _trees(add: Builder, trees: Trees, bias: np.ndarray | None = None) -> str:
    """Trees whose leaves have a number for each output, shape (rows, outputs)."""
    kept, outputs = attributes(trees.node), trees.weights.shape[1]
    leaves: dict[tuple[int, int], np.ndarray] = {}
    targets = zip(*(kept[f"target_{name}"] for name in ("treeids", "nodeids", "ids", "weights")), strict=True)
    for tree, leaf, target, weight in targets:
        leaves[tree, leaf] = leaves.get((tree, leaf), 0.0) + weight * trees.weights[target]
    places = np.repeat(np.array(list(leaves)), outputs, axis=0)
    kept |= {
        "n_targets": outputs,
        "target_treeids": places[:, 0].tolist(),
        "target_nodeids": places[:, 1].tolist(),
        "target_ids": list(range(outputs)) * len(leaves),
        "target_weights": np.concatenate(list(leaves.values())).astype(np.float32).tolist(),
    }
    if bias is not None:
        kept["base_values"] = bias.astype(np.float32).tolist()
    return add(TREES, trees.node.input[0], domain=ML, **kept)
