import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from data import params
from data.contract import Contract
from data.errors import InputError
from data.fetch import fetch
from data.prepare import prepare as stage

FILES = ["columns.json", "contract.json", "reference.json", "test.parquet", "train.parquet", "validation.parquet"]


def prepare(content: dict, name: str) -> Path:
    fetch(content, name)
    return stage(content, name)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_prepared_folder_holds_every_row_once_as_the_contract_types_it(project: Path, fruit: pd.DataFrame) -> None:
    folder = prepare(params.load(), "fruit")
    assert sorted(contents(folder)) == FILES
    parts = [pd.read_parquet(folder / f"{part}.parquet") for part in ("train", "validation", "test")]
    assert [len(part) for part in parts] == [42, 6, 12]
    rows = pd.concat(parts).sort_values("weight", ignore_index=True)
    expected = fruit.sort_values("weight", ignore_index=True).fillna({"origin": ""}).astype({"weight": "float32"})
    pd.testing.assert_frame_equal(rows, expected)
    assert Contract.load(folder).names == ["weight", "origin"]


def test_rows_without_a_target_are_left_out_and_counted(
    project: Path, fruit: pd.DataFrame, capsys: pytest.CaptureFixture[str]
) -> None:
    fruit.loc[[0, 1, 5], "kind"] = None
    fruit.to_csv("fruit.csv", index=False)
    folder = prepare(params.load(), "fruit")
    assert "tasks.fruit: 3 of 60 rows have no 'kind' and are left out" in capsys.readouterr().out
    assert sum(len(pd.read_parquet(path)) for path in folder.glob("*.parquet")) == 57


def test_the_command_says_how_many_rows_each_split_has(project: Path, command: Callable) -> None:
    command("fetch", "fruit")
    ended = command("prepare", "fruit")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.splitlines()[-1] == "fruit: 42 train, 6 validation, 12 test rows"
    assert sorted(contents(project / "data/prepared/fruit")) == FILES


@pytest.mark.parametrize(
    ("column", "said"),
    [("size", "no column 'size'; it has weight, origin, kind"), ("empty", "every value of 'empty' is missing")],
)
def test_a_missing_target_column_names_the_key_and_the_columns_that_exist(
    project: Path, declare: Callable[..., Path], fruit: pd.DataFrame, column: str, said: str
) -> None:
    if column == "empty":
        fruit.assign(empty=None).to_csv("fruit.csv", index=False)
    declare(("target: kind", f"target: {column}"))
    with pytest.raises(InputError, match=r"^params\.yaml: tasks\.fruit\.target: ") as caught:
        prepare(params.load(), "fruit")
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("target: kind", "target: size"),
        ("target: kind", "target: kind\n    positive: plum"),
        ("target: kind", "target: kind\n    columns: {origin: number}"),
        ("target: kind", "target: kind\n    split: {by: time, column: origin, validation: '2020', test: '2021'}"),
        ("path: fruit.csv", "path: fruits.csv"),
    ],
    ids=["target", "positive", "values", "split", "source"],
)
def test_a_failed_prepare_leaves_the_earlier_folder_and_nothing_else(
    project: Path, declare: Callable[..., Path], old: str, new: str
) -> None:
    before = contents(prepare(params.load(), "fruit"))
    declare((old, new))
    with pytest.raises(InputError):
        prepare(params.load(), "fruit")
    assert contents(Path("data/prepared/fruit")) == before
    assert [path.name for path in Path("data/prepared").iterdir()] == ["fruit"]


def test_what_a_killed_prepare_left_is_cleared_away(project: Path) -> None:
    half = Path("data/prepared/.fruit.unfinished")
    half.mkdir(parents=True)
    (half / "stale.parquet").write_text("half a file")
    assert sorted(contents(prepare(params.load(), "fruit"))) == FILES
    assert not half.exists()


def test_a_second_prepare_replaces_the_folder_whole(project: Path) -> None:
    (prepare(params.load(), "fruit") / "stale.parquet").write_text("of an earlier version")
    assert sorted(contents(prepare(params.load(), "fruit"))) == FILES


def test_two_runs_give_the_same_bytes(project: Path) -> None:
    first = contents(prepare(params.load(), "fruit"))
    assert contents(prepare(params.load(), "fruit")) == first


def test_another_seed_gives_other_rows(project: Path, declare: Callable[..., Path]) -> None:
    first = contents(prepare(params.load(), "fruit"))
    declare(("seed: 3", "seed: 4"))
    assert contents(prepare(params.load(), "fruit"))["test.parquet"] != first["test.parquet"]


def test_the_reference_describes_the_training_rows(project: Path) -> None:
    folder = prepare(params.load(), "fruit")
    train = pd.read_parquet(folder / "train.parquet")
    reference = json.loads((folder / "reference.json").read_text(encoding="utf-8"))
    assert reference["rows"] == len(train)
    assert reference["columns"]["weight"]["quantiles"]["0.5"] == train["weight"].median()
