import json

import numpy as np
import pandas as pd
import pytest

from data.contract import Column, Contract
from data.reference import MOST_COMMON, describe

CONTRACT = Contract("t", "y", (Column("x", "number"), Column("c", "category")), ("a", "b", "none"))


def rows(x: list[float | None], c: list[str], y: list[str]) -> pd.DataFrame:
    return pd.DataFrame({"x": np.array(x, dtype=np.float32), "c": c, "y": y})


def test_missing_values_count_as_a_share_and_in_nothing_else() -> None:
    described = describe(rows([1, 2, 3, np.nan], ["u", "u", "v", ""], ["a", "a", "b", "a"]), CONTRACT)
    number, category = described["columns"]["x"], described["columns"]["c"]
    assert number["missing"] == category["missing"] == 0.25
    assert [number["quantiles"][level] for level in ("0.0", "0.5", "1.0")] == [1, 2, 3]
    assert category["shares"] == {"u": pytest.approx(2 / 3, abs=1e-6), "v": pytest.approx(1 / 3, abs=1e-6)}
    assert category["distinct"] == 2


def test_a_class_without_rows_has_the_share_zero() -> None:
    described = describe(rows([1, 2], ["u", "v"], ["a", "b"]), CONTRACT)
    assert described["sampled"] == 2
    assert described["classes"] == {"a": 0.5, "b": 0.5, "none": 0}


def test_columns_that_are_all_missing_are_valid_json() -> None:
    described = describe(rows([np.nan, np.nan], ["", ""], ["a", "b"]), CONTRACT)
    json.dumps(described, allow_nan=False)
    assert described["columns"]["x"] == {"kind": "number", "missing": 1, "quantiles": {}}
    assert described["columns"]["c"] == {"kind": "category", "missing": 1, "shares": {}, "distinct": 0}


def test_only_the_most_common_categories_are_kept_by_name_and_ties_by_alphabet() -> None:
    names = [f"c{place:03}" for place in range(MOST_COMMON + 10)]
    many = ["zebra", *reversed(names), "zebra"]
    column = describe(rows([0] * len(many), many, ["a"] * len(many)), CONTRACT)["columns"]["c"]
    assert list(column["shares"]) == ["zebra", *names[: MOST_COMMON - 1]]
    assert column["distinct"] == MOST_COMMON + 11
