"""What happens when new rows arrive under a contract that is there."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from data import params, table
from data.agree import Agreement
from data.contract import Contract
from data.errors import InputError
from data.prepare import prepare
from tests.data.conftest import snapshot, written

ROWS = 300
CONTENT: dict[str, Any] = {"seed": 3, "tasks": {}, "models": {}}
Write = Callable[..., Path]


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def rows() -> pd.DataFrame:
    random = np.random.default_rng(0)
    return written(
        {
            "n": [f"{value:.2f}" for value in random.normal(size=ROWS)],
            "c": list(random.choice(["u", "v", "w"], ROWS)),
            "ok": list(random.choice(["true", "false"], ROWS)),
            "when": [f"{1 + i % 28:02d}.{1 + i % 12:02d}.2024" for i in range(ROWS)],
            "who": [f"p{i % 20}" for i in range(ROWS)],
            "y": list(random.choice(["a", "b"], ROWS)),
        }
    )


def run(rows: pd.DataFrame, accept: bool = False, **said: Any) -> Path:
    """The prepare stage on these rows."""
    snapshot(rows)
    declaration = {"source": {"path": "t.csv"}, "target": "y", **said}
    return prepare(CONTENT | {"tasks": {"t": declaration}}, "t", accept)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


CHANGES: dict[str, tuple[Callable[[pd.DataFrame], pd.DataFrame], str, str]] = {
    "vanished": (lambda rows: rows.drop(columns="c"), "'c': input, category before, vanished now", "c"),
    "no target": (lambda rows: rows.drop(columns="y"), "'y': target, category before, vanished now", "y"),
    "no numbers": (lambda rows: rows.assign(n="high"), "100% of the values are no number", "n"),
    "no times": (lambda rows: rows.assign(when="soon"), "100% of the values are no time", "when"),
    "numbers": (lambda rows: rows.assign(c=rows["n"]), "'c': input, category before, numbers now", "c"),
    "missing": (
        lambda rows: rows.assign(n=rows["n"].where(rows.index % 10 > 6)),
        "'n': 0.0% missing before, 70.0% missing now",
        "n",
    ),
}


@pytest.mark.parametrize("case", CHANGES)
def test_a_changed_source_stops_with_a_table_and_leaves_what_was_prepared(
    rows: pd.DataFrame, case: str, capsys: pytest.CaptureFixture[str]
) -> None:
    change, told, column = CHANGES[case]
    before = contents(run(rows))
    with pytest.raises(InputError) as caught:
        run(change(rows))
    assert told in str(caught.value)
    assert "python -m data accept t" in str(caught.value)
    shown = capsys.readouterr().out
    assert "what has changed in the source" in shown
    assert any(line.startswith(f"│ {column} ") and "stops" in line for line in shown.splitlines())
    assert contents(Path("data/prepared/t")) == before


def test_other_rows_under_the_same_declaration_keep_the_contract(rows: pd.DataFrame) -> None:
    before = run(rows).joinpath("contract.json").read_bytes()
    later = rows.head(120).assign(c=["u"] * 119 + ["v"], n=[str(i) for i in range(120)], extra="1")
    folder = run(later)
    assert folder.joinpath("contract.json").read_bytes() == before
    assert sum(len(pd.read_parquet(folder / f"{part}.parquet")) for part in ("train", "validation", "test")) == 120


@pytest.mark.parametrize("labels", [[True, False], [1, 2], [1.5, 2.0], ["1", "x"], ["01", "02"]])
def test_the_same_rows_never_count_as_changed(rows: pd.DataFrame, labels: list[Any]) -> None:
    native = rows.assign(
        y=labels * (ROWS // 2), flag=rows["ok"].eq("true"), at=pd.Timestamp("2024-01-01"), one=["x", None, None] * 100
    )
    before = contents(run(native, override={"flag": "category", "at": "category"}))
    assert contents(run(native, override={"flag": "category", "at": "category"})) == before


def test_a_new_column_is_told_and_not_used(rows: pd.DataFrame, capsys: pytest.CaptureFixture[str]) -> None:
    run(rows)
    capsys.readouterr()
    folder = run(rows.assign(extra="1"))
    assert "extra" in capsys.readouterr().out
    assert "extra" not in Contract.load(folder).names


def test_another_declaration_makes_the_contract_anew(rows: pd.DataFrame) -> None:
    run(rows)
    assert "c" not in Contract.load(run(rows, override={"c": "drop"})).names
    assert Contract.load(run(rows, positive="a")).classes == ("b", "a")


def test_an_accepted_source_is_the_new_contract(rows: pd.DataFrame) -> None:
    run(rows)
    changed = rows.drop(columns="c").assign(n="high", extra=rows["c"])
    with pytest.raises(InputError):
        run(changed)
    assert Contract.load(run(changed, accept=True)).names == ["ok", "when", "who", "extra"]
    run(changed)


SPOILT = {
    ("n", 3): "many",
    ("n", 4): "inf",
    ("ok", 5): "maybe",
    ("when", 6): "31.02.2024",
    ("y", 7): "c",
}


@pytest.fixture
def spoilt(rows: pd.DataFrame) -> pd.DataFrame:
    run(rows)
    for (column, row), value in SPOILT.items():
        rows.loc[row, column] = value
    return rows


def test_bad_rows_stop_with_column_count_examples_and_the_choices(spoilt: pd.DataFrame) -> None:
    before = contents(Path("data/prepared/t"))
    with pytest.raises(InputError) as caught:
        run(spoilt)
    message = str(caught.value)
    assert "column 'n' has 2 values that are no finite number (many, inf)" in message
    assert "column 'ok' has 1 values that are neither true nor false (maybe)" in message
    assert (
        "accept new classes with `python -m data accept t`, or set tasks.t.on_bad_rows to drop or quarantine" in message
    )
    assert contents(Path("data/prepared/t")) == before


def test_bad_rows_are_dropped_and_counted(spoilt: pd.DataFrame, capsys: pytest.CaptureFixture[str]) -> None:
    folder = run(spoilt, on_bad_rows="drop")
    assert "t: 5 of 300 rows left out" in capsys.readouterr().out
    assert sum(len(pd.read_parquet(folder / f"{part}.parquet")) for part in ("train", "validation", "test")) == 295
    assert "quarantine.parquet" not in contents(folder)


def test_quarantined_rows_are_kept_as_they_were_with_number_and_reason(
    spoilt: pd.DataFrame, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = run(spoilt, on_bad_rows="quarantine")
    assert "they are in data/prepared/t/quarantine.parquet" in capsys.readouterr().out
    kept = pd.read_parquet(folder / "quarantine.parquet")
    assert kept["row in the source"].tolist() == [4, 5, 6, 7, 8]
    assert kept["reason"].tolist() == [
        *["n: no finite number"] * 2, "ok: neither true nor false", "when: no time of the form %d.%m.%Y",
        "y: no class of the target",
    ]  # fmt: skip
    pd.testing.assert_frame_equal(kept[list(spoilt)], spoilt.iloc[3:8].reset_index(drop=True))


@pytest.mark.parametrize(
    ("cell", "told"),
    [([0.0] * 5, "not of the shape (2, 3)"), ([0.0, 1, 2, 3, 4, 9.5], "outside 0 to 9"), (None, "shape")],
)
def test_an_image_of_another_shape_or_range_is_a_bad_row(cell: list[float] | None, told: str) -> None:
    images: list[Any] = [[float(i % 9)] * 6 for i in range(60)]
    images[20] = cell
    rows = pd.DataFrame({"i": images, "y": ["a", "b"] * 30})
    said = {"columns": {"i": {"kind": "image", "shape": [2, 3], "low": 0, "high": 9}}}
    with pytest.raises(InputError) as caught:
        run(rows, **said)
    assert told in str(caught.value)
    folder = run(rows, on_bad_rows="drop", **said)
    assert len(pd.read_parquet(folder / "train.parquet")["i"].iloc[0]) == 6


def test_suspicions_of_leakage_are_printed_and_stored(rows: pd.DataFrame, capsys: pytest.CaptureFixture[str]) -> None:
    score = rows["y"].map({"a": -1.0, "b": 1.0}) + np.random.default_rng(1).normal(0, 0.1, ROWS)
    leaky = rows.assign(score=score.round(3).astype("str"), code=rows["y"].map({"a": "x", "b": "z"}))
    folder = run(leaky)
    shown = capsys.readouterr().out
    stored = Agreement.load(folder), (folder / "reference.json").read_text(encoding="utf-8")
    assert stored[0] is not None
    for column in ("score", "code"):
        assert f"suspicion of leakage: '{column}' predicts the target almost perfectly" in shown
        assert f"'{column}' predicts the target" in stored[1]
    assert "'n'" not in shown
    before = contents(folder)
    with pytest.raises(InputError, match="suspicion of leakage: 'score' predicts"):
        run(leaky, on_leak="stop")
    assert contents(folder) == before


def test_rows_that_are_in_two_splits_and_rows_sorted_by_the_target_are_told(
    rows: pd.DataFrame, capsys: pytest.CaptureFixture[str]
) -> None:
    ordered = pd.concat([rows, rows]).sort_values("y", ignore_index=True)
    ordered = ordered.assign(id=[str(500 + i) for i in range(2 * ROWS)])
    run(ordered.astype("str"))
    shown = capsys.readouterr().out
    assert "the rows are sorted by the target" in shown
    assert "'id' (identifier: whole numbers without gap or repetition) sorts with the target" in shown
    assert "test rows" in shown
    assert "have the same inputs as a training row" in shown


def test_rows_that_are_equal_by_chance_are_no_suspicion(capsys: pytest.CaptureFixture[str]) -> None:
    random = np.random.default_rng(0)
    columns = {
        "age": random.integers(18, 90, ROWS),
        "name": random.integers(0, 3, ROWS),
        "y": random.integers(0, 2, ROWS),
    }
    few = pd.DataFrame(columns).astype("str")
    note = [f"the {a} and the {b} of {c}" if a % 10 else "" for a, b, c in random.integers(0, 99, (ROWS, 3))]
    run(few.drop(columns="name").assign(note=note).astype("str"))
    assert "leakage" not in capsys.readouterr().out
    run(few, accept=True)
    shown = capsys.readouterr().out
    assert "test rows (" in shown
    assert "chance explains" in shown
    assert "leakage" not in shown
    run(pd.concat([few.assign(income=random.integers(0, 9**6, ROWS).astype("str"))] * 2), accept=True)
    assert "suspicion of leakage: " in capsys.readouterr().out


def test_classes_that_look_like_one_are_told(rows: pd.DataFrame, capsys: pytest.CaptureFixture[str]) -> None:
    rows.loc[::7, "y"] = "A "
    run(rows)
    assert "the classes 'A ', 'a' differ in blanks or capitals only" in capsys.readouterr().out


def test_nothing_is_suspected_of_honest_rows(rows: pd.DataFrame, capsys: pytest.CaptureFixture[str]) -> None:
    run(rows)
    assert "leakage" not in capsys.readouterr().out


@pytest.mark.parametrize(
    "split",
    [
        {"by": "random"},
        {"by": "group", "column": "who"},
        {"by": "time", "column": "when", "validation": "2024-08-01", "test": "2024-10-01"},
    ],
    ids=["random", "group", "time"],
)
def test_folds_are_written_for_each_training_row(rows: pd.DataFrame, split: dict[str, Any]) -> None:
    folder = run(rows, split=split | {"folds": 4}, override={"who": "category", "when": "time"})
    train, fold = pd.read_parquet(folder / "train.parquet"), pd.read_parquet(folder / "folds.parquet")["fold"]
    assert fold.dtype == np.int8
    assert len(fold) == len(train)
    assert sorted(set(fold)) == [0, 1, 2, 3]
    if split["by"] == "group":
        assert train.groupby("who").apply(lambda part: fold[part.index].nunique()).eq(1).all()
    if split["by"] == "time":
        assert train.groupby(fold)["when"].max().is_monotonic_increasing
        assert (
            train.groupby(fold)["when"].max()[:-1].to_numpy() <= train.groupby(fold)["when"].min()[1:].to_numpy()
        ).all()


def test_rows_stay_whole_and_in_order_when_they_come_in_many_batches(
    rows: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = {part: pd.read_parquet(run(rows) / f"{part}.parquet") for part in ("train", "validation", "test")}
    monkeypatch.setattr("data.write.GROUP", (7, 7))
    asked = table.Table.batches
    monkeypatch.setattr(table.Table, "batches", lambda self, query, size: asked(self, query, 7))
    folder = run(rows, accept=True)
    for part, expected in whole.items():
        pd.testing.assert_frame_equal(pd.read_parquet(folder / f"{part}.parquet"), expected)


def test_the_command_shows_the_contract_and_yaml_that_can_be_pasted(
    project: Path, command: Callable[..., Any], declare: Write
) -> None:
    shown = command("inspect", "fruit")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert any(line.split() and "weight" in line and "number" in line for line in shown.stdout.splitlines())
    pasted = shown.stdout[shown.stdout.index("    override:") :].split("\n\n")[0]
    declare(("    target: kind\n", "    target: kind\n" + pasted.rstrip() + "\n"))
    assert params.task(params.load(), "fruit").override == {"weight": "number", "origin": "category"}
    assert not (project / "data/prepared").exists()
    assert command("prepare", "fruit").returncode == 0
