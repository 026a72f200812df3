from typing import Any

import numpy as np
import pandas as pd
import pytest

from data.contract import Column, Contract
from data.errors import InputError
from data.params import parse
from training import parity
from training.families import Rows, random_forest
from training.features import mirror

MOTION = Column("motion", "sequence", (4, 2), -9, 9)


def right_hand(column: Column = MOTION) -> Rows:
    """Windows of one hand, which turns a little in one class and far in the other."""
    random = np.random.default_rng(0)
    codes = np.arange(80) % 2
    values = random.normal(0, 0.3, (80, *column.shape))
    values[..., 0] += np.where(codes, 4, 1)[:, None]
    table = pd.DataFrame({column.name: list(values.astype(np.float32).reshape(80, -1))})
    contract = Contract("turns", "y", (column,), ("little", "far"))
    return Rows(contract, table[:60], codes[:60], table[60:].reset_index(drop=True), codes[60:])


def seen_in_a_mirror(table: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame({"motion": [cell * np.tile(np.float32([-1, 1]), 4) for cell in table["motion"]]})


def test_each_training_row_is_followed_by_its_mirrored_copy_and_no_other_row_changes() -> None:
    rows = right_hand()
    both = mirror.twice(rows, [-1, 1])
    assert len(both.train) == len(both.train_codes) == 120
    for place in (0, 59):
        as_it_is, mirrored = (both.train["motion"].iloc[place + start].reshape(4, 2) for start in (0, 60))
        np.testing.assert_array_equal(as_it_is, rows.train["motion"].iloc[place].reshape(4, 2))
        np.testing.assert_array_equal(mirrored, as_it_is * [-1, 1])
    np.testing.assert_array_equal(both.train_codes[60:], rows.train_codes)
    assert both.validation is rows.validation
    assert mirror.twice(rows, None) is rows


def test_a_forest_of_one_hand_knows_the_other_only_with_mirror(compile_graph: Any) -> None:
    rows = right_hand()
    other = seen_in_a_mirror(rows.validation)
    right = {}
    for signs in (None, [-1, 1]):
        fitted = random_forest.fit(random_forest.Params(trees=20, max_features=1.0, mirror=signs), rows, 0)
        labels, probabilities = compile_graph(fitted, rows.contract).score(other)
        parity.check(other, fitted.probabilities(other), probabilities, labels, rows.contract.classes, fitted.tolerance)
        right[bool(signs)] = (labels == np.array(["little", "far"])[rows.validation_codes]).mean()
    assert right[False] < 0.7
    assert right[True] == 1


@pytest.mark.parametrize(
    ("column", "signs", "said"),
    [
        (MOTION, [-1], "mirror: 1 signs were given, but a step of 'motion' has 2 channels; give one for each"),
        (Column("motion", "image", (4, 2), -9, 9), [-1, 1], "turns has none; remove mirror"),
    ],
)
def test_signs_that_do_not_go_with_the_task_are_refused(column: Column, signs: list[int], said: str) -> None:
    with pytest.raises(InputError, match=said):
        random_forest.fit(random_forest.Params(mirror=signs), right_hand(column), 0)


def test_a_sign_is_1_or_minus_1() -> None:
    with pytest.raises(InputError, match=r"params.yaml: m.params.mirror.1: 2 was given"):
        parse(random_forest.Params, {"mirror": [-1, 2]}, "m.params")
