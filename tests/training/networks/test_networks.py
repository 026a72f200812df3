"""Networks on made images, sequences and texts; small, and few epochs."""

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
from training.class_weight import of_classes
from training.families import Rows, cnn, lstm, mlp, transformer
from training.networks import fit as keras_fit

pytestmark = [
    pytest.mark.xdist_group("networks"),
    pytest.mark.filterwarnings("ignore:__array__ implementation"),
]

ODD_TEXTS = ["", "...", "never seen words", "GOOD", "Straße 日本 🎬", "good bad " * 60, "bad"]
IMAGE = Column("image", "image", (9, 8), 0, 255)
SEQUENCE = Column("motion", "sequence", (12, 3), -50, 50)
TEXT = Column("text", "text")
QUICK = {"epochs": 1, "batch_size": 32}
LSTM = {**QUICK, "units": [4], "convolutions": [4], "words": 20, "length": 16, "head": 4, "width": 4}
TRANSFORMER = {**QUICK, "words": 20, "length": 16, "head": 4, "width": 8, "heads": 2, "inner": 8}
CNN = {**QUICK, "filters": [4, 4], "units": 8}
CASES = {
    "cnn image": (cnn, IMAGE, CNN | {"augmentation": {"shift": 0.1, "rotate": 10, "zoom": 0.1}}),
    "cnn sequence": (cnn, SEQUENCE, CNN),
    "lstm text": (lstm, TEXT, LSTM | {"bidirectional": True, "pool": 3}),
    "gru sequence": (lstm, SEQUENCE, LSTM | {"cell": "gru", "convolutions": []}),
    "transformer": (transformer, TEXT, TRANSFORMER | {"pretrain": {"epochs": 1, "rows": 40}}),
    "mlp image": (mlp, IMAGE, {**QUICK, "layers": [4], "l1": 0.001}),
}
RECURRENT = {"lstm text": "LSTM", "gru sequence": "GRU"}
TWICE = ("cnn image", "lstm text", "transformer")


def made(column: Column, rows: int = 160) -> tuple[Rows, pd.DataFrame]:
    """Rows whose class shows in the values, and odd ones."""
    random = np.random.default_rng(0)
    codes = random.integers(0, 2, rows)
    if column.kind == "text":
        fill = [" ".join(random.choice(["the", "film", "was", "so"], random.integers(1, 30))) for _ in codes]
        values: list[Any] = [f"{text} {'good' if code else 'bad'}" for text, code in zip(fill, codes, strict=True)]
        odd: list[Any] = ODD_TEXTS
    else:
        middle, spread = (column.low + column.high) / 2, (column.high - column.low) / 8
        size = int(np.prod(column.shape))
        noise = random.normal(middle, spread, (rows, size)) + (codes[:, None] * 2 - 1) * spread
        values = list(np.clip(noise, column.low, column.high).astype(np.float32))
        odd = [np.full(size, value, np.float32) for value in (column.low, column.high)] + values[-3:]
    table = pd.DataFrame({column.name: pd.Series(values, dtype=object)})
    contract = Contract("made", "y", (column,), ("no", "yes"))
    cut = rows // 2
    return Rows(contract, table[:cut], codes[:cut], table[cut:], codes[cut:]), pd.DataFrame(
        {column.name: pd.Series(odd, dtype=object)}
    )


def fit(case: str, seed: int = 0) -> tuple[keras_fit.Network, Rows, pd.DataFrame]:
    family, column, params = CASES[case]
    rows, odd = made(column)
    return family.fit(family.Params(**params), rows, seed), rows, odd


@pytest.mark.parametrize("case", CASES)
def test_the_graph_answers_as_the_network_does_and_two_fits_are_alike(
    compile_graph: Any, tmp_path: Path, case: str
) -> None:
    fitted, rows, odd = fit(case)
    graph = compile_graph(fitted, rows.contract)
    tested = pd.concat([odd, rows.validation], ignore_index=True)
    labels, probabilities = graph.score(tested)
    native = fitted.probabilities(tested)
    parity.check(tested, native, probabilities, labels, rows.contract.classes, fitted.tolerance)
    assert np.ptp(probabilities[:, 0]) > 1e-4
    one_by_one = np.concatenate([graph.score(odd[place : place + 1])[1] for place in range(len(odd))])
    np.testing.assert_allclose(one_by_one, probabilities[: len(odd)], atol=1e-5)

    made = onnx_graph.finish(fitted.to_onnx(), rows.contract)
    operators = [node.op_type for node in made.graph.node]
    assert "Loop" not in operators
    assert operators.count(RECURRENT.get(case, "LSTM")) == (case in RECURRENT)
    if case in TWICE:
        again = onnx_graph.finish(fit(case)[0].to_onnx(), rows.contract)
        assert made.SerializeToString(deterministic=True) == again.SerializeToString(deterministic=True)

    fitted.save(tmp_path)
    assert {path.suffix for path in tmp_path.iterdir()} <= {".keras", ".json", ".skops"}
    import keras

    loaded = keras.models.load_model(tmp_path / "network.keras", safe_mode=True)
    np.testing.assert_allclose(loaded.predict(fitted.front.arrays(odd), verbose=0), native[: len(odd)], atol=1e-6)


@pytest.mark.parametrize("optimiser", ["sgd", "momentum", "adagrad", "rmsprop", "adam"])
def test_every_optimiser_lowers_the_loss(optimiser: str) -> None:
    rows, _ = made(IMAGE)
    params = mlp.Params(layers=[8], optimiser=optimiser, learning_rate=0.02, decay="cosine", batch_size=8, epochs=3)
    history = mlp.fit(params, rows, 0).history
    assert history[-1]["validation_loss"] < history[0]["validation_loss"]


def test_a_heavier_class_is_said_more_often() -> None:
    rows, _ = made(IMAGE)
    noise = np.random.default_rng(1).permutation(rows.train_codes)
    hard = Rows(rows.contract, rows.train, noise, rows.validation, rows.validation_codes)
    shares = [
        mlp.fit(mlp.Params(layers=[4], learning_rate=0.01, epochs=2, batch_size=4, class_weight=weight), hard, 0)
        .probabilities(rows.validation)[:, 1]
        .mean()
        for weight in (None, {"yes": 5})
    ]
    assert shares[1] > shares[0] + 0.1


def test_balanced_classes_weigh_the_same_in_total() -> None:
    contract = Contract("made", "y", (TEXT,), ("a", "b", "c"))
    codes = np.array([0] * 6 + [1] * 3 + [2])
    weights = of_classes("balanced", contract, codes)
    np.testing.assert_allclose(np.bincount(codes) * weights, 10 / 3, rtol=1e-6)


def test_a_weight_for_an_unknown_class_names_the_known_ones() -> None:
    contract = Contract("made", "y", (TEXT,), ("a", "b"))
    with pytest.raises(InputError, match="'y' has no class 'x'; it has 'a', 'b'"):
        of_classes({"x": 2.0}, contract, np.array([0, 1]))


def test_training_changes_images_and_the_graph_does_not(compile_graph: Any) -> None:
    fitted, rows, _ = fit("cnn image")
    graph = compile_graph(fitted, rows.contract)
    first, second = (graph.score(rows.validation)[1] for _ in range(2))
    np.testing.assert_array_equal(first, second)
    shifted = cnn.augmentation(cnn.Augmentation(shift=0.3), IMAGE)(fitted.front.arrays(rows.train), training=True)
    assert not np.allclose(shifted, fitted.front.arrays(rows.train))


@pytest.mark.parametrize("case", ["cnn", "lstm", "transformer"])
def test_a_family_refuses_columns_that_it_cannot_read(make_rows: Any, case: str) -> None:
    family = {"cnn": cnn, "lstm": lstm, "transformer": transformer}[case]
    with pytest.raises(InputError, match=f"family {case} takes one .*; declare such a column or choose another"):
        family.fit(family.Params(), make_rows()[0], 0)


@pytest.mark.parametrize(
    ("family", "given", "said"),
    [
        (mlp, {"optimiser": "adan"}, "m.params.optimiser: 'adan' was given"),
        (mlp, {"class_weight": "equal"}, "m.params.class_weight"),
        (cnn, {"augmentation": {"flip": 1}}, "m.params.augmentation.flip: unknown key"),
        (lstm, {"cell": "rnn"}, "m.params.cell: 'rnn' was given"),
        (lstm, {"length": 8, "head": 9}, "head (9) is more than length (8)"),
        (transformer, {"pretrain": {"mask_share": 1}}, "m.params.pretrain.mask_share: 1 was given"),
    ],
)
def test_a_wrong_parameter_is_named(family: ModuleType, given: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError) as caught:
        parse(family.Params, given, "m.params")
    assert said in str(caught.value)
