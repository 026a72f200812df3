from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest

from data.contract import Column, Contract
from data.errors import InputError
from data.params import parse
from training import onnx_graph, parity
from training.families import Rows, decision_tree, gradient_boosting, knn, logistic, random_forest, svm
from training.scikit import growth

FAMILIES: dict[str, tuple[ModuleType, dict[str, Any]]] = {
    "linear machine": (svm, {"C": 0.1}),
    "binned linear machine": (svm, {"C": 0.1, "bins": 4, "class_weight": "balanced"}),
    "gaussian machine": (svm, {"kernel": "rbf", "max_rows": 100, "folds": 2}),
    "tree": (decision_tree, {"max_depth": 4, "min_leaf": 5}),
    "forest": (random_forest, {"trees": 6, "min_leaf": 3, "class_weight": {"klass 1": 3}}),
    "boosting": (gradient_boosting, {"rounds": 8, "leaves": 5, "class_weight": "balanced"}),
    "neighbours": (knn, {"max_rows": 100}),
    "uniform neighbours": (knn, {"neighbours": 3, "weights": "uniform", "bins": 3}),
    "logistic": (logistic, {"max_iter": 30, "class_weight": {"klass 0": 2}}),
}
TABLES: dict[str, dict[str, Any]] = {
    "three classes": {"classes": 3},
    "categories only": {"numbers": ()},
    "a number all missing": {"empty": ("z",)},
    "odd names": {"numbers": ("größe in cm", "a.b", "features"), "categories": ("Straße nr.", "it's/a\"c", "votes")},
}
SILENT = pytest.mark.filterwarnings(
    "ignore:Feature . is constant",
    "ignore:Glyph",
    "ignore:The least populated class",
    "ignore::sklearn.exceptions.ConvergenceWarning",
)


def kinds(kind: str, rows: int = 120) -> tuple[Rows, pd.DataFrame]:
    """A table of one kind of column that tells the class, and test rows."""
    random = np.random.default_rng(1)
    codes = np.arange(rows) % 2
    shape: tuple[int, ...] = ()
    if kind == "time":
        days = np.where(codes == 1, 150, 0) + random.integers(0, 100, rows)
        values: Any = pd.Timestamp("2019-12-01", tz="UTC") + pd.to_timedelta(days * 86_400_000 + 12_345, unit="ms")
        table = pd.DataFrame({"at": pd.Series(values).astype("datetime64[us, UTC]")})
        table.loc[5, "at"] = pd.NaT
    elif kind == "boolean":
        table = pd.DataFrame({"at": np.where(random.random(rows) < 0.1, np.nan, codes).astype(np.float32)})
    elif kind == "text":
        words = np.array(["good film", "ÜBEL, bad film!"])[codes]
        table = pd.DataFrame({"at": [f"{word} {random.integers(9)} 日本" for word in words]})
        table.loc[3, "at"] = ""
    else:
        shape = (3, 4, 1) if kind == "image" else (5, 2)
        cells = random.integers(0, 130, (rows, *shape)) + codes.reshape(-1, *(1 for _ in shape)) * 100
        table = pd.DataFrame({"at": list(cells.astype(np.float32).reshape(rows, -1))})
    limits = {"shape": shape, "low": 0.0, "high": 255.0} if shape else {}
    contract = Contract("made", "y", (Column("at", kind, **limits),), ("klass 0", "klass 1"))  # type: ignore[arg-type]
    cut = rows // 2
    rest = table[cut:].reset_index(drop=True)
    return Rows(contract, table[:cut], codes[:cut], rest, codes[cut:]), rest


@SILENT
@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("name", FAMILIES)
def test_the_graph_answers_what_the_native_model_answers(
    make_rows: Any, compile_graph: Any, name: str, table: str
) -> None:
    family, parameters = FAMILIES[name]
    rows, odd = make_rows(**TABLES[table])
    fitted = family.fit(family.Params(**parameters), rows, 0)
    labels, probabilities = compile_graph(fitted, rows.contract).score(odd)
    parity.check(odd, fitted.probabilities(odd), probabilities, labels, rows.contract.classes, fitted.tolerance)
    assert np.ptp(probabilities[:, 0]) > 0.01
    assert fitted.history
    assert all(set(entry) == {"loss", "validation_loss"} for entry in fitted.history)


@SILENT
@pytest.mark.parametrize("kind", ["time", "boolean", "text", "image", "sequence"])
@pytest.mark.parametrize("name", FAMILIES)
def test_every_kind_of_column_goes_through_every_family(compile_graph: Any, name: str, kind: str) -> None:
    family, parameters = FAMILIES[name]
    rows, rest = kinds(kind)
    fitted = family.fit(family.Params(**parameters), rows, 0)
    labels, probabilities = compile_graph(fitted, rows.contract).score(rest)
    parity.check(rest, fitted.probabilities(rest), probabilities, labels, rows.contract.classes, fitted.tolerance)
    right = labels == np.array(rows.contract.classes, dtype=object)[rows.validation_codes]
    assert right.mean() > 0.75


@SILENT
@pytest.mark.parametrize("name", FAMILIES)
def test_two_fits_give_the_same_bytes(make_rows: Any, name: str) -> None:
    family, parameters = FAMILIES[name]
    rows, _ = make_rows()
    first, second = (
        onnx_graph.finish(family.fit(family.Params(**parameters), rows, 5).to_onnx(), rows.contract) for _ in range(2)
    )
    assert first.SerializeToString(deterministic=True) == second.SerializeToString(deterministic=True)


@SILENT
@pytest.mark.parametrize("name", ["forest", "boosting"])
def test_a_search_hears_of_each_part_of_the_trees_and_can_end_the_fit(make_rows: Any, name: str) -> None:
    family, parameters = FAMILIES[name]
    many = family.Params(**parameters | {"trees" if name == "forest" else "rounds": 50})
    heard: list[tuple[int, float]] = []
    rows = replace(make_rows()[0], report=lambda *told: heard.append(told))
    fitted = family.fit(many, rows, 5)
    assert [step for step, _ in heard] == list(range(growth.PARTS))
    losses = [step["validation_loss"] for step in fitted.history][-50:]
    assert [loss for _, loss in heard] == pytest.approx(losses[4::5])

    def ending(step: int, loss: float) -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        family.fit(many, replace(rows, report=ending), 5)


@SILENT
def test_a_forest_grown_in_parts_is_the_one_grown_at_one_go(make_rows: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    params, rows = random_forest.Params(trees=25, min_leaf=3, class_weight="balanced"), make_rows()[0]
    in_parts = random_forest.fit(params, rows, 5)
    monkeypatch.setattr(growth, "PARTS", 1)
    at_one_go = random_forest.fit(params, rows, 5)
    assert at_one_go.history == in_parts.history
    one, other = (onnx_graph.finish(model.to_onnx(), rows.contract) for model in (in_parts, at_one_go))
    assert one.SerializeToString(deterministic=True) == other.SerializeToString(deterministic=True)


@pytest.mark.parametrize(("trees", "steps"), [(1, [0]), (3, [0, 3, 6]), (10, list(range(10))), (37, list(range(10)))])
def test_the_last_part_has_all_the_trees(trees: int, steps: list[int]) -> None:
    parts = list(growth.parts(trees))
    assert [step for step, _ in parts] == steps
    assert parts[-1][1] == trees
    assert sorted({count for _, count in parts}) == [count for _, count in parts]


def test_boosting_ends_when_its_patience_does(make_rows: Any) -> None:
    rows, _ = make_rows()
    fitted = gradient_boosting.fit(gradient_boosting.Params(rounds=400, learning_rate=0.9, patience=3), rows, 0)
    losses = [step["validation_loss"] for step in fitted.history]
    assert len(losses) < 200
    assert min(losses[-3:]) >= min(losses[:-3])


@SILENT
@pytest.mark.parametrize("name", ["linear machine", "gaussian machine", "tree", "forest", "boosting", "neighbours"])
def test_the_native_model_opens_without_pickles(make_rows: Any, tmp_path: Path, name: str) -> None:
    import skops.io

    family, parameters = FAMILIES[name]
    family.fit(family.Params(**parameters), make_rows()[0], 0).save(tmp_path)
    stored = list(tmp_path.glob("*.skops"))
    assert stored
    for file in stored:
        untrusted = skops.io.get_untrusted_types(file=file)
        assert all(name.startswith(("sklearn.", "numpy.")) for name in untrusted)
        skops.io.load(file, trusted=untrusted)


@pytest.mark.parametrize("classes", [2, 3])
def test_the_tree_is_drawn_beside_its_native_model(make_rows: Any, tmp_path: Path, classes: int) -> None:
    rows, _ = make_rows(numbers=("x",), categories=("c",), classes=classes)
    with pytest.warns(UserWarning, match="Glyph"):
        decision_tree.fit(decision_tree.Params(min_leaf=5), rows, 0).save(tmp_path)
    assert (tmp_path / "tree.png").read_bytes()[:4] == b"\x89PNG"


def test_trees_compare_at_their_thresholds_as_scikit_learn_does(compile_graph: Any) -> None:
    low = np.nextafter(np.float32(2), np.float32(3))
    high = np.nextafter(low, np.float32(3))  # the middle of both is nearer to none, and rounds up
    values = np.array([low, high, np.nan] * 40, dtype=np.float32)
    codes = np.tile([0, 1, 1], 40)
    contract = Contract("made", "y", (Column("x", "number"),), ("a", "b"))
    rows = Rows(contract, pd.DataFrame({"x": values}), codes, pd.DataFrame({"x": values}), codes)
    for family, parameters in ((decision_tree, {"min_leaf": 5}), (gradient_boosting, {"min_leaf": 5, "rounds": 20})):
        labels, _ = compile_graph(family.fit(family.Params(**parameters), rows, 0), contract).score(rows.train)
        assert labels.tolist() == np.array(["a", "b"])[codes].tolist()


def test_the_neighbours_are_those_of_scikit_learn(make_rows: Any) -> None:
    rows, odd = make_rows(numbers=("x", "z"), categories=())
    fitted = knn.fit(knn.Params(), rows, 0)
    given = knn.on_grid(fitted.features.transform(knn_table(odd[3:], rows.contract)))
    known = fitted.classifier.predict_proba(given)
    np.testing.assert_allclose(fitted.probabilities(odd[3:]), known, atol=5e-3)


def knn_table(rows: pd.DataFrame, contract: Contract) -> Any:
    from training.features.preprocessing import plain

    return plain(rows, contract)


@pytest.mark.parametrize("name", ["linear machine", "tree", "forest", "boosting", "logistic"])
def test_a_heavier_class_is_said_more_often(make_rows: Any, name: str) -> None:
    family, parameters = FAMILIES[name]
    rows, odd = make_rows(numbers=("x",), categories=())
    light, heavy = (
        family.fit(family.Params(**{**parameters, "class_weight": {"klass 1": weight}}), rows, 0).probabilities(odd)
        for weight in (0.1, 10)
    )
    if name == "linear machine":  # whose probabilities are calibrated again
        assert not np.allclose(heavy, light)
    else:
        assert heavy[:, 1].mean() > light[:, 1].mean() + 0.1


def test_a_weight_of_an_unknown_class_is_named(make_rows: Any) -> None:
    rows, _ = make_rows()
    with pytest.raises(InputError, match=r"class_weight: 'y' has no class 'spam'; it has 'klass 0', 'klass 1'"):
        logistic.fit(logistic.Params(class_weight={"spam": 2}), rows, 0)


def test_a_class_of_one_row_is_told_by_the_machine(make_rows: Any) -> None:
    rows, _ = make_rows(numbers=("x",), categories=())
    codes = np.zeros_like(rows.train_codes)
    codes[0] = 1
    alone = Rows(rows.contract, rows.train, codes, rows.validation, rows.validation_codes)
    with pytest.raises(InputError, match="one training row only has the class 'klass 1'"):
        svm.fit(svm.Params(), alone, 0)


@pytest.mark.parametrize("name", ["gaussian machine", "neighbours"])
def test_a_rare_class_is_among_the_rows_kept(make_rows: Any, name: str) -> None:
    family, parameters = FAMILIES[name]
    rows, odd = make_rows(numbers=("x",), categories=())
    codes = np.zeros_like(rows.train_codes)
    codes[7:10] = 1
    few = Rows(rows.contract, rows.train, codes, rows.validation, rows.validation_codes)
    fitted = family.fit(family.Params(**parameters | {"max_rows": 80}), few, 0)
    assert fitted.probabilities(odd).shape == (len(odd), 2)


def test_of_very_many_categories_the_rare_share_a_feature(compile_graph: Any) -> None:
    from training.features import preprocessing as features

    random = np.random.default_rng(0)
    names = np.r_[[f"often {k}" for k in range(150)] * 4, [f"rare {k}" for k in range(500)]]
    table = pd.DataFrame({"c": random.permutation(names)})
    codes = table["c"].str.startswith("often").to_numpy().astype(int)
    contract = Contract("made", "y", (Column("c", "category"),), ("a", "b"))
    rows = Rows(contract, table, codes, table, codes)
    fitted = logistic.fit(logistic.Params(C=100), rows, 0)
    assert fitted.pipeline[-1].n_features_in_ == features.MOST_CATEGORIES
    odd = pd.DataFrame({"c": ["often 3", "rare 499", "never seen", ""]})
    labels, probabilities = compile_graph(fitted, contract).score(odd)
    parity.check(odd, fitted.probabilities(odd), probabilities, labels, contract.classes, 1e-5)
    assert labels[0] == "b"


@pytest.mark.parametrize(
    ("family", "given", "said"),
    [
        (svm, {"kernel": "poly"}, "m.params.kernel: 'poly' was given; input should be 'linear' or 'rbf'"),
        (svm, {"folds": 1}, "m.params.folds: 1 was given"),
        (decision_tree, {"depth": 3}, "m.params.depth: unknown key; known are max_depth"),
        (decision_tree, {"criterion": "luck"}, "m.params.criterion: 'luck' was given"),
        (random_forest, {"trees": 0}, "m.params.trees: 0 was given"),
        (random_forest, {"class_weight": {"a": 0}}, "0 was given; input should be greater than 0"),
        (gradient_boosting, {"leaves": 1}, "m.params.leaves: 1 was given"),
        (knn, {"neighbours": 0}, "m.params.neighbours: 0 was given"),
        (knn, {"weights": "heavy"}, "m.params.weights: 'heavy' was given"),
    ],
)
def test_a_wrong_parameter_is_named(family: ModuleType, given: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError) as caught:
        parse(family.Params, given, "m.params")
    assert said in str(caught.value)
