"""What `onnx_graph.finish` folds, held against the same graphs before."""

from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pandas as pd
import pytest
from onnx import TensorProto, helper, numpy_helper

from data.contract import Column, Contract
from training.families import Rows, decision_tree, logistic, svm
from training.features import preprocessing as features
from training.features.preprocessing import plain, preprocessing
from training.folding import fold, layers, products
from training.onnx_graph import _plain, join, prune

COLUMNS = (
    Column("x", "number"),
    Column("few", "number"),
    Column("one", "category"),
    Column("c", "category"),
    Column("many", "category"),
    Column("b", "boolean"),
    Column("at", "time"),
    Column("said", "text"),
)
QUIET = pytest.mark.filterwarnings(
    "ignore:Feature . is constant", "ignore::sklearn.exceptions.ConvergenceWarning", "ignore:The least populated class"
)


@pytest.fixture(scope="module")
def mixed() -> tuple[Rows, pd.DataFrame]:
    """Rows of all kinds of table columns, one of them of one category and one of more than there are features for."""
    random, size = np.random.default_rng(4), 900
    codes = random.integers(0, 3, size)
    table = pd.DataFrame(
        {
            "x": np.where(random.random(size) < 0.1, np.nan, random.normal(1e4, 3, size) + codes).astype(np.float32),
            "few": random.integers(0, 3, size).astype(np.float32),
            "one": "same",
            "c": random.choice(["", "a", "é", "b c"], size),
            "many": random.integers(0, 400, size).astype(str),
            "b": random.choice([0.0, 1.0, np.nan], size).astype(np.float32),
            "at": pd.Series(pd.Timestamp("2020-02-28", tz="UTC") + pd.to_timedelta(random.integers(0, 9e6, size), "s")),
            "said": random.choice(["Good film", "bad film", "an old, OLD film", ""], size),
        }
    )
    contract = Contract("made", "y", COLUMNS, ("k0", "k1", "k2"))
    odd = table[600:].reset_index(drop=True)
    odd.loc[0, ["x", "few"]], odd.loc[1, ["one", "c", "many"]], odd.loc[2, "at"] = np.nan, "never seen", pd.NaT
    odd.loc[3, "x"], odd.loc[4, "x"] = -3e38, 3e38
    return Rows(contract, table[:400], codes[:400], table[400:600], codes[400:600]), odd


def of(rows: Rows, names: set[str], classes: int = 3) -> Rows:
    """The rows with some of the columns, and of two classes or three."""
    kept = tuple(column for column in COLUMNS if column.name in names)
    contract = Contract("made", "y", kept, rows.contract.classes[:classes])
    codes = (np.minimum(one, classes - 1) for one in (rows.train_codes, rows.validation_codes))
    return replace(rows, contract=contract, **dict(zip(("train_codes", "validation_codes"), codes, strict=True)))


def answer(model: onnx.ModelProto, contract: Contract, table: pd.DataFrame) -> np.ndarray:
    """What the last output of a graph says, whose inputs are the contract's columns in their order."""
    feeds = {}
    for given, column in zip(model.graph.input, contract.columns, strict=True):
        values = table[column.name]
        if column.kind == "time":
            seconds = (values - pd.Timestamp(0, tz="UTC")).dt.total_seconds()
            feeds[given.name] = seconds.to_numpy(np.float64)[:, None]
        else:
            text = column.kind in ("category", "text")
            feeds[given.name] = values.to_numpy(object if text else np.float32)[:, None]
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run([model.graph.output[-1].name], feeds)[0]


def folded(model: onnx.ModelProto) -> onnx.ModelProto:
    changed = _plain(model)
    fold(changed)
    prune(changed.graph)
    onnx.checker.check_model(changed)
    return changed


def operators(model: onnx.ModelProto) -> Counter[str]:
    return Counter(node.op_type for node in model.graph.node)


def behind(rows: Rows, bins: int | None, outputs: int, kind: str = "MatMul") -> onnx.ModelProto:
    """The preprocessing of rows and a layer with a bias behind it, of weights drawn at random."""
    fitted = preprocessing(rows.contract, bins, sparse=False).fit(plain(rows.train, rows.contract))
    width = fitted.transform(plain(rows.train.head(1), rows.contract)).shape[1]
    random = np.random.default_rng(0)
    weights, bias = (random.normal(size=size).astype(np.float32) for size in ((width, outputs), outputs))
    stored = np.ascontiguousarray(weights.T) if kind == "Gemm" else weights
    nodes = [helper.make_node("Gemm", ["f", "w", "b"], ["sum"], transB=1)]
    if kind == "MatMul":
        nodes = [
            helper.make_node("MatMul", ["f", "w"], ["product"]),
            helper.make_node("Add", ["product", "b"], ["sum"]),
        ]
    graph = helper.make_graph(
        [*nodes, helper.make_node("Relu", ["sum"], ["y"])],
        "layer",
        [helper.make_tensor_value_info("f", TensorProto.FLOAT, [None, width])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, outputs])],
        [numpy_helper.from_array(value, name) for name, value in (("w", stored), ("b", bias))],
    )
    return join(features.convert(fitted, rows.contract), helper.make_model(graph))


@QUIET
@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize(
    "names",
    [
        {"x", "few", "one", "c", "many"},
        {"c", "one"},
        {"x"},
        {"x", "c", "said", "b"},
        {column.name for column in COLUMNS},
    ],
    ids=lambda names: " ".join(sorted(names)),
)
@pytest.mark.parametrize("family", [logistic, svm])
@pytest.mark.parametrize("bins", [None, 5])
def test_a_folded_classifier_answers_as_it_did_and_as_the_native_model_does(
    mixed: tuple[Rows, pd.DataFrame], family: Any, bins: int | None, names: set[str], classes: int
) -> None:
    rows, odd = of(mixed[0], names, classes), mixed[1]
    fitted = family.fit(family.Params(bins=bins), rows, 0)
    before = fitted.to_onnx()
    after = folded(before)
    given = answer(after, rows.contract, odd)
    np.testing.assert_allclose(given, answer(before, rows.contract, odd), rtol=0, atol=2e-6)
    np.testing.assert_allclose(given, fitted.probabilities(odd), rtol=0, atol=1e-5)
    kinds = operators(after)
    if names & {"c", "many"} and classes == 2:
        assert kinds["LabelEncoder"] == len(names & {"one", "c", "many"})
        assert not kinds["GatherND"]
    if bins and "x" in names and "at" not in names:
        assert kinds["TreeEnsembleRegressor"] == 1
        targets = next(node for node in after.graph.node if node.op_type == "TreeEnsembleRegressor")
        assert {one.name: one.i for one in targets.attribute}["n_targets"] == (1 if classes == 2 else 3)


@QUIET
@pytest.mark.parametrize("kind", ["MatMul", "Gemm"])
@pytest.mark.parametrize("outputs", [1, 2, 24])
@pytest.mark.parametrize("bins", [None, 6])
@pytest.mark.parametrize(
    "names", [{"x", "few", "c", "many", "one"}, {"one"}, {"x", "few"}, {column.name for column in COLUMNS}], ids=len
)
def test_a_folded_layer_of_a_network_gives_what_it_gave(
    mixed: tuple[Rows, pd.DataFrame], names: set[str], bins: int | None, outputs: int, kind: str
) -> None:
    rows, odd = of(mixed[0], names), mixed[1].drop(index=[3, 4])  # whose scaled numbers are too large to compare
    before = behind(rows, bins, outputs, kind)
    after = folded(before)
    np.testing.assert_allclose(
        answer(after, rows.contract, odd), answer(before, rows.contract, odd), rtol=1e-5, atol=2e-5
    )
    if "one" in names or (bins and outputs <= 2):
        assert not operators(after)["MatMul"]
        scaled, words = not bins or outputs > 2, "said" in names
        assert operators(after)["Gemm"] == (names != {"one"} and (scaled or words))
    if "one" in names:
        assert not operators(after)["GatherND"]


def test_numbers_at_and_beside_a_raw_threshold_stay_in_their_bins(mixed: tuple[Rows, pd.DataFrame]) -> None:
    rows = of(mixed[0], {"x", "few"})
    fitted = preprocessing(rows.contract, 9, sparse=False).fit(plain(rows.train, rows.contract))
    before = features.convert(fitted, rows.contract)
    after = folded(before)
    assert {"Imputer", "Sub", "Div"} <= set(operators(before))
    assert not {"Imputer", "Sub", "Div"} & set(operators(after))
    trees = next(node for node in after.graph.node if node.op_type == "TreeEnsembleRegressor")
    values = np.array(next(one for one in trees.attribute if one.name == "nodes_values").floats, np.float32)
    around = [np.nextafter(values, np.float32(end)) for end in (-np.inf, np.inf)]
    table = pd.DataFrame({name: np.concatenate([values, *around, [np.nan, -1e38, 1e38]]) for name in ("x", "few")})
    table = table.astype(np.float32)
    np.testing.assert_array_equal(answer(after, rows.contract, table), answer(before, rows.contract, table))
    np.testing.assert_array_equal(
        answer(after, rows.contract, table), fitted.transform(plain(table, rows.contract)).astype(np.float32)
    )


def test_few_categories_of_several_columns_share_a_table(mixed: tuple[Rows, pd.DataFrame]) -> None:
    after = folded(behind(of(mixed[0], {"x", "one", "c", "many"}), None, 24))
    assert operators(after)["Gather"] < 3
    assert operators(after)["LabelEncoder"] == 3


def test_tables_are_not_joined_beyond_their_limit(
    mixed: tuple[Rows, pd.DataFrame], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(products, "MOST_JOINED", 0)
    assert operators(folded(behind(of(mixed[0], {"x", "one", "c", "many"}), None, 24)))["Gather"] == 3


def test_a_layer_too_wide_for_a_table_is_multiplied(
    mixed: tuple[Rows, pd.DataFrame], monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, odd = of(mixed[0], {"x", "c", "many"}), mixed[1].drop(index=[3, 4])
    before = behind(rows, None, 24)
    monkeypatch.setattr(layers, "MOST_NUMBERS", 24 * 10)
    after = folded(before)
    assert operators(after)["GatherND"] == 1
    assert operators(after)["Gather"] == 1
    np.testing.assert_allclose(
        answer(after, rows.contract, odd), answer(before, rows.contract, odd), rtol=1e-5, atol=2e-5
    )


def test_bins_before_a_wide_layer_are_multiplied(mixed: tuple[Rows, pd.DataFrame]) -> None:
    before = behind(of(mixed[0], {"x", "few", "c"}), 6, 24)
    after = folded(before)
    bins = (node.attribute for model in (before, after) for node in model.graph.node if "Tree" in node.op_type)
    assert len({one.i for attributes in bins for one in attributes if one.name == "n_targets"}) == 1
    assert operators(after)["Gemm"] == 1


@QUIET
def test_features_that_something_else_reads_too_are_left(mixed: tuple[Rows, pd.DataFrame]) -> None:
    before = behind(of(mixed[0], {"x", "c"}), None, 3)
    product = next(node for node in before.graph.node if node.op_type == "MatMul")
    before.graph.node.append(helper.make_node("Relu", [product.input[0]], ["other"]))
    before.graph.output.insert(0, helper.make_tensor_value_info("other", TensorProto.FLOAT, [None, None]))
    assert operators(folded(before)) == operators(before)


@QUIET
def test_shares_of_categories_before_trees_need_no_table(mixed: tuple[Rows, pd.DataFrame]) -> None:
    rows, odd = of(mixed[0], {"x", "c", "many"}, 2), mixed[1]
    fitted = decision_tree.fit(decision_tree.Params(), rows, 0)
    before = fitted.to_onnx()
    after = folded(before)
    assert not operators(after)["GatherND"]
    assert operators(after)["LabelEncoder"] == 2
    np.testing.assert_array_equal(answer(after, rows.contract, odd), answer(before, rows.contract, odd))


@QUIET
@pytest.mark.parametrize("bins", [None, 5])
@pytest.mark.parametrize("outputs", [1, 3, 24])
def test_a_folded_graph_is_folded_no_further_and_alike_each_time(
    mixed: tuple[Rows, pd.DataFrame], bins: int | None, outputs: int
) -> None:
    before = behind(of(mixed[0], {column.name for column in COLUMNS}), bins, outputs)
    first, second = folded(before), folded(before)
    assert first.SerializeToString(deterministic=True) == second.SerializeToString(deterministic=True)
    assert folded(first).SerializeToString(deterministic=True) == first.SerializeToString(deterministic=True)
