import numpy as np
import pandas as pd
import pytest

from data.contract import Column, Contract

CONTRACT = Contract(
    "t", "y", (Column("größe in cm", "number"), Column("Straße", "category")), ("é", "a\n"),
)  # fmt: skip


def test_a_contract_is_the_same_after_json() -> None:
    text = CONTRACT.to_json()
    assert Contract.from_json(text) == CONTRACT
    assert "\n" not in text
    assert "größe in cm" in text


def test_an_image_is_the_same_after_json() -> None:
    contract = Contract("t", "y", (Column("i", "image", (2, 3), 0.0, 255.0),), ("a", "b"))
    assert Contract.from_json(contract.to_json()) == contract
    assert contract.tensor == contract.columns[0]


def test_columns_are_found_by_their_kind() -> None:
    assert CONTRACT.names == ["größe in cm", "Straße"]
    assert CONTRACT.of_kind("number") == ["größe in cm"]
    assert CONTRACT.of_kind("number", "category") == CONTRACT.names
    assert CONTRACT.tensor is None


def test_codes_are_the_places_of_the_classes() -> None:
    codes = CONTRACT.codes(pd.Series(["a\n", "é", "a\n"]))
    assert codes.dtype == np.int64
    assert codes.tolist() == [1, 0, 1]


@pytest.mark.parametrize("label", ["b", ""])
def test_an_unknown_class_has_no_code(label: str) -> None:
    assert CONTRACT.codes(pd.Series([label])).tolist() == [-1]
