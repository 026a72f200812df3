from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from data.contract import Column, Contract
from data.errors import InputError
from data.params import parse
from data.prepare import PREPARED
from training import onnx_graph, parity, prepared
from training.families import Rows, logistic
from training.features import inputs
from training.features.augmentation import Augmentation, augmented
from training.prepared import Stored

STEPS = 8
MOTION = Column("motion", "sequence", (STEPS, 1, 3), -9, 9)
BOTH = Augmentation(mirror=[-1, 1, 1], rotate=40, copies=3)


def one_hand(column: Column = MOTION) -> Rows:
    """Windows of one hand, which moves along its first axis, a little in one class and far in the other."""
    random = np.random.default_rng(0)
    codes = np.arange(80) % 2
    values = random.normal(0, 0.1, (80, *column.shape))
    values[..., 0] += np.where(codes, 4, 1).reshape(-1, *(1 for _ in column.shape[1:]))
    table = pd.DataFrame({column.name: list(values.astype(np.float32).reshape(80, -1))})
    contract = Contract("moves", "y", (column,), ("little", "far"))
    return Rows(contract, table[:60], codes[:60], table[60:].reset_index(drop=True), codes[60:])


def grown(params: Augmentation | None, rows: Rows, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Values, shape (copies, rows, *shape), and codes, shape (copies, rows)."""
    random = np.random.default_rng(seed)
    table, codes = augmented(params, rows.train, rows.train_codes, rows.contract, random)
    column = rows.contract.columns[0]
    return inputs.tensor(table, column).reshape(-1, len(rows.train), *column.shape), codes.reshape(-1, len(rows.train))


def test_copies_are_mirrored_and_turned_and_keep_their_classes() -> None:
    rows = one_hand()
    values, codes = grown(BOTH, rows)
    np.testing.assert_array_equal(codes, np.tile(rows.train_codes, (8, 1)))
    np.testing.assert_array_equal(values[0], inputs.tensor(rows.train, MOTION))
    np.testing.assert_array_equal(values[1], values[0] * np.float32([-1, 1, 1]))
    for place, copy in enumerate(values[2:]):
        of = values[place % 2]
        np.testing.assert_allclose(np.linalg.norm(copy, axis=3), np.linalg.norm(of, axis=3), rtol=1e-5)
        np.testing.assert_allclose(_angles(copy), _angles(of), atol=1e-2)
    assert len({copy.tobytes() for copy in values}) == 8


def _angles(values: np.ndarray) -> np.ndarray:
    """Cosines between the vectors of one step and those of the next."""
    unit = values / np.linalg.norm(values, axis=3, keepdims=True)
    return (unit[:, 1:] * unit[:, :-1]).sum(axis=3)


def test_turns_are_as_far_as_declared_and_alike_within_a_row_only() -> None:
    rows = one_hand(Column("motion", "sequence", (STEPS, 2, 3), -9, 9))
    still = replace(rows, train=pd.DataFrame({"motion": [np.tile(np.float32([1, 0, 0]), STEPS * 2)] * 4000}))
    still = replace(still, train_codes=np.zeros(4000, int))
    for degrees in (10, 40):
        turned = grown(Augmentation(rotate=degrees), still)[0][1]
        assert np.ptp(turned, axis=(1, 2)).max() < 1e-6
        off = np.rad2deg(np.arccos(turned[:, 0, 0, 0].clip(-1, 1)))
        assert off.std() > degrees / 3
        assert np.sqrt((off**2).mean()) == pytest.approx(degrees * (2 / 3) ** 0.5, rel=0.1)


def test_the_seed_alone_decides_the_copies() -> None:
    rows = one_hand()
    first, second, other = (grown(BOTH, rows, seed)[0] for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(first, other)


def test_without_augmentation_rows_stay_as_they_are() -> None:
    rows = one_hand()
    table, codes = augmented(None, rows.train, rows.train_codes, rows.contract, np.random.default_rng(0))
    assert table is rows.train
    assert codes is rows.train_codes


@pytest.mark.parametrize("batches", [False, True], ids=["in memory", "in batches"])
def test_a_regression_knows_the_other_hand_by_its_mirrored_copies_only(
    compile_graph: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, batches: bool
) -> None:
    rows = one_hand()
    if batches:
        monkeypatch.chdir(tmp_path)
        (PREPARED / "moves").mkdir(parents=True)
        classes = np.array(rows.contract.classes)[rows.train_codes]
        rows.train.assign(y=classes).to_parquet(PREPARED / "moves/train.parquet")
        monkeypatch.setattr(prepared, "NESTED_BATCH", 25)
        rows = replace(rows, every=Stored(rows.contract, "train"))
    other = pd.DataFrame({"motion": [cell * np.tile(np.float32([-1, 1, 1]), STEPS) for cell in rows.validation.motion]})
    right = {}
    for params in (None, Augmentation(mirror=[-1, 1, 1])):
        fitted = logistic.fit(logistic.Params(augmentation=params), rows, 0)
        labels, probabilities = compile_graph(fitted, rows.contract).score(other)
        parity.check(other, fitted.probabilities(other), probabilities, labels, rows.contract.classes, fitted.tolerance)
        right[bool(params)] = (labels == np.array(rows.contract.classes)[rows.validation_codes]).mean()
    assert right[False] < 0.7
    assert right[True] == 1


def test_two_fits_with_augmentation_give_the_same_bytes() -> None:
    rows = one_hand()
    first, second = (
        onnx_graph.finish(logistic.fit(logistic.Params(augmentation=BOTH), rows, 5).to_onnx(), rows.contract)
        for _ in range(2)
    )
    assert first.SerializeToString(deterministic=True) == second.SerializeToString(deterministic=True)


@pytest.mark.parametrize(
    ("column", "params", "said"),
    [
        (MOTION, {"mirror": [-1]}, "augmentation.mirror: 1 signs were given, but a step of 'motion' has 3 channels"),
        (
            Column("motion", "sequence", (STEPS, 3), -9, 9),
            {"rotate": 9},
            r"has the shape \[8, 3\]; declare one such as",
        ),
        (Column("motion", "image", (STEPS, 3), -9, 9), {"rotate": 9}, "moves has none; remove augmentation"),
    ],
)
def test_copies_that_do_not_go_with_the_task_are_refused(column: Column, params: Any, said: str) -> None:
    with pytest.raises(InputError, match=said):
        logistic.fit(logistic.Params(augmentation=Augmentation(**params)), one_hand(column), 0)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"mirror": [-1, 2]}, "m.params.augmentation.mirror.1: 2 was given"),
        ({"rotate": 181}, "m.params.augmentation.rotate: 181 was given"),
        ({"shift": 0.1}, "m.params.augmentation.shift: unknown key"),
    ],
)
def test_a_wrong_augmentation_is_named(given: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        parse(logistic.Params, {"augmentation": given}, "m.params")
