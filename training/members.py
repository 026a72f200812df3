"""The members of an ensemble: their graphs, as `train@…` stages leave them, scored or merged into one."""

from pathlib import Path

import numpy as np
import onnx
import pandas as pd
from onnx import compose

from data.contract import Contract
from data.errors import InputError
from training.candidate import MEMBERS
from training.graph import PROBABILITIES, Graph


def path(task: str, model: str) -> Path:
    """Where the graph of a model lies for ensembles."""
    return MEMBERS / task / f"{model}.onnx"


def found(names: list[str], contract: Contract) -> list[Graph]:
    """The members' graphs, opened.

    Raises:
        InputError: a member is not trained, or was trained on other columns or classes.
    """
    graphs = []
    for name in names:
        file = path(contract.task, name)
        if not file.is_file():
            raise InputError(f"the member {name} is not trained ({file} is not there); run `dvc repro train@{name}`")
        graph = Graph(file)
        if graph.classes != list(contract.classes) or graph.kinds != {one.name: one.kind for one in contract.columns}:
            raise InputError(
                f"the member {name} was trained on other columns or classes than {contract.task} has now; "
                f"run `dvc repro train@{name}`"
            )
        graphs.append(graph)
    return graphs


def probabilities(graphs: list[Graph], rows: pd.DataFrame) -> np.ndarray:
    """What each member says, float64, shape (members, rows, classes)."""
    return np.stack([graph.score(rows)[1] for graph in graphs]).astype(np.float64)


def merged(names: list[str], task: str) -> tuple[onnx.ModelProto, list[str]]:
    """One model that holds every member, fed by the same raw columns, and the names of their probabilities.

    The members' own labels are no output of it.
    """
    prefixes = [f"member_{place}/" for place in range(len(names))]
    whole, *others = (
        compose.add_prefix(onnx.load(path(task, name)), prefix, rename_inputs=False)
        for name, prefix in zip(names, prefixes, strict=True)
    )
    for model in others:
        whole.graph.node.extend(model.graph.node)
        whole.graph.initializer.extend(model.graph.initializer)
        whole.graph.value_info.extend(model.graph.value_info)
        whole.graph.output.extend(model.graph.output)
        known = {opset.domain for opset in whole.opset_import}
        whole.opset_import.extend(opset for opset in model.opset_import if opset.domain not in known)
    del whole.metadata_props[:]
    return whole, [prefix + PROBABILITIES for prefix in prefixes]
