import json
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from data import fetch as stage
from data import params
from data.errors import InputError
from data.fetch import fetch

Declare = Callable[..., Path]
RAW = Path("data/raw/fruit")


def contents(folder: Path = RAW) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def record() -> dict:
    return dict(json.loads((RAW / "source.json").read_text(encoding="utf-8")))


def source(text: str) -> tuple[str, str]:
    return "source: {path: fruit.csv}", f"source: {text}"


def test_a_snapshot_holds_the_rows_as_text_and_what_was_read(project: Path, fruit: pd.DataFrame) -> None:
    assert fetch(params.load(), "fruit") == RAW
    assert sorted(contents()) == ["rows.parquet", "source.json"]
    assert pq.read_table(RAW / "rows.parquet")["weight"].to_pylist()[6:8] == ["106.0", None]
    given = record()
    assert {name: given[name] for name in ("format", "text", "decimal", "notes")} == {
        **{"format": "csv", "text": True, "decimal": ".", "notes": []}
    }
    assert [one["path"] for one in given["files"]] == ["fruit.csv"]
    assert given["files"][0]["sha256"] == stage.digest(Path("fruit.csv"))


def test_the_same_files_are_not_read_again(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fetch(params.load(), "fruit")
    before = os.stat(RAW / "rows.parquet").st_mtime_ns
    fetch(params.load(), "fruit")
    assert os.stat(RAW / "rows.parquet").st_mtime_ns == before
    assert "the source is as it was" in capsys.readouterr().out


@pytest.mark.parametrize("change", ["file", "declaration", "snapshot", "folder"])
def test_a_change_of_file_declaration_or_snapshot_is_seen(
    project: Path, declare: Declare, fruit: pd.DataFrame, change: str
) -> None:
    fetch(params.load(), "fruit")
    before = contents()
    if change == "file":
        fruit.head(40).to_csv("fruit.csv", index=False)
    elif change == "declaration":
        declare(source("{path: fruit.csv, separator: ';'}"))
    elif change == "snapshot":
        (RAW / "rows.parquet").write_bytes(b"spoilt")
    else:
        (RAW / "source.json").unlink()
    fetch(params.load(), "fruit")
    assert (contents() == before) is (change in ("snapshot", "folder"))


def test_equal_rows_give_equal_bytes(project: Path) -> None:
    fetch(params.load(), "fruit")
    before = contents()
    Path("data/raw/.fruit.json").unlink()
    fetch(params.load(), "fruit")
    assert contents() == before


def test_a_python_file_is_always_run_again(declare: Declare) -> None:
    declare(source("{path: fruit.py}"))
    Path("fruit.py").write_text(
        "import pandas as pd, pathlib\n"
        "def read():\n    return pd.DataFrame({'x': [int(pathlib.Path('n').read_text())], 'kind': ['a']})\n"
    )
    for number in ("1", "2"):
        Path("n").write_text(number)
        fetch(params.load(), "fruit")
        assert pq.read_table(RAW / "rows.parquet").to_pydict() == {"x": [int(number)], "kind": ["a"]}


def test_a_query_is_always_asked_again_and_its_url_is_not_kept(
    declare: Declare, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FRUIT", "fruit.db")
    declare(source("{url: 'sqlite:///${FRUIT}', query: select * from fruit}"))
    with sqlite3.connect("fruit.db") as database:
        database.execute("create table fruit (weight real, kind text)")
    for rows in (1, 2):
        with sqlite3.connect("fruit.db") as database:
            database.execute("insert into fruit values (1.5, 'pear')")
        database.close()
        fetch(params.load(), "fruit")
        assert pq.read_table(RAW / "rows.parquet").num_rows == rows
    assert record() == {"files": [], "format": "sql", "text": False, "decimal": ".", "notes": []}
    assert not any("fruit.db" in path.read_text() for path in Path("data/raw").rglob("*.json"))


def test_a_pattern_of_files_is_one_table_in_the_order_of_names(declare: Declare, fruit: pd.DataFrame) -> None:
    declare(source("{path: 'fruit-*.csv'}"))
    for name, rows in (("b", fruit[30:]), ("a", fruit[:30])):
        rows.to_csv(f"fruit-{name}.csv", index=False)
    fetch(params.load(), "fruit")
    assert pq.read_table(RAW / "rows.parquet")["kind"].to_pylist() == fruit["kind"].tolist()
    assert [one["path"] for one in record()["files"]] == ["fruit-a.csv", "fruit-b.csv"]


@pytest.mark.parametrize(
    ("rows", "decimal"),
    [
        ("a;b\n1,5;x\n2;y\n", ","),
        ("a;b\n1.5;x\n2;y\n", "."),
        ('a,b\n"1,5",x\n"2,25",y\n', ","),
        ('a,b\n"1,500",x\n"22,250",y\n', "."),
        ("a;b\n1,5;x\nword;y\n", "."),
        ("a;b\n1,5;x\n2 or 3, it depends;y\n", "."),
        ("a;b\n0,123;x\n;y\n", ","),
    ],
    ids=["comma", "point", "quoted", "thousands", "words", "sentence", "nought"],
)
def test_a_decimal_comma_is_seen_where_there_is_evidence(declare: Declare, rows: str, decimal: str) -> None:
    declare()
    Path("fruit.csv").write_text(rows)
    fetch(params.load(), "fruit")
    assert record()["decimal"] == decimal
    assert any("decimal comma, as 'a' shows" in note for note in record()["notes"]) is (decimal == ",")


def test_a_declared_decimal_mark_wins(declare: Declare) -> None:
    declare(source("{path: fruit.csv, decimal: '.'}"))
    Path("fruit.csv").write_text("a;b\n1,5;x\n")
    fetch(params.load(), "fruit")
    assert record()["decimal"] == "."


@pytest.mark.parametrize("content", ["weight,kind\n1,a\n1,a,b\n", "", "weight,kind\n"])
def test_a_failed_fetch_leaves_the_earlier_snapshot_and_nothing_else(project: Path, content: str) -> None:
    fetch(params.load(), "fruit")
    before = contents()
    Path("fruit.csv").write_text(content)
    with pytest.raises(InputError, match=r"fruit\.csv"):
        fetch(params.load(), "fruit")
    assert contents() == before
    assert sorted(path.name for path in Path("data/raw").iterdir()) == [".fruit.json", "fruit"]


def test_the_command_tells_rows_and_notes_and_ends_with_one_line_where_it_cannot(
    project: Path, command: Callable
) -> None:
    Path("fruit.csv").write_bytes("weight;kind\n1,5;Äpfel\n2,5;Birnen\n".encode("cp1252"))
    ended = command("fetch", "fruit")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.splitlines()[0] == "fruit: 2 rows of 2 columns"
    for said in ("read as cp1252", "semicolon", "decimal comma"):
        assert said in ended.stdout
    Path("fruit.csv").write_bytes(b"\0\1\2" * 50)
    ended = command("fetch", "fruit")
    assert ended.returncode == 1
    assert (
        ended.stderr
        == "error: fruit.csv is no text, as it holds zero bytes; save it as CSV, or give it the ending of its kind\n"
    )
