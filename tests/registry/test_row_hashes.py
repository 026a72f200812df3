"""Row hashes of prepared tables of every kind, kept in a real MLflow store."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from mlflow import MlflowClient

from data.contract import Column, Contract
from registry import row_hashes
from registry.row_hashes import Rows, keep, kept

COLUMNS = (Column("plan", "category"), Column("tenure", "number"), Column("since", "time"), Column("active", "boolean"))
CONTRACT = Contract("churn", "churned", COLUMNS, ("no", "yes"))
SCHEMA = pa.schema(
    [
        ("plan", pa.string()),
        ("tenure", pa.float32()),
        ("since", pa.timestamp("us", "UTC")),
        ("active", pa.float32()),
        ("churned", pa.string()),
    ]
)


def table(first: int, count: int) -> pa.Table:
    """Rows from a number on, each another one; every third without a tenure, every fourth without a plan."""
    numbers = np.arange(first, first + count)
    gone = numbers % 4 == 0
    columns = [
        pa.array(np.where(gone, "", np.char.add("plan ", (numbers % 7).astype(str)))),
        pa.array(np.where(numbers % 3 == 0, np.nan, numbers + 0.1).astype(np.float32)),
        pa.array(numbers * 1_000_003, pa.timestamp("us", "UTC"), mask=gone & (numbers % 5 == 0)),
        pa.array((numbers % 2).astype(np.float32)),
        pa.array(np.where(numbers % 2 == 0, "no", "yes")),
    ]
    return pa.Table.from_arrays(columns, schema=SCHEMA)


def prepared(folder: Path, **parts: pa.Table) -> Path:
    folder.mkdir(exist_ok=True)
    for name, rows in parts.items():
        pq.write_table(rows, folder / f"{name}.parquet", row_group_size=7)
    return folder


def rows(folder: Path, contract: Contract = CONTRACT, digest: str = "now", **parts: pa.Table) -> Rows:
    return Rows(prepared(folder, **parts), contract, digest)


def test_a_hash_depends_on_the_values_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = {"train": table(0, 40), "validation": table(40, 10), "test": table(50, 20)}
    first = rows(tmp_path / "first", **given)
    shuffled = np.random.default_rng(0).permutation(40)
    other_order = given | {
        "train": given["train"].take(shuffled).select(["churned", "active", "since", "tenure", "plan"])
    }
    wide = pa.schema([field.with_type(pa.float64()) if field.type == pa.float32() else field for field in SCHEMA])
    as_double = {part: one.cast(wide) for part, one in given.items()}
    monkeypatch.setattr(row_hashes, "BATCH", 3)
    for number, again in enumerate((other_order, as_double)):
        second = rows(tmp_path / str(number), **again)
        assert np.array_equal(second.fit.hashes, first.fit.hashes)
        assert np.array_equal(second.hashes(second.fit.columns)[1], first.hashes(first.fit.columns)[1])
    assert len(first.fit.hashes) == 50


def test_one_other_value_in_any_column_is_another_row(tmp_path: Path) -> None:
    one = table(1, 1)
    for name in SCHEMA.names:
        other = table(6, 1) if name != "active" else table(2, 1)
        changed = one.set_column(SCHEMA.get_field_index(name), SCHEMA.field(name), other[name])
        found = rows(tmp_path, train=one, validation=one.slice(1), test=changed)
        assert changed[name] != one[name]
        assert not found.repeated.any()


def test_a_missing_number_and_a_zero_are_the_same_however_they_are_written(tmp_path: Path) -> None:
    def two(*bits: int) -> pa.Table:
        tenure = np.array(bits, dtype=np.uint32).view(np.float32)
        return table(0, 2).set_column(1, SCHEMA.field(1), pa.array(tenure))

    written, otherwise = two(0x7FC00000, 0x00000000), two(0x7FC00001, 0x80000000)  # NaN and 0; another NaN and -0
    assert rows(tmp_path, train=written, validation=written, test=otherwise).repeated.all()


@pytest.mark.parametrize("shape", [(4, 4), (6, 2)])
def test_images_and_sequences_have_hashes_of_all_their_cells(tmp_path: Path, shape: tuple[int, int]) -> None:
    cells = np.random.default_rng(0).random((5, shape[0] * shape[1])).astype(np.float32)
    kind = "image" if shape[0] == shape[1] else "sequence"
    contract = Contract("t", "y", (Column("x", kind, shape, 0, 1),), ("a", "b"))  # type: ignore[arg-type]

    def of(values: np.ndarray) -> pa.Table:
        return pa.table({"x": pa.array(list(values), pa.list_(pa.float32())), "y": pa.array(["a"] * len(values))})

    changed = cells.copy()
    changed[1, -1] += 0.25
    found = rows(tmp_path, contract, train=of(cells), validation=of(cells[:1]), test=of(changed))
    assert found.repeated.tolist() == [True, False, True, True, True]


def test_rows_that_another_state_fitted_on_are_told_even_where_a_column_was_added(tmp_path: Path) -> None:
    columns = tuple(column for column in COLUMNS if column.name != "active")
    before = rows(
        tmp_path / "before",
        Contract("churn", "churned", columns, CONTRACT.classes),
        train=table(0, 30).drop_columns("active"),
        validation=table(30, 10).drop_columns("active"),
        test=table(40, 10).drop_columns("active"),
    )
    now = rows(tmp_path / "now", train=table(20, 20), validation=table(40, 5), test=table(10, 10))
    mask = now.seen_by(before.fit)
    assert mask is not None
    assert mask.all()
    assert before.seen_by(now.fit) is None


def test_a_test_row_that_stands_in_todays_rows_to_fit_on_too_is_repeated_and_not_seen(tmp_path: Path) -> None:
    before = rows(tmp_path / "before", train=table(0, 30), validation=table(30, 1), test=table(31, 1))
    now = rows(tmp_path / "now", train=table(0, 4), validation=table(50, 2), test=table(2, 5))
    mask = now.seen_by(before.fit)
    assert mask is not None
    assert mask.tolist() == [False, False, True, True, True]
    assert now.repeated.tolist() == [True, True, False, False, False]


@pytest.mark.usefixtures("content")
def test_hashes_are_kept_once_for_each_digest_and_those_of_half_a_file_or_of_another_kind_count_as_none(
    tmp_path: Path,
) -> None:
    client = MlflowClient()
    run = client.create_run(client.create_experiment("rows")).info.run_id
    first = rows(tmp_path / "a", digest="a" * 64, train=table(0, 30), validation=table(30, 5), test=table(35, 5))
    second = rows(tmp_path / "b", digest="b" * 64, train=table(5, 30), validation=table(40, 5), test=table(0, 5))
    assert kept(client, run, first.digest) is None
    for one in (first, first, second):
        keep(client, run, one)
    assert {file.path for file in client.list_artifacts(run, "rows")} == {
        f"rows/{one.digest}.npz" for one in (first, second)
    }
    found = kept(client, run, first.digest)
    assert found is not None
    assert found.columns == ("active", "plan", "since", "tenure")
    assert np.array_equal(found.hashes, first.fit.hashes)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(row_hashes, "PROBE", pd.DataFrame({"text": ["hashed otherwise"]}))
        assert kept(client, run, first.digest) is None

    whole = Path(client.download_artifacts(run, f"rows/{first.digest}.npz", str(tmp_path)))
    half = tmp_path / "half" / whole.name
    half.parent.mkdir()
    half.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    client.log_artifact(run, str(half), "rows")
    assert kept(client, run, first.digest) is None
    keep(client, run, first)
    assert kept(client, run, first.digest) is not None
