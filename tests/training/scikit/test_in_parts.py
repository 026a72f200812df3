"""Graphs that compare each row with many others take the rows some at a time."""

from typing import Any

import numpy as np
import onnxruntime
import pandas as pd
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper

from training import members, onnx_graph, parity
from training.families import ensemble, knn, svm
from training.scikit.in_parts import in_parts


def largest_at_once() -> ModelProto:
    """Gives each row the largest value among the rows that it came with."""
    features, probabilities = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, 1]) for name in ("features", "probabilities")
    )
    nodes = [
        helper.make_node("ReduceMax", ["features", "rows"], ["largest"], keepdims=1),
        helper.make_node("Shape", ["features"], ["shape"]),
        helper.make_node("Expand", ["largest", "shape"], ["probabilities"]),
    ]
    rows = numpy_helper.from_array(np.array([0]), "rows")
    return helper.make_model(helper.make_graph(nodes, "largest", [features], [probabilities], [rows]))


@pytest.mark.parametrize("rows", [0, 1, 6, 7, 8, 14, 20])
def test_each_row_is_answered_once_and_with_no_more_others_than_allowed(rows: int) -> None:
    opset = helper.make_opsetid("", onnx_graph.OPSET[""])
    graph = in_parts(largest_at_once(), 7).graph
    model = helper.make_model(graph, opset_imports=[opset], ir_version=onnx_graph.IR_VERSION)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (answers,) = session.run(None, {"features": np.arange(1, rows + 1, dtype=np.float32)[:, None]})
    assert answers.shape == (rows, 1)
    assert answers[:, 0].tolist() == [min(7 * (row // 7) + 7, rows) for row in range(rows)]


def test_neighbours_and_machines_answer_the_same_in_parts_also_within_an_ensemble(
    make_rows: Any, compile_graph: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    rows, odd = make_rows()
    many = pd.concat([odd] * 3, ignore_index=True)
    for name, family, limit, given in (
        ("one", knn, "DISTANCES", {}),
        ("two", svm, "KERNELS", {"kernel": "rbf", "folds": 2}),
    ):
        fitted = family.fit(family.Params(**given), rows, 0)
        whole = compile_graph(fitted, rows.contract).score(many)[1]
        monkeypatch.setattr(family, limit, 7 * 120)
        model = onnx_graph.finish(fitted.to_onnx(), rows.contract)
        file = members.path(rows.contract.task, name)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(model.SerializeToString(deterministic=True))
        (graph,) = members.found([name], rows.contract)
        np.testing.assert_allclose(graph.score(many)[1], whole, atol=1e-6)
    fitted = ensemble.fit(ensemble.Params(members=["one", "two"]), rows, 0)
    labels, probabilities = compile_graph(fitted, rows.contract).score(many)
    parity.check(many, fitted.probabilities(many), probabilities, labels, rows.contract.classes, fitted.tolerance)
