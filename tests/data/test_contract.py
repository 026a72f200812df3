import numpy as np
import pandas as pd
import pytest

from data.contract import Column, Contract, infer
from data.errors import InputError

KINDS = {"größe in cm": "number", "Straße": "category"}


def refusal(table: pd.DataFrame, positive: str | None = None, kinds: dict | None = None) -> str:
    with pytest.raises(InputError) as caught:
        infer(table, "t", "y", positive, kinds).check(table, "tasks.t")
    message = str(caught.value)
    assert message.startswith("params.yaml: tasks.t")
    assert "\n" not in message
    return message


@pytest.fixture
def table() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "größe in cm": [1.5, None, 3.0],
            "Straße": ["Ähre", None, "日本"],
            "count": [1, 2, 3],
            "open": [True, False, True],
            "y": ["b", "a", "b"],
        }
    )


def test_kinds_are_inferred_from_types(table: pd.DataFrame) -> None:
    contract = infer(table, "t", "y", None, None)
    assert {column.name: column.kind for column in contract.columns} == {
        "größe in cm": "number",
        "Straße": "category",
        "count": "number",
        "open": "category",
    }


def test_declared_columns_are_the_inputs_in_their_order(table: pd.DataFrame) -> None:
    contract = infer(table, "t", "y", None, {"count": "category", "größe in cm": "number"})
    assert contract.columns == (Column("count", "category"), Column("größe in cm", "number"))
    assert contract.of_kind("number") == ["größe in cm"]


def test_the_positive_class_is_last(table: pd.DataFrame) -> None:
    assert infer(table, "t", "y", None, None).classes == ("a", "b")
    assert infer(table, "t", "y", "a", None).classes == ("b", "a")


def test_checked_rows_have_the_types_that_the_contract_says(table: pd.DataFrame) -> None:
    rows = infer(table, "t", "y", None, {**KINDS, "count": "category"}).check(table, "tasks.t")
    assert list(rows) == ["größe in cm", "Straße", "count", "y"]
    assert rows["größe in cm"].dtype == "float32"
    assert rows["größe in cm"].isna().tolist() == [False, True, False]
    assert rows["Straße"].tolist() == ["Ähre", "", "日本"]
    assert rows["count"].tolist() == ["1", "2", "3"]
    assert rows["y"].tolist() == ["b", "a", "b"]


@pytest.mark.parametrize("dtype", ["Int64", "Float64", "int64[pyarrow]", "double[pyarrow]", "boolean"])
def test_a_number_column_of_an_extension_type_keeps_its_missing_values(dtype: str) -> None:
    table = pd.DataFrame({"x": pd.array([1, None, 0], dtype=dtype), "y": ["a", "b", "a"]})
    rows = infer(table, "t", "y", None, {"x": "number"}).check(table, "tasks.t")
    assert rows["x"].dtype == "float32"
    np.testing.assert_array_equal(rows["x"], np.array([1, np.nan, 0], dtype=np.float32))


def test_digits_in_text_are_taken_as_numbers_where_declared() -> None:
    table = pd.DataFrame({"x": ["1.5", None, "2"], "y": ["a", "b", "a"]})
    rows = infer(table, "t", "y", None, {"x": "number"}).check(table, "tasks.t")
    np.testing.assert_array_equal(rows["x"], np.array([1.5, np.nan, 2], dtype=np.float32))


def test_an_unknown_declared_column_lists_those_that_exist(table: pd.DataFrame) -> None:
    message = refusal(table, kinds={"size": "number"})
    assert "tasks.t.columns" in message
    assert "no column 'size'; it has größe in cm, Straße, count, open, y" in message


def test_text_in_a_number_column_is_refused_and_quoted() -> None:
    table = pd.DataFrame({"x": ["1", "n/a", "n/a", *"pqrstu"], "y": list("ababababa")})
    message = refusal(table, kinds={"x": "number"})
    assert "tasks.t.columns.x" in message
    assert "8 values are none (n/a, p, q, r, s, …)" in message


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("value", [np.inf, -np.inf, 1e39])
def test_a_number_that_is_not_finite_as_float32_is_refused(value: float) -> None:
    table = pd.DataFrame({"x": [1.0, value, value], "y": ["a", "b", "a"]})
    message = refusal(table)
    assert "column 'x' has 2 values that are not finite" in message
    assert "inf" in message


def test_a_target_of_one_class_is_refused(table: pd.DataFrame) -> None:
    message = refusal(table.assign(y="b"))
    assert "tasks.t.target: 'y' has one class only (b)" in message


def test_an_absent_positive_class_lists_the_classes(table: pd.DataFrame) -> None:
    assert "tasks.t.positive: 'y' has no class 'c'; it has a, b" in refusal(table, positive="c")


def test_the_target_is_refused_as_an_input(table: pd.DataFrame) -> None:
    message = refusal(table, kinds={"count": "number", "y": "category"})
    assert "tasks.t.columns: the target 'y' cannot be an input; remove it" in message


def test_a_source_of_the_target_alone_is_refused(table: pd.DataFrame) -> None:
    assert "tasks.t.target: the source has no column besides 'y'" in refusal(table[["y"]])


def test_times_are_refused_as_an_undeclared_input(table: pd.DataFrame) -> None:
    table["when"] = pd.to_datetime(["2020-01-01"] * 3, utc=True)
    assert "column 'when' holds times" in refusal(table)
    assert "when" not in infer(table, "t", "y", None, {"count": "number"}).names


@pytest.mark.parametrize("name", ["label", "probabilities"])
def test_an_input_called_as_the_answer_is_refused(table: pd.DataFrame, name: str) -> None:
    assert f"an input cannot be called '{name}'" in refusal(table.rename(columns={"count": name}))


def test_a_class_that_the_contract_lacks_is_refused(table: pd.DataFrame) -> None:
    contract = infer(table, "t", "y", None, {"count": "number"})
    with pytest.raises(InputError, match=r"column 'y' has 1 values that are no class of the target \(c\)"):
        contract.check(table.assign(y=["a", "b", "c"]), "tasks.t")


def test_a_contract_is_the_same_after_json(table: pd.DataFrame) -> None:
    contract = infer(table.assign(y=["é", "a\n", "é"]), "t", "y", "a\n", KINDS)
    text = contract.to_json()
    assert Contract.from_json(text) == contract
    assert "\n" not in text
    assert "größe in cm" in text


def test_codes_are_the_places_of_the_classes(table: pd.DataFrame) -> None:
    codes = infer(table, "t", "y", "a", None).codes(table["y"])
    assert codes.dtype == np.int64
    assert codes.tolist() == [0, 1, 0]
