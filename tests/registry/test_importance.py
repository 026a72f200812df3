"""What a graph's answers rest on, measured on graphs of which it is known."""

from dataclasses import astuple
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pandas as pd
import pytest
from onnx import helper
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.inspection import permutation_importance

from data.contract import Column, Contract
from registry import importance
from registry.importance import Permuted
from training import onnx_graph
from training.graph import Graph

CHURN = Path("candidates/churn/churn-logistic/graph.onnx")


def churn(**given: Any) -> Permuted:
    prepared = Path("data/prepared/churn")
    rows, contract = pd.read_parquet(prepared / "test.parquet"), Contract.load(prepared)
    return importance.measure(Graph(CHURN), rows, contract, **{"metric": "auc", "seed": 1, "latency_ms": 0.1, **given})


@pytest.mark.usefixtures("content")
class TestColumns:
    def test_a_column_that_tells_nothing_matters_least_and_the_one_that_tells_most_comes_first(self) -> None:
        found = churn()
        assert next(one.part for one in found.parts) == "tenure"
        drops = {one.part: one.drop for one in found.parts}
        assert drops["tenure"] > 0.1
        assert drops["plan"] > 0.01
        assert abs(drops["visits"]) < 0.01

    def test_it_is_what_scikit_learn_measures(self) -> None:
        prepared = Path("data/prepared/churn")
        rows, contract = pd.read_parquet(prepared / "test.parquet"), Contract.load(prepared)

        class Asked(ClassifierMixin, BaseEstimator):
            classes_ = np.arange(2)

            def fit(self, _x: pd.DataFrame, _y: np.ndarray) -> "Asked":
                return self

            def predict_proba(self, x: pd.DataFrame) -> np.ndarray:
                return Graph(CHURN).score(x)[1]

        codes = contract.codes(rows["churned"])
        asked = Asked().fit(rows[contract.names], codes)
        theirs = permutation_importance(
            asked, rows[contract.names], codes, scoring="roc_auc", n_repeats=10, random_state=3
        )
        ours = {one.part: one.drop for one in churn().parts}
        assert len(rows) < importance.MOST_ROWS
        for name, mean, deviation in zip(contract.names, theirs.importances_mean, theirs.importances_std, strict=True):
            assert ours[name] == pytest.approx(mean, abs=4 * deviation)

    def test_permutations_that_go_through_the_graph_together_give_what_they_give_alone(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        together = churn()
        monkeypatch.setattr(importance, "BATCH", 1)
        for one, other in zip(together.parts, churn().parts, strict=True):
            assert astuple(one)[1:] == pytest.approx(astuple(other)[1:], abs=1e-6)

    def test_where_less_is_better_a_loss_is_positive_too(self) -> None:
        assert churn(metric="log_loss").parts[0].drop > 0.05

    def test_a_slow_graph_is_asked_about_fewer_rows(self) -> None:
        assert churn(latency_ms=50.0).rows == importance.LEAST_ROWS


def brightness(index: tuple[Any, ...], column: Column, folder: Path) -> Graph:
    """A graph whose probability is the sigmoid of the sum over a part of its only input."""
    starts, ends = ([getattr(one, end) for one in index] for end in ("start", "stop"))
    axes = list(range(1, len(column.shape) + 1))
    constants = {"starts": starts, "ends": ends, "axes": axes}
    nodes = [
        helper.make_node("Slice", ["x", "starts", "ends", "axes"], ["part"]),
        helper.make_node("ReduceSum", ["part", "axes"], ["sum"], keepdims=0),
        helper.make_node("Sigmoid", ["sum"], ["p"]),
        helper.make_node("Sub", ["one", "p"], ["q"]),
        helper.make_node("Unsqueeze", ["p", "last"], ["p2"]),
        helper.make_node("Unsqueeze", ["q", "last"], ["q2"]),
        helper.make_node("Concat", ["q2", "p2"], ["probabilities"], axis=1),
    ]
    given = helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [None, *column.shape])
    out = helper.make_tensor_value_info("probabilities", onnx.TensorProto.FLOAT, [None, 2])
    tensors = [onnx.numpy_helper.from_array(np.array(value, np.int64), name) for name, value in constants.items()]
    tensors.append(onnx.numpy_helper.from_array(np.array([1]), "last"))
    tensors.append(onnx.numpy_helper.from_array(np.array(1, np.float32), "one"))
    model = helper.make_model(
        helper.make_graph(nodes, "g", [given], [out], tensors), opset_imports=[helper.make_opsetid("", 18)]
    )
    path = folder / "graph.onnx"
    path.write_bytes(onnx_graph.finish(model, contract_of(column)).SerializeToString())
    return Graph(path)


def contract_of(column: Column) -> Contract:
    return Contract("t", "y", (column,), ("no", "yes"))


@pytest.mark.parametrize(
    ("column", "index", "part", "others"),
    [
        (Column("i", "image", (7, 9), -9, 9), (slice(0, 3), slice(6, 9)), "top right", 8),
        (Column("i", "image", (7, 9, 3), -9, 9), (slice(3, 5), slice(3, 6), slice(0, 3)), "middle", 8),
        (Column("i", "image", (1, 9), -9, 9), (slice(0, 1), slice(0, 3)), "top left", 2),
        (Column("s", "sequence", (12, 4), -9, 9), (slice(0, 12), slice(2, 3)), "channel 3", 3),
        (Column("s", "sequence", (12, 2, 3), -9, 9), (slice(0, 12), slice(1, 2), slice(0, 1)), "channel 4", 5),
    ],
    ids=["image", "image in colour", "image of one line", "sequence", "sequence of vectors"],
)
def test_only_the_region_or_channel_that_is_looked_at_matters(
    column: Column, index: tuple[Any, ...], part: str, others: int, tmp_path: Path
) -> None:
    random = np.random.default_rng(0)
    cells = random.normal(0, 0.5, (300, *column.shape)).astype(np.float32)
    truth = cells[:, *index].reshape(300, -1).sum(axis=1) > 0
    rows = pd.DataFrame({column.name: [one.ravel() for one in cells], "y": np.where(truth, "yes", "no")})
    graph = brightness(index, column, tmp_path)
    found = importance.measure(graph, rows, contract_of(column), "auc", 1, latency_ms=0.1)
    assert found.parts[0].part == part
    assert found.parts[0].drop == pytest.approx(0.5, abs=0.15)
    assert [one.drop for one in found.parts[1:]] == pytest.approx([0.0] * others, abs=1e-9)


def test_a_sample_keeps_the_shares_of_the_classes_and_a_row_of_the_rarest() -> None:
    codes = np.repeat([0, 1, 2], [7000, 2999, 1])
    chosen = importance.sample(codes, 1000, 1)
    assert np.bincount(codes[chosen]).tolist() == [700, 300, 1]
    assert len(importance.sample(codes, 20_000, 1)) == len(codes)
