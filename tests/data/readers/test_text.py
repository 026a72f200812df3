"""Text tables as people have them, each a real file in its real encoding."""

import bz2
import csv
import gzip
import io
import lzma
import zipfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from data.errors import InputError
from data.readers import Rows, text


def read(*paths: Path, encoding: str | None = None, separator: str | None = None) -> tuple[list[str], list[Any], str]:
    """Names, rows as lists and all notes."""
    rows: Rows = text.read(list(paths), encoding, separator)
    table = pa.Table.from_batches(rows.batches, rows.schema)
    assert rows.text
    return table.column_names, [list(row.values()) for row in table.to_pylist()], "\n".join(rows.notes)


def refusal(path: Path, **given: str) -> str:
    with pytest.raises(InputError) as caught:
        read(path, **given)
    message = str(caught.value)
    assert str(path) in message
    return message


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "rows.csv"


def test_every_field_stays_as_it_was_written_and_only_an_empty_one_is_missing(path: Path) -> None:
    path.write_text('a,b\nNone,NA\n1,True\n01,nan\n,""\n 1.50 ,null\n')
    expected = [["None", "NA"], ["1", "True"], ["01", "nan"], [None, None], [" 1.50 ", "null"]]
    assert read(path) == (["a", "b"], expected, "")


@pytest.mark.parametrize(("separator", "said"), [(",", ""), (";", "semicolon"), ("\t", "tab"), ("|", "vertical bar")])
def test_the_separator_is_found_and_told(path: Path, separator: str, said: str) -> None:
    path.write_text(separator.join("xyz") + "\n" + separator.join(["1", '"p, q; r|s"', "3"]) + "\n")
    names, rows, notes = read(path)
    assert (names, rows) == (["x", "y", "z"], [["1", "p, q; r|s", "3"]])
    assert said in notes


def test_decimal_commas_do_not_pass_for_separators(path: Path) -> None:
    path.write_text("a;b\n1,5;2,5\n3,5;4,5\n")
    assert read(path)[:2] == (["a", "b"], [["1,5", "2,5"], ["3,5", "4,5"]])


def test_one_column_of_sentences_stays_one_column(path: Path) -> None:
    path.write_text("text\nHello, world\nFoo; bar, baz\nplain\n")
    assert read(path)[:2] == (["text"], [["Hello, world"], ["Foo; bar, baz"], ["plain"]])


def test_a_declared_separator_wins(path: Path) -> None:
    path.write_text("a:b,c\n1:2,3\n")
    assert read(path, separator=":")[:2] == (["a", "b,c"], [["1", "2,3"]])


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends_of_any_system_quotes_and_line_breaks_within_a_field(path: Path, end: str) -> None:
    path.write_bytes(f'a,b{end}1,"x{end}""y"""{end}{end}2,"p, q"{end}'.encode())
    assert read(path)[:2] == (["a", "b"], [["1", f'x{end}"y"'], ["2", "p, q"]])


def test_quotes_escaped_by_a_backslash_are_read_and_told_where_doubling_does_not_fit(path: Path) -> None:
    path.write_text('a,b\n1,"She said \\"yes, well\\""\n2,plain\n')
    _, rows, notes = read(path)
    assert rows == [["1", 'She said "yes, well"'], ["2", "plain"]]
    assert "backslash" in notes
    path.write_text('a,b\n1,"C:\\dir\\"\n2,plain\n')
    assert read(path) == (["a", "b"], [["1", "C:\\dir\\"], ["2", "plain"]], "")


def test_a_missing_last_field_of_the_last_row_is_a_row(path: Path) -> None:
    path.write_text("a,b\n1,\n")
    assert read(path)[1] == [["1", None]]


def test_a_last_field_that_ends_with_lines_is_not_taken_for_an_open_quote(path: Path) -> None:
    path.write_text('a,b\n1,"x\ny\n"')
    assert read(path)[1] == [["1", "x\ny\n"]]


SENTENCES = {
    "German": ("cp1252", "Straße;Größe\nKönigstraße;1\nMüller-Lüdenscheidt-Weg;2\nAn der Mühle;3\n"),
    "French": ("cp1252", "prénom;âge\nHélène;30\nFrançois;31\nNoël;12\n"),
    "Spanish": ("latin-1", "año;sí\n2010;niño\n2011;mañana\n"),
    "euro": ("cp1252", "Preis €;x\n5;1\n6;2\n"),
    "Polish": ("cp1250", "miasto;y\nŁódź;1\nKraków;2\nGdańsk;1\nWrocław;0\nŚwinoujście;1\n"),
    "Russian": ("cp1251", "город;цена\nМосква;1\nСанкт-Петербург;2\nНовосибирск;3\n"),  # noqa: RUF001 - Cyrillic is meant
    "Japanese": ("cp932", "名前;値\n東京;1\n大阪;2\n"),
    "BOM": ("utf-8-sig", "Größe;y\nä;1\n"),
    "UTF-16": ("utf-16", "Größe;y\nä;1\n"),
    "UTF-16 unmarked": ("utf-16-le", "Größe;y\nä;1\nbcdef;2\n"),
    "UTF-16 other way": ("utf-16-be", "Größe;y\nä;1\nbcdef;2\n"),
}


@pytest.mark.parametrize("name", SENTENCES)
def test_the_encoding_is_found_and_told(path: Path, name: str) -> None:
    encoding, content = SENTENCES[name]
    path.write_bytes(content.encode(encoding))
    expected = list(csv.reader(io.StringIO(content), delimiter=";"))
    names, rows, notes = read(path)
    assert [names, *rows] == expected
    assert "UTF" in notes


def test_utf_8_without_a_mark_needs_no_word(path: Path) -> None:
    path.write_text("Größe,y\nä,日本\n", encoding="utf-8")
    assert read(path) == (["Größe", "y"], [["ä", "日本"]], "")


def test_an_accent_far_behind_the_beginning_still_tells_the_encoding(path: Path) -> None:
    path.write_bytes(b"a,b\n" + b"plain words,1\n" * 200_000 + "Málaga,2\n".encode("cp1252"))
    assert read(path)[1][-1] == ["Málaga", "2"]


def test_a_declared_encoding_wins_and_a_wrong_one_is_refused(path: Path) -> None:
    path.write_bytes("x,y\nÄpfel,1\n".encode("mac_roman"))
    assert read(path, encoding="mac_roman")[1] == [["Äpfel", "1"]]
    assert "not written in utf-8" in refusal(path, encoding="utf-8")


def test_names_of_any_kind_pass(path: Path) -> None:
    names = ["prix (€)", "l'âge", 'the "best"', "a.b.c", "two\nlines", "$£¥", "select", "日本"]
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([names, list("abcdefgh")])
    assert read(path)[:2] == (names, [list("abcdefgh")])


def test_names_that_are_missing_double_or_padded_are_mended_and_told(path: Path) -> None:
    path.write_text(",x, x ,x,x (2),Unnamed: 5\n0,1,2,3,4,5\n")
    names, rows, notes = read(path)
    assert names == ["column 1", "x", "x (3)", "x (4)", "x (2)", "Unnamed: 5"]
    assert rows == [list("012345")]
    for said in ("column 1 has no name", "'x' occurs again in column 3", "without the blanks", "row numbers"):
        assert said in notes


def test_excels_line_on_the_separator_and_empty_lines_before_the_names_are_no_rows(path: Path) -> None:
    path.write_bytes(b"sep=;\r\n\r\n\r\na;b\r\n1;2\r\n")
    assert read(path)[:2] == (["a", "b"], [["1", "2"]])


def test_a_first_row_of_numbers_is_told(path: Path) -> None:
    path.write_text("1,2.5\n3,4\n")
    assert "taken as column names" in read(path)[2]


def test_a_damaged_archive_is_refused(tmp_path: Path) -> None:
    for ending, content in {
        ".csv.gz": gzip.compress(b"a,b\n" + b"1,2\n" * 99)[:-20],
        ".csv.bz2": b"BZh9 no",
        ".csv.xz": b"no",
        ".zip": b"PK\x03\x04 no",
    }.items():
        path = tmp_path / f"rows{ending}"
        path.write_bytes(content)
        assert "cannot be unpacked" in refusal(path)


PACKERS = {".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress}


@pytest.mark.parametrize("ending", PACKERS)
def test_compressed_tables_are_unpacked(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"rows.csv{ending}"
    path.write_bytes(PACKERS[ending]("ä,b\n1,2\n".encode("cp1252")))
    assert read(path)[:2] == (["ä", "b"], [["1", "2"]])


def test_a_zip_of_one_table_is_unpacked_and_of_two_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "rows.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("rows.csv", "a,b\n1,2\n")
    assert read(path)[1] == [["1", "2"]]
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("more.csv", "a,b\n1,2\n")
    assert "holds 2 files" in refusal(path)


FAULTS = {
    "empty": (b"", "is empty"),
    "blank": (b"\n \n", "is empty"),
    "names only": (b"a,b\n", "no row"),
    "names only, unended": (b"a,b", "no row"),
    "too many fields": (b'a,b\n1,"x\ny"\n1,2,3\n', "line 4: 3 fields, expected 2"),
    "too few fields": (b"a,b\n1,2\n\n1\n", "line 4: 1 fields, expected 2"),
    "open quote in the last column": (b'a,b\n1,2\n1,"2\n3,4\n5,6\n', "never closed"),
    "open quote": (b'a,b\n1,2\n"1,2\n3,4\n5,6\n', "line 3"),
    "a row without end": (b'a,b\n1,"' + b"x" * (20 << 20) + b'"\n', "longer than 4 MB"),
    "Excel": (b"PK\x03\x04 and more", "Excel"),
    "Parquet": (b"PAR1 and more", "Parquet"),
    "picture": (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\1\0", "no text"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_no_table_is_refused_with_its_place(path: Path, fault: str) -> None:
    content, said = FAULTS[fault]
    path.write_bytes(content)
    assert said in refusal(path)


def test_files_of_the_same_columns_in_any_order_and_dialect_are_one_table(tmp_path: Path) -> None:
    one, two = tmp_path / "1.csv", tmp_path / "2.csv"
    one.write_text("a,b\n1,ä\n", encoding="utf-8")
    two.write_bytes("b;a\nö;2\n".encode("cp1252"))
    assert read(one, two)[:2] == (["a", "b"], [["1", "ä"], ["2", "ö"]])


def test_a_file_of_other_columns_is_refused_with_the_difference(tmp_path: Path) -> None:
    one, two = tmp_path / "1.csv", tmp_path / "2.csv"
    one.write_text("a,b\n1,2\n")
    two.write_text("a,c\n1,2\n")
    with pytest.raises(InputError, match=r"2\.csv lacks 'b' and has 'c' besides, compared with .*1\.csv"):
        read(one, two)


TITLES = {
    "a line": "Report of the shop\n\n",
    "a line with a separator": "Report of the shop, June 2024\n\n",
    "lines": "Quarterly report\nCreated 2024-06-01\n",
    "padded as Excel does": "Report,,\n,,\n",
    "two lines, padded": '"Report, final",,\nfor the board,,\n',
}


@pytest.mark.parametrize("title", TITLES)
def test_a_title_above_the_column_names_is_left_out_and_told(path: Path, title: str) -> None:
    path.write_text(TITLES[title] + "price,shop,sold\n1.5,x,yes\n2,y,no\n,x,no\n")
    names, rows, notes = read(path)
    assert names == ["price", "shop", "sold"]
    assert rows == [["1.5", "x", "yes"], ["2", "y", "no"], [None, "x", "no"]]
    assert "what stands above the column names is left out: " in notes


@pytest.mark.parametrize(
    "table",
    [
        ",price\nx,1.5\ny,2\n",  # row labels without a name
        "a,,\nx,1,2\ny,3,4\n",  # values below, no names
        "only\nx\n1\n",
        "2019,2020\n1,2\n3,4\n",
        "a,b,a\nx,y,z\nu,v,w\n",
    ],
)
def test_a_first_row_that_may_be_the_names_is(path: Path, table: str) -> None:
    path.write_text(table)
    names, rows, notes = read(path)
    assert len(rows) == 2 or names == ["only"]
    assert "above" not in notes


def test_a_table_whose_names_lack_the_one_of_the_row_labels_is_refused_with_its_names(path: Path) -> None:
    path.write_text("price,shop\nfirst,1.5,x\nsecond,2,y\n")
    assert r"line 2: 3 fields, expected 2 as in the names (price, shop)" in refusal(path)
