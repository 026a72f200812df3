"""Metrics on parts of the rows, against scikit-learn on those rows alone."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import log_loss, roc_auc_score

from registry.slices import measure
from training.metrics import Evaluation

ROWS = 600
RANDOM = np.random.default_rng(0)
TRUTH = RANDOM.integers(0, 2, ROWS)
SCORE = np.clip(RANDOM.normal(0.4 + 0.2 * TRUTH, 0.2), 0.01, 0.99)
TABLE = pd.DataFrame(
    {
        "airport": np.resize(["EWR", "JFK", "", "LGA"], ROWS),
        "seats": np.resize(np.array([2.0, 100.0, np.nan], dtype=np.float32), ROWS),
        "label": np.where(TRUTH == 1, "late", "on time"),
    }
)
ANSWERS = Evaluation(np.column_stack([1 - SCORE, SCORE]), TRUTH)


def test_a_slice_has_the_metric_of_its_own_rows_and_missing_values_are_one() -> None:
    airports = measure(ANSWERS, TABLE, ["airport"], "auc", 1)
    assert [(one.value, one.rows) for one in airports] == [("EWR", 150), ("JFK", 150), ("LGA", 150), (None, 150)]
    for one in airports:
        mask = TABLE["airport"].eq(one.value or "")
        assert one.figure == pytest.approx(roc_auc_score(TRUTH[mask], SCORE[mask]))
    seats = measure(ANSWERS, TABLE, ["seats"], "log_loss", 1)
    assert [str(one) for one in seats] == ["seats 2", "seats 100", "seats missing"]
    mask = TABLE["seats"].isna()
    assert seats[2].figure == pytest.approx(log_loss(TRUTH[mask], SCORE[mask]))


def test_a_slice_of_few_rows_is_left_out() -> None:
    table = pd.DataFrame({"size": ["large"] * (ROWS - 49) + ["small"] * 49})
    assert [one.value for one in measure(ANSWERS, table, ["size"], "auc", 50)] == ["large"]
    assert [one.value for one in measure(ANSWERS, table, ["size"], "auc", 49)] == ["large", "small"]


def test_a_slice_of_one_class_has_no_ranking_but_a_loss() -> None:
    assert [one.figure for one in measure(ANSWERS, TABLE, ["label"], "average_precision", 1)] == [None, None]
    assert all(one.figure for one in measure(ANSWERS, TABLE, ["label"], "log_loss", 1))
