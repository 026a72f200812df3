import sqlite3
from pathlib import Path

import pyarrow as pa
import pytest

from data import readers
from data.errors import InputError
from data.readers import sql

KEY = "tasks.t.source"
PASSWORD = "s3cret/@:word"  # noqa: S105


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "shop.db"
    with sqlite3.connect(path) as connection:
        connection.execute("create table visits (n integer, x real, name text, mixed, late, price decimal(8, 2))")
        rows = [
            (i, i / 2 if i % 5 else None, f"é{i}", i if i % 2 else str(i), None if i < 90 else 0.5, i)
            for i in range(100)
        ]
        connection.executemany("insert into visits values (?, ?, ?, ?, ?, ?)", rows)
    connection.close()
    return path


def read(url: str, query: str) -> tuple[pa.Table, str]:
    rows = sql.read(url, query, KEY)
    assert not rows.text
    return pa.Table.from_batches(rows.batches, rows.schema), "\n".join(rows.notes)


def refusal(url: str, query: str = "select 1") -> str:
    with pytest.raises(InputError) as caught:
        sql.read(url, query, KEY)
    return str(caught.value)


def test_a_query_gives_its_rows_with_their_types(database: Path) -> None:
    given, notes = read(f"sqlite:///{database}", "select n, x, name from visits where n < 3 order by n")
    assert given.to_pydict() == {"n": [0, 1, 2], "x": [None, 0.5, 1.0], "name": ["é0", "é1", "é2"]}
    assert notes == ""


def test_types_that_change_from_part_to_part_are_widened_over_all_parts(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sql, "BATCH_ROWS", 7)
    given, notes = read(f"sqlite:///{database}", "select mixed, late, n as price from visits order by n")
    assert given["mixed"].to_pylist() == [str(i) for i in range(100)]
    assert given["late"].to_pylist() == [None] * 90 + [0.5] * 10
    assert given["price"].type == pa.int64()
    assert notes == "the query: the column 'mixed' mixes types and is kept as text"


def test_only_a_part_of_the_rows_is_held_at_once(database: Path) -> None:
    rows = sql.read(f"sqlite:///{database}", "select a.n from visits a, visits b, visits c limit 100000", KEY)
    sizes = [batch.num_rows for batch in rows.batches]
    assert sum(sizes) == 100_000
    assert max(sizes) <= readers.BATCH_ROWS


def test_environment_variables_are_filled_in_with_any_signs(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP", f"sqlite:///{database}")
    assert read("${SHOP}", "select count(*) as n from visits")[0].to_pydict() == {"n": [100]}
    monkeypatch.setenv("SHOP", str(database))
    assert read("sqlite:///${SHOP}", "select count(*) as n from visits")[0].to_pydict() == {"n": [100]}
    monkeypatch.setenv("PASSWORD", PASSWORD)
    address, _ = sql._address("postgresql://me:${PASSWORD}@localhost/db", KEY)
    assert str(address.password) == PASSWORD


def test_a_missing_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOWHERE", raising=False)
    message = refusal("postgresql://me:${NOWHERE}@localhost/db")
    assert message == "params.yaml: tasks.t.source.url: the environment variable NOWHERE is not set; export it"


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("nodriver://me:" + "hidden@host/db", "install the driver"),
        ("sqlite+nodriver://me:" + "hidden@host/db", "install the driver"),
        ("me:" + "hidden@host", "no SQLAlchemy URL"),
        ("sqlite:////nowhere/shop.db", "there is no file /nowhere/shop.db"),
    ],
)
def test_a_wrong_url_is_refused_without_its_password(url: str, said: str) -> None:
    message = refusal(url)
    assert message.startswith("params.yaml: tasks.t.source")
    assert said in message
    assert "hidden" not in message


def test_what_the_database_says_is_told_without_the_password(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", "n0such")
    message = refusal(f"sqlite:///{database}?vfs=${{TOKEN}}&uri=true".replace("sqlite:///", "sqlite:///file:"))
    assert "n0such" not in message
    message = refusal(f"sqlite:///{database}", "select * from nowhere")
    assert "no such table: nowhere" in message
    assert "correct the URL or the query" in message


def test_a_query_without_rows_is_refused(database: Path) -> None:
    assert "gives no row" in refusal(f"sqlite:///{database}", "select * from visits where n < 0")


def test_a_database_is_not_made_by_looking_for_it(tmp_path: Path) -> None:
    refusal(f"sqlite:///{tmp_path}/shop.db")
    assert not (tmp_path / "shop.db").exists()
