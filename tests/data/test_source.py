from pathlib import Path

import pytest

from data import source
from data.errors import InputError
from data.params import Source

KEY = "tasks.t.source"


def refusal(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        source.files(Source(path=path), KEY)
    assert str(caught.value).startswith(f"params.yaml: {KEY}.path: ")
    return str(caught.value)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path) -> Path:
    for name in ("b.csv", "a.csv", "c.parquet", "d.py", "e.py", "f.xlsx", "g.csv.gz", "nocsv.gz"):
        (tmp_path / name).write_text("x\n")
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "h.csv").write_text("x\n")
    return tmp_path


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("a.csv", "a.csv"),
        ("[ab].csv", "a.csv b.csv"),
        ("**/*.csv", "a.csv b.csv h.csv"),
        ("*.csv*", "a.csv b.csv g.csv.gz"),
    ],
)
def test_a_pattern_names_its_files_in_order(folder: Path, pattern: str, names: str) -> None:
    assert [path.name for path in source.files(Source(path=folder / pattern), KEY)] == names.split()


def test_a_file_whose_name_is_a_pattern_is_that_file(folder: Path) -> None:
    (folder / "[ab].csv").write_text("x\n")
    assert [path.name for path in source.files(Source(path=folder / "[ab].csv"), KEY)] == ["[ab].csv"]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        *(("x.csv", "csv"), ("x.CSV", "csv"), ("x.v2.csv.gz", "csv"), ("x.tsv", "csv"), ("x.txt.bz2", "csv")),
        *(("x.zip", "csv"), ("x.parquet", "parquet"), ("x.py", "python"), ("x.gz", None), ("x.parquet.gz", None)),
        *(("x", None), ("csv", None), ("x.json", None)),
    ],
)
def test_the_ending_tells_the_kind(name: str, kind: str | None) -> None:
    assert source.kind(Path(name)) == kind


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("absent.csv", "there is no file"),
        ("*.tsv", "there is no file"),
        ("inner", "inner is a folder; give a pattern of its files, such as"),
        ("f.xlsx", "f.xlsx is of an unknown kind; save it as .csv or .parquet"),
        ("nocsv.gz", "unknown kind"),
        ("[ac].*", "a.csv and"),
        ("*.py", "2 Python files fit"),
    ],
)
def test_files_that_cannot_be_the_source_are_refused_with_the_kinds(folder: Path, name: str, said: str) -> None:
    assert said in refusal(folder / name)


def test_how_text_is_written_is_not_declared_of_other_sources(folder: Path) -> None:
    with pytest.raises(InputError, match=r"source\.decimal: only text tables"):
        source.rows(Source(path=folder / "c.parquet", decimal=","), [folder / "c.parquet"], KEY)


def test_a_query_has_no_files() -> None:
    assert source.files(Source(url="sqlite:///x.db", query="select 1"), KEY) == []
