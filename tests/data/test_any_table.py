"""Any table of text becomes typed rows or one clear refusal."""

import json
import tempfile
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from data.errors import InputError
from data.prepare import prepare
from tests.data.conftest import snapshot, written

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), min_size=1, max_size=8)
WORDS = st.sampled_from(
    ["None", "NA", "1", "True", "nan", "01", " a", "a ", "é", "日本", "'", '"', "%d", "-", "1,5", "yes"]
)
NUMBERS = st.one_of(
    st.integers(-(10**12), 10**12).map(str),
    st.floats(allow_nan=True, allow_infinity=True).map(str),
    st.floats(-1e6, 1e6).map(lambda value: f"{value:,.2f}"),
    st.floats(-1e6, 1e6).map(lambda value: f"{value:.3f}".replace(".", ",")),
)
MOMENTS = st.datetimes().map(lambda moment: moment.strftime("%d.%m.%Y %H:%M")) | st.datetimes().map(str)
CELLS = st.sampled_from([TEXT, WORDS, NUMBERS, MOMENTS, NUMBERS | st.just("NA"), st.just("same"), TEXT | NUMBERS])
NAMES = st.lists(TEXT | WORDS, min_size=1, max_size=5, unique=True)
QUICK = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)


@st.composite
def tables(draw: st.DrawFn) -> pd.DataFrame:
    """A table with the target "the class" and at least six rows of each of its classes."""
    labels = draw(st.lists(TEXT | WORDS, min_size=2, max_size=4, unique=True))
    rows = draw(st.integers(6, 12)) * len(labels)
    columns: dict[str, list[Any]] = {}
    for name in draw(NAMES):
        cells = draw(CELLS)
        columns[name] = draw(st.lists(st.none() | cells, min_size=rows, max_size=rows))
    return written({**columns, "the class": [labels[row % len(labels)] for row in range(rows)]})


def prepared(table: pd.DataFrame, **said: Any) -> Path:
    snapshot(table)
    declaration = {"source": {"path": "t.csv"}, "target": "the class", **said}
    return prepare({"seed": 1, "tasks": {"t": declaration}, "models": {}}, "t")


@contextmanager
def elsewhere() -> Iterator[None]:
    """A working folder of its own."""
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        yield


@given(table=tables())
@QUICK
def test_labels_come_back_as_written_and_nothing_but_bad_input_is_raised(table: pd.DataFrame) -> None:
    with elsewhere():
        try:
            done = prepared(table, on_bad_rows="quarantine")
        except InputError as error:
            refused = str(error)
        else:
            refused = ""
            check(table, done)
            prepared(table, on_bad_rows="quarantine")  # the same rows never count as changed
    event("refused" if refused else "prepared")
    assert refused.startswith("params.yaml: tasks.t" if refused else "")


def check(table: pd.DataFrame, done: Path) -> None:
    """Every row is somewhere, with its class as written and values of the contract's types."""
    rows = pd.concat([pd.read_parquet(done / f"{part}.parquet") for part in ("train", "validation", "test")])
    bad = done / "quarantine.parquet"
    aside = pd.read_parquet(bad)["the class"].tolist() if bad.is_file() else []
    assert sorted([*rows["the class"], *aside]) == sorted(table["the class"])
    contract = json.loads((done / "contract.json").read_text(encoding="utf-8"))
    assert list(rows) == [column["name"] for column in contract["columns"]] + ["the class"]
    for column in contract["columns"]:
        values = rows[column["name"]]
        if column["kind"] in ("number", "boolean"):
            assert values.dtype == np.float32
            assert not np.isinf(values).any()
        elif column["kind"] == "time":
            assert str(values.dtype) == "datetime64[us, UTC]"
        else:
            assert not values.isna().any()
            assert set(values) - {""} <= set(table[column["name"]].dropna())


@given(values=st.lists(st.floats(-1e9, 1e9, width=32), min_size=12, max_size=12))
@settings(QUICK, max_examples=8)
def test_numbers_are_the_same_however_they_were_written(values: list[float]) -> None:
    forms = {
        "plain": [repr(float(value)) for value in values],
        "comma": [f"{value:.4f}".replace(".", ",") for value in values],
        "grouped": [f"{value:,.4f}" for value in values],
    }
    table = written({**forms, "order": [f"r{i % 5}" for i in range(12)], "the class": ["a", "b"] * 6})
    with elsewhere():
        done = prepared(table, override=dict.fromkeys(forms, "number"))
        rows = pd.concat([pd.read_parquet(done / f"{part}.parquet") for part in ("train", "validation", "test")])
    for name in forms:
        np.testing.assert_allclose(np.sort(rows[name]), np.sort(np.float32(values)), rtol=1e-6, atol=1e-4)
