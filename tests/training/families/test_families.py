from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from data.errors import InputError
from data.params import parse
from training import onnx_graph, parity
from training.families import Fitted, logistic, mlp

TABLES: dict[str, dict[str, Any]] = {
    "two classes": {},
    "three classes": {"classes": 3},
    "numbers only": {"categories": ()},
    "categories only": {"numbers": ()},
    "one number": {"numbers": ("x",), "categories": ()},
    "a number all missing": {"empty": ("z",)},
    "a category all missing": {"empty": ("d",)},
    "odd names": {"numbers": ("größe in cm", "a.b", "a b", "a_b"), "categories": ("Straße nr.", "日本", "it's/a\"c")},
    "inner names": {
        "numbers": ("label_code", "variable", "input", "c0", "raw_1", "model/raw_0", "transformed_column"),
        "categories": ("label_classes", "features", "model/answer/code"),
    },
}
NETWORK_TABLES = ("two classes", "three classes", "categories only", "a number all missing", "odd names", "inner names")
CASES = [
    *((logistic, {"max_iter": 30, "bins": bins}, table) for table in TABLES for bins in (None, 4)),
    *((mlp, {"layers": [6], "dropout": 0.1, "epochs": 2, "batch_size": 64}, table) for table in NETWORK_TABLES),
    (mlp, {"layers": [6, 4], "l2": 0.01, "epochs": 2, "bins": 4}, "two classes"),
    (mlp, {"layers": [6], "epochs": 2, "bins": 4}, "a number all missing"),
]


def name_of(value: object) -> str | None:
    if isinstance(value, ModuleType):
        return value.__name__.rpartition(".")[2]
    return ("binned" if value.get("bins") else "scaled") if isinstance(value, dict) else None


def fit(family: ModuleType, parameters: dict[str, Any], rows: Any, seed: int = 0) -> Fitted:
    return family.fit(family.Params(**parameters), rows, seed)


@pytest.mark.parametrize(("family", "parameters", "table"), CASES, ids=name_of)
@pytest.mark.filterwarnings("ignore:Feature . is constant", "ignore::sklearn.exceptions.ConvergenceWarning")
def test_the_graph_answers_what_the_native_model_answers(
    make_rows: Any, compile_graph: Any, family: ModuleType, parameters: dict[str, Any], table: str
) -> None:
    rows, odd = make_rows(**TABLES[table])
    fitted = fit(family, parameters, rows)
    labels, probabilities = compile_graph(fitted, rows.contract).score(odd)
    native = fitted.probabilities(odd)
    parity.check(odd, native, probabilities, labels, rows.contract.classes, fitted.tolerance)
    assert np.ptp(probabilities[:, 0]) > 0.01
    assert len(fitted.history) >= 2
    assert {tuple(entry) for entry in fitted.history} == {("loss", "validation_loss")}


@pytest.mark.parametrize(
    ("family", "parameters"),
    [
        (logistic, {"max_iter": 10, "bins": 4}),
        (logistic, {"max_iter": 10}),
        (mlp, {"layers": [6], "dropout": 0.3, "epochs": 2, "batch_size": 32}),
    ],
    ids=name_of,
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_two_fits_give_the_same_bytes(make_rows: Any, family: ModuleType, parameters: dict[str, Any]) -> None:
    rows, _ = make_rows()
    first, second = (
        onnx_graph.finish(fit(family, parameters, rows, seed=5).to_onnx(), rows.contract) for _ in range(2)
    )
    assert first.SerializeToString(deterministic=True) == second.SerializeToString(deterministic=True)


@pytest.mark.parametrize(
    ("family", "parameters"),
    [(logistic, {"max_iter": 30}), (mlp, {"layers": [6], "learning_rate": 0.02, "batch_size": 32, "epochs": 10})],
    ids=["logistic", "mlp"],
)
def test_fitting_lowers_the_loss_of_both_splits(make_rows: Any, family: ModuleType, parameters: dict[str, Any]) -> None:
    rows, _ = make_rows(numbers=("x",), categories=())
    history = fit(family, parameters, rows).history
    assert all(history[-1][name] < history[0][name] for name in ("loss", "validation_loss"))


def test_another_seed_gives_another_network(make_rows: Any) -> None:
    rows, odd = make_rows(numbers=("x",), categories=())
    one, other = (fit(mlp, {"layers": [3], "epochs": 1}, rows, seed).probabilities(odd) for seed in (1, 2))
    assert not np.array_equal(one, other)


def test_a_network_stops_without_a_better_validation_loss(make_rows: Any) -> None:
    rows, _ = make_rows(numbers=("x",), categories=())
    fitted = fit(mlp, {"layers": [3], "learning_rate": 100.0, "patience": 1, "epochs": 12}, rows)
    losses = [entry["validation_loss"] for entry in fitted.history]
    assert len(losses) < 12
    assert len(losses) == int(np.argmin(losses)) + 2


@pytest.mark.parametrize(
    ("family", "parameters", "files"),
    [
        (logistic, {"max_iter": 5}, ["model.skops"]),
        (mlp, {"layers": [2], "epochs": 1}, ["contract.json", "features.skops", "network.keras"]),
    ],
    ids=["logistic", "mlp"],
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning", "ignore:__array__ implementation")
def test_the_native_model_is_saved_without_pickles(
    make_rows: Any, tmp_path: Path, family: ModuleType, parameters: dict[str, Any], files: list[str]
) -> None:
    fit(family, parameters, make_rows()[0]).save(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == files
    assert all(path.read_bytes()[:2] == b"PK" for path in tmp_path.iterdir() if path.suffix != ".json")


@pytest.mark.parametrize(
    ("family", "given", "said"),
    [
        (logistic, {"c": 1}, "m.params.c: unknown key; known are C, max_iter, bins"),
        (logistic, {"C": 0}, "m.params.C: 0 was given; input should be greater than 0"),
        (logistic, {"max_iter": 1.5}, "m.params.max_iter: 1.5 was given"),
        (logistic, {"bins": 1}, "m.params.bins: 1 was given; input should be greater than or equal to 2"),
        (mlp, {"layer": [3]}, "m.params.layer: unknown key; known are optimiser, learning_rate"),
        (mlp, {"layers": []}, "m.params.layers: [] was given"),
        (mlp, {"layers": [8, 0]}, "m.params.layers.1: 0 was given"),
        (mlp, {"dropout": 1}, "m.params.dropout: 1 was given; input should be less than 1"),
        (mlp, {"epochs": "many"}, "m.params.epochs: 'many' was given"),
    ],
)
def test_a_wrong_parameter_is_named(family: ModuleType, given: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError) as caught:
        parse(family.Params, given, "m.params")
    assert said in str(caught.value)
    assert str(caught.value).startswith("params.yaml: m.params.")
