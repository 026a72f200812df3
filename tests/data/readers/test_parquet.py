from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from data.errors import InputError
from data.readers import parquet


def read(*paths: Path) -> tuple[pa.Table, str]:
    rows = parquet.read(list(paths))
    assert not rows.text
    return pa.Table.from_batches(rows.batches, rows.schema), "\n".join(rows.notes)


def test_plain_types_stay_and_categories_decimals_and_durations_become_plain(tmp_path: Path) -> None:
    table = pa.table(
        {
            "whole": pa.array([1, None], pa.int32()),
            "flag": [True, None],
            "when": pa.array([0, 1], pa.timestamp("ms", "Europe/Berlin")),
            "kind": pa.array(["é", None]).dictionary_encode(),
            "price": pa.array([Decimal("1.25"), None]),
            "count": pa.array([Decimal("7"), None], pa.decimal128(5, 0)),
            "took": pa.array([1500, None], pa.duration("ms")),
            "bytes": pa.array([b"\xc3\xa9", None]),
            "nothing": pa.nulls(2),
        }
    )
    pq.write_table(table, tmp_path / "t.parquet")
    given, notes = read(tmp_path / "t.parquet")
    assert [str(form) for form in given.schema.types] == [
        *("int32", "bool", "timestamp[ms, tz=Europe/Berlin]", "string", "double", "int64", "double", "string", "string")
    ]
    assert given.slice(0, 1).drop_columns("when").to_pylist() == [
        {
            **{"whole": 1, "flag": True, "kind": "é", "price": 1.25, "count": 7, "took": 1.5, "bytes": "é"},
            "nothing": None,
        }
    ]
    assert set(given.slice(1, 1).drop_columns("when").to_pylist()[0].values()) == {None}
    assert "'price' holds decimal128(3, 2), kept as double" in notes
    assert "in seconds" in notes


@pytest.mark.parametrize("form", [pa.list_(pa.list_(pa.int64())), pa.list_(pa.list_(pa.float64(), 3), 2)])
def test_nested_lists_are_flattened_and_missing_cells_stay_missing(tmp_path: Path, form: pa.DataType) -> None:
    missing = None if pa.types.is_list(form) else [[0, 0, 0], [0, 0, 0]]  # pyarrow reads no missing list of fixed size
    cells = [[[1, 2, 3], [4, 5, 6]], missing, [[7, 8, 9], [10, 11, 12]]]
    pq.write_table(pa.table({"image": pa.array(cells, form)}), tmp_path / "t.parquet")
    given, _ = read(tmp_path / "t.parquet")
    assert given.schema.field("image").type == pa.list_(pa.float32())
    assert given["image"].to_pylist() == [[1, 2, 3, 4, 5, 6], missing and [0] * 6, [7, 8, 9, 10, 11, 12]]


def test_nested_lists_survive_the_borders_of_batches(tmp_path: Path) -> None:
    values = np.arange(5000 * 6, dtype=np.float32).reshape(5000, 2, 3)
    pq.write_table(pa.table({"image": values.tolist(), "y": ["a"] * 5000}), tmp_path / "t.parquet")
    given, _ = read(tmp_path / "t.parquet")
    assert np.array_equal(np.array(given["image"].to_pylist()), values.reshape(5000, 6))


def test_row_labels_of_pandas_and_columns_that_no_task_takes_are_left_out_and_told(tmp_path: Path) -> None:
    frame = pd.DataFrame({"x": [1.5, 2.5], "who": [{"name": "a"}, {"name": "b"}]}, index=[3, 9])
    frame.to_parquet(tmp_path / "t.parquet")
    given, notes = read(tmp_path / "t.parquet")
    assert given.to_pydict() == {"x": [1.5, 2.5]}
    assert "__index_level_0__" in notes
    assert "'who' holds struct<name: string>" in notes


def test_files_of_one_kind_are_one_table_with_the_wider_type(tmp_path: Path) -> None:
    pq.write_table(pa.table({"x": [1, 2], "y": ["a", "b"]}), tmp_path / "1.parquet")
    pq.write_table(pa.table({"y": ["c"], "x": [0.5]}), tmp_path / "2.parquet")
    given, _ = read(tmp_path / "1.parquet", tmp_path / "2.parquet")
    assert given.to_pydict() == {"x": [1.0, 2.0, 0.5], "y": ["a", "b", "c"]}


def test_files_of_other_columns_or_types_are_refused_with_the_difference(tmp_path: Path) -> None:
    one, two, three = (tmp_path / f"{place}.parquet" for place in (1, 2, 3))
    pq.write_table(pa.table({"x": [1]}), one)
    pq.write_table(pa.table({"z": [1]}), two)
    pq.write_table(pa.table({"x": ["a"]}), three)
    with pytest.raises(InputError, match=r"2\.parquet lacks 'x' and has 'z' besides"):
        read(one, two)
    with pytest.raises(InputError, match=r"3\.parquet has other types than .*1\.parquet"):
        read(one, three)


@pytest.mark.parametrize(("content", "said"), [(b"", "as Parquet"), (b"x\n1\n", "as Parquet"), (None, "no row")])
def test_what_is_no_parquet_or_has_no_row_is_refused(tmp_path: Path, content: bytes | None, said: str) -> None:
    path = tmp_path / "t.parquet"
    if content is None:
        pq.write_table(pa.table({"x": pa.array([], pa.int64())}), path)
    else:
        path.write_bytes(content)
    with pytest.raises(InputError, match=said) as caught:
        read(path)
    assert str(path) in str(caught.value)


def test_bytes_that_are_no_text_are_left_out_and_told_and_refused_where_there_is_nothing_else(tmp_path: Path) -> None:
    one, two, alone = (tmp_path / f"{name}.parquet" for name in ("1", "2", "alone"))
    pq.write_table(pa.table({"photo": [b"\xff\xd8\xff"], "a.b": [b"text"]}), one)
    pq.write_table(pa.table({"photo": [b"text"], "a.b": [b"more"]}), two)
    pq.write_table(pa.table({"photo": [b"\xff\xd8\xff"]}), alone)
    given, notes = read(one, two)
    assert given.to_pydict() == {"a.b": ["text", "more"]}
    assert "the column 'photo' holds bytes that are no text; left out" in notes
    with pytest.raises(InputError, match="no column that can be kept"):
        read(alone)
