from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from data.errors import InputError
from data.fetch import fetch
from data.prepare import prepare
from tests.conftest import churn_table
from training import candidate, folds, models, prepared
from training.folds import STEPS
from training.models import Model
from training.prepared import Split
from training.train import train

TASK = {"source": {"path": "churn.csv"}, "target": "churned", "split": {"folds": 3}}


def content(**task: Any) -> dict[str, Any]:
    return {
        "seed": 3,
        "tasks": {"churn": TASK | task},
        "models": {"m": {"task": "churn", "family": "logistic", "params": {"max_iter": 20}}},
    }


def declared(**task: Any) -> Model:
    return models.declared(content(**task), "m")


def test_a_fold_is_drawn_within_each_class_and_by_the_seed_alone() -> None:
    codes = np.repeat([0, 1], [90, 9])
    split = Split(pd.DataFrame({"x": np.zeros(99)}), codes)
    drawn = folds.assigned(declared(), split, seed=1)
    assert drawn.dtype == np.int8
    for fold in range(3):
        assert (codes[drawn == fold] == 0).sum() == 30
        assert (codes[drawn == fold] == 1).sum() == 3
    assert (drawn == folds.assigned(declared(), split, seed=1)).all()
    assert (drawn != folds.assigned(declared(), split, seed=2)).any()


def test_prepared_folds_are_taken_as_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("data/prepared/churn").mkdir(parents=True)
    pd.DataFrame({"fold": np.array([0, 2, 1], dtype=np.int8)}).to_parquet("data/prepared/churn/folds.parquet")
    assert folds.assigned(declared(), Split(pd.DataFrame(), np.zeros(3)), seed=1).tolist() == [0, 2, 1]


@pytest.mark.parametrize(
    "split",
    [
        {"by": "time", "column": "at", "validation": "2013-09-01", "test": "2013-10-01", "folds": 3},
        {"by": "group", "column": "person", "folds": 3},
    ],
)
def test_folds_of_groups_and_times_must_be_prepared(
    split: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="dvc repro prepare@churn"):
        folds.assigned(declared(split=split), Split(pd.DataFrame(), np.zeros(3)), seed=1)


def test_each_row_is_measured_once_and_never_fitted_on_at_the_same_time() -> None:
    found = folds.pairs(np.array([0, 1, 2, 0]), by_time=False)
    assert (sum(held.astype(int) for _, held in found) == 1).all()
    assert not any((fit & held).any() for fit, held in found)


def test_by_time_a_fold_is_measured_with_what_was_fitted_on_earlier_ones() -> None:
    found = folds.pairs(np.array([0, 1, 2, 2]), by_time=True)
    assert [(np.flatnonzero(fit).tolist(), np.flatnonzero(held).tolist()) for fit, held in found] == [
        ([0], [1]),
        ([0, 1], [2, 3]),
    ]


def test_a_candidate_has_each_metric_over_its_folds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    churn_table(400).to_csv("churn.csv", index=False)
    declarations = content(decision={"aim": "cost", "costs": {"yes": {"no": 3}}})
    fetch(declarations, "churn")
    prepare(declarations, "churn")
    model = models.declared(declarations, "m")
    found = train(model, declarations["models"]["m"], 3)
    again = candidate.read("churn", "m")
    assert again is not None
    assert again.folds == found.folds
    assert set(found.folds) == set(found.test) == set(found.validation)
    assert "mean_cost" in found.folds
    auc = found.folds["auc"]
    assert len(auc.values) == 3
    assert auc.mean == pytest.approx(np.mean(auc.values))
    assert auc.deviation == pytest.approx(np.std(auc.values, ddof=1))
    assert abs(auc.mean - found.test["auc"].value) < 0.1

    steps: list[int] = []
    contract = prepared.contract("churn")
    fit, validation = (prepared.Stored(contract, part).held(0) for part in ("train", "validation"))
    list(folds.measure(model, contract, fit, validation, 3, lambda step, loss: steps.append(step)))
    assert [step // STEPS for step in steps if step % STEPS == 0] == [0, 1, 2]


def test_a_fold_without_a_class_to_fit_on_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    churn_table(200).to_csv("churn.csv", index=False)
    fetch(content(), "churn")
    prepare(content(), "churn")
    contract = prepared.contract("churn")
    fit = prepared.Stored(contract, "train").held(0)
    pd.DataFrame({"fold": fit.codes.astype(np.int8)}).to_parquet("data/prepared/churn/folds.parquet")
    with pytest.raises(InputError, match=r"fold 1 leaves no row of class 'no' to fit on"):
        list(folds.measure(declared(), contract, fit, fit, 3))
