"""What a column is taken for."""

import re
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pandas as pd
import pytest

from data.errors import InputError
from data.infer import Decision
from tests.data.conftest import agreed, written

ROWS = 40
Y = ["a", "b"] * (ROWS // 2)


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def decided(values: list[Any], name: str = "x", decimal: str = ".", **said: Any) -> Decision:
    """The decision about a text column that stands beside two others."""
    others = {"z": ["u", "v", "w", "u"] * 10, "y": Y}
    return agreed(written({name: values, **others}), decimal, **said).decision(name)


def times(pattern: list[str]) -> list[str]:
    return (pattern * ROWS)[:ROWS]


NUMBERS = {
    "plain": (["1.5", "-2", "3e2"], "1234.5"),
    "missing": (["1.5", "NA", "n/a", "-", "?", "null", None, *map(str, range(20))], "1234.5"),
    "decimal comma": (["1,5", "20,25", "3"], "1234,5"),
    "thousands": (["1,234.5", "12", "1,234,567"], "1,234.5"),
    "thousands with points": (["1.234,5", "12", "1.234.567,25"], "1.234,5"),
    "thousands with blanks": (["1 234,5", "12", "1\u202f234\u00a0567"], "1 234,5"),
    "money": (["€ 1.234,50", "12,00 €", "-3,10 €"], "1.234,5"),
    "shares": (["12.5 %", "3 %", "-1%"], "1,234.5"),
    "accounts": (["(1,234)", "5", "-3", "$ (2.5)"], "1,234.5"),
    "times of day": (["9:45", "23:10", "00:00:30", "-"], "12:30"),
    "no dates": (["12345678", "20241301", "19991231"], "1234.5"),
}


@pytest.mark.parametrize("case", NUMBERS)
def test_numbers_are_numbers_however_they_are_written(case: str) -> None:
    values, form = NUMBERS[case]
    found = decided(times(values))
    assert (found.role, found.kind, found.form) == ("input", "number", form)


@pytest.mark.parametrize(("decimal", "form"), [(".", "1,234.5"), (",", "1234,5")])
def test_a_comma_before_three_digits_is_read_as_the_source_reads_and_said(decimal: str, form: str) -> None:
    found = decided(times(["1,234", "5,678", "9,012"]), decimal=decimal)
    assert (found.kind, found.form) == ("number", form)
    assert "would fit as well" in found.why


@pytest.mark.parametrize(
    ("values", "form"),
    [
        (["2024-01-05", "2023-12-31", None], "ISO 8601"),
        (["2024-01-05T10:00:00Z", "2024-01-05 11:30:00+02:00"], "ISO 8601"),
        (["31.12.2023", "01.02.2024"], "%d.%m.%Y"),
        (["31/12/2023 10:30", "01/02/2024 23:59"], "%d/%m/%Y %H:%M"),
        (["12/31/2023", "01/02/2024", "-"], "%m/%d/%Y"),
        (["12/31/2023 1:05 PM", "01/02/2024 11:00 AM"], "%m/%d/%Y %I:%M %p"),
        (["5 Jan 2024", "31 Dec 2023"], "%d %b %Y"),
        (["May 25 2024 10:00", "Dec 31 2023 00:00"], "%b %d %Y %H:%M"),
        (["Sat, 25 May 2024 10:00:00", "Sun, 31 Dec 2023 00:00:00"], "%a, %d %b %Y %H:%M:%S"),
        (["20240105", "20231231", "NA"], "%Y%m%d"),
        (["2024-05", "2023-12"], "%Y-%m"),
        (["05/2024", "12/2023"], "%m/%Y"),
    ],
)
def test_times_are_times_however_they_are_written(values: list[Any], form: str) -> None:
    found = decided(times(values))
    assert (found.kind, found.form) == ("time", form)
    assert "as well" not in found.why


def test_times_in_several_forms_are_dropped_with_the_forms() -> None:
    found = decided(times(["2024-05-25", "23.03.2025", "09/28/2024"]))
    assert found.role == "dropped"
    assert "times in several forms (ISO 8601, %d.%m.%Y, %m/%d/%Y): write them in one" in found.why


def test_a_number_that_the_other_forms_read_alike_is_not_called_ambiguous() -> None:
    for values, decimal, form in ((["7,1", "8,05", "12,3"], ",", "1234,5"), (["7 %", "12 %"], ".", "1,234.5")):
        found = decided(times(values), decimal=decimal)
        assert (found.form, "as well" in found.why) == (form, False)


def test_a_single_day_above_twelve_among_all_values_decides_between_day_and_month() -> None:
    table = written({"x": [*["03/04/2024"] * 11_999, "12/31/2024"], "y": ["a", "b"] * 6000})
    found = agreed(table.assign(z=["u", "v", "w"] * 4000)).decision("x")
    assert found.form == "%m/%d/%Y"


def test_a_date_that_could_be_either_is_read_day_first_and_said() -> None:
    found = decided(times(["03/04/2024", "05/06/2024"]))
    assert found.form == "%d/%m/%Y"
    assert "%m/%d/%Y would fit as well" in found.why


@pytest.mark.parametrize(
    ("name", "values", "kind", "why"),
    [
        ("zip", [f"0{1000 + i % 9}" for i in range(ROWS)], "category", "leading zero"),
        ("store_id", [str(i % 9) for i in range(ROWS)], "category", "a code: so named"),
        ("storeCode", [str(i % 9) for i in range(ROWS)], "category", "a code: so named"),
        ("visits", [str(i % 9) for i in range(ROWS)], "number", "whole numbers"),
        ("account", [str(2**62 + i % 7) for i in range(ROWS)], "category", "whole numbers too long to count with"),
        ("ok", times(["True", "False", "false"]), "boolean", "true or false"),
        ("ok", times(["1", "0"]), "number", "whole numbers"),
        ("ok", times(["yes", "no"]), "category", "2 different"),
        ("x", times(["NA", "None", "1", "b"]), "category", "4 different"),
        ("note", [f"some words on {i} things" for i in range(ROWS)], "text", "free text"),
        ("x", [None, *["seen"] * (ROWS - 1)], "category", "one value or none"),
    ],
)
def test_what_is_no_plain_number_is_told_from_its_values_and_its_name(
    name: str, values: list[Any], kind: str, why: str
) -> None:
    found = decided(values, name)
    assert (found.role, found.kind) == ("input", kind)
    assert why in found.why


DROPPED = {
    "empty": ("x", [None] * ROWS, "empty"),
    "constant": ("x", ["1"] * ROWS, "constant"),
    "row numbers": ("x", [str(7 + i) for i in range(ROWS)], "without gap"),
    "uuid": ("x", [str(UUID(int=i * 7919, version=4)) for i in range(ROWS)], "UUID"),
    "named": ("customer_id", [str(i * i) for i in range(ROWS)], "so named"),
    "names": ("x", [f"Person {i}" for i in range(ROWS)], "every value differs"),
    "copy": ("x", times(["u", "v", "w", "u"]), "a copy of 'z'"),
    "target": ("x", Y, "a copy of the target"),
}


@pytest.mark.parametrize("case", DROPPED)
def test_a_useless_column_is_dropped_with_the_reason(case: str) -> None:
    name, values, why = DROPPED[case]
    table = written({"z": times(["u", "v", "w", "u"]), name: values, "y": Y})
    found = agreed(table)
    assert found.decision(name).role == "dropped"
    assert why in found.decision(name).why
    assert found.contract.names == ["z"]


def test_two_columns_of_the_same_few_values_in_another_order_are_no_copies() -> None:
    table = written({"x": ["u"] * 20 + ["v"] * 20, "z": ["u", "v"] * 20, "y": ["a", "a", "b", "b"] * 10})
    assert agreed(table).contract.names == ["x", "z"]


def test_an_override_changes_single_columns_and_leaves_the_rest_inferred() -> None:
    table = written(
        {"x": DROPPED["row numbers"][1], "n": [str(i % 7) for i in range(ROWS)], "m": times(["1.5"]), "y": Y}
    )
    found = agreed(table, override={"x": "number", "n": "category"})
    assert {one.name: one.kind for one in found.contract.columns} == {"x": "number", "n": "category"}
    assert agreed(table, override={"n": "drop", "x": "text"}).contract.of_kind("text") == ["x"]


def test_a_declared_format_of_time_is_used() -> None:
    found = decided(times(["03/04/2024", "05/06/2024"]), override={"x": {"kind": "time", "format": "%m/%d/%Y"}})
    assert (found.kind, found.form) == ("time", "%m/%d/%Y")


def test_declared_columns_are_exactly_the_inputs_in_their_order() -> None:
    table = written({"x": times(["1", "2"]), "z": times(["u", "v", "w"]), "w": times(["1.5", "2"]), "y": Y})
    found = agreed(table, columns={"w": "number", "x": "category"})
    assert [(one.name, one.kind) for one in found.contract.columns] == [("w", "number"), ("x", "category")]


def test_what_rows_are_split_by_is_no_input_unless_said() -> None:
    table = written({"who": [str(i % 9) for i in range(ROWS)], "z": times(["u", "v", "w"]), "y": Y})
    split = {"by": "group", "column": "who"}
    assert agreed(table, split=split).contract.names == ["z"]
    assert agreed(table, split=split, override={"who": "category"}).contract.names == ["who", "z"]


def test_native_types_are_kept() -> None:
    table = pd.DataFrame(
        {
            "whole": pd.array([1, None, 3, 4] * 10, dtype="Int64"),
            "real": [1.5, np.nan, 2.0, 7.25] * 10,
            "flag": pd.array([True, False, None, True] * 10, dtype="boolean"),
            "when": pd.to_datetime(["2024-01-05", None, "2023-01-01", "2024-01-06"] * 10),
            "word": ["u", "v", None, "w"] * 10,
            "nested": [[1, 2], [3], None, []] * 10,
            "day": pd.array([20240105, None, 20231231, 20240106] * 10, dtype="Int64"),
            "inf": [20240105.0, np.inf, 20231231.0, 3.0] * 10,
            "y": [True, False] * 20,
        }
    )
    found = agreed(table)
    kinds = {one.name: one.kind for one in found.contract.columns}
    usual = {"whole": "number", "real": "number", "flag": "boolean", "when": "time", "word": "category"}
    assert kinds == {**usual, "day": "time", "inf": "number"}
    assert "declare it an image or a sequence" in found.decision("nested").why
    assert found.contract.classes == ("False", "True")


@pytest.mark.parametrize(
    ("values", "classes"),
    [
        (["None", "NA"], ("NA", "None")),
        (["1", "True"], ("1", "True")),
        (["01", "1"], ("01", "1")),
        ([" a", "a "], (" a", "a ")),
        ([1, 2], ("1", "2")),
        ([1.0, 2.0], ("1", "2")),
        ([1.5, 2.0], ("1.5", "2.0")),
    ],
)
def test_classes_are_what_was_written(values: list[Any], classes: tuple[str, ...]) -> None:
    table = pd.DataFrame({"x": ["u", "v", "w", "u"] * 10, "y": values * 20})
    assert agreed(table).contract.classes == classes


def test_the_positive_class_is_last() -> None:
    table = written({"x": times(["u", "v", "w"]), "y": Y})
    assert agreed(table, positive="a").contract.classes == ("b", "a")


def refusal(table: pd.DataFrame, **said: Any) -> str:
    with pytest.raises(InputError) as caught:
        agreed(table, **said)
    message = str(caught.value)
    assert message.startswith("params.yaml: tasks.t")
    assert "\n" not in message
    return message


@pytest.mark.parametrize(
    ("columns", "said", "told"),
    [
        ({"y": ["b"] * ROWS}, {}, "tasks.t.target: 'y' has one class only (b)"),
        ({"y": Y}, {"positive": "c"}, "tasks.t.positive: 'y' has no class 'c'; it has a, b"),
        ({"y": Y}, {"target": "z"}, "tasks.t.target: the source has no column 'z'; it has x, y"),
        ({"y": Y}, {"columns": {"z": "number"}}, "tasks.t.columns: the source has no column 'z'; it has x, y"),
        ({"y": Y}, {"override": {"z": "drop"}}, "tasks.t.override: the source has no column 'z'; it has x, y"),
        ({"y": Y}, {"columns": {"y": "number"}}, "the target 'y' cannot be an input; remove it"),
        ({"y": Y}, {"override": {"x": "drop"}}, "no usable column besides 'y' ('x': declared)"),
        ({"y": [None] * ROWS}, {}, "every value of 'y' is missing"),
        ({"y": Y, "label": times(["1", "2", "3"])}, {}, "an input cannot be called 'label', as the answer is"),
        ({"y": Y}, {"split": {"by": "group", "column": "z"}}, "tasks.t.split.column: the source has no column 'z'"),
        (
            {"y": Y},
            {"columns": {"x": {"kind": "image", "shape": [1, 1], "low": 0, "high": 1}}},
            "nested lists of numbers",
        ),
    ],
)
def test_a_table_that_makes_no_contract_is_refused(columns: dict[str, Any], said: dict[str, Any], told: str) -> None:
    assert told in refusal(written({"x": times(["u", "v", "w"]), **columns}), **said)


def test_names_that_differ_in_case_only_or_hold_quotes_are_columns_of_their_own() -> None:
    names = ["Size", "size", "SIZE ", "it's", 'a "b"', "a.b", "Größe in €", "c0", "place", "file_row_number"]
    table = written({name: [str(i % (at + 3)) for i in range(ROWS)] for at, name in enumerate(names)} | {"y": Y})
    found = agreed(table)
    assert found.contract.names == names
    assert [found.decision(name).distinct for name in names] == list(range(3, 3 + len(names)))


def test_a_limit_among_many_rows_is_held_exactly() -> None:
    place = np.arange(30_000)
    expected = {
        ("shop_id", 15_001): "identifier: so named",
        ("shop id", 15_000): "different values: many",
        ("the shop's id", 30_000): "identifier: so named, and every value differs",
        ("shop", 29_999): "different values: many",
        ("name", 30_000): "identifier: every value differs",
        ("a note", 15_000): "free text",
        ("another note", 14_999): "different values: many",
    }
    columns = {
        name: [f"{distinct}{' words of' if 'note' in name else ''} {k}" for k in place % distinct]
        for name, distinct in expected
    }
    found = agreed(pd.DataFrame({**columns, "z": place % 3, "y": place % 2}))
    for (name, distinct), decided in expected.items():
        one = found.decision(name)
        assert decided in one.why
        assert (one.exact, one.distinct) == (True, distinct)


def test_an_estimated_number_of_values_is_told_as_one() -> None:
    rows = 200_000
    table = pd.DataFrame({"x": np.arange(rows) % 50_000 / 7, "z": [f"k{place % 50_000}" for place in range(rows)]})
    found = agreed(table.assign(y=np.arange(rows) % 2))
    for name in ("x", "z"):
        one = found.decision(name)
        assert not one.exact
        assert 0.8 < one.distinct / 50_000 < 1.2
    assert re.match(r"~(4[1-9]|5\d),000 different values", found.decision("z").why)
