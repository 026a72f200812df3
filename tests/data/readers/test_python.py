from pathlib import Path
from textwrap import dedent

import pyarrow as pa
import pytest

from data.errors import InputError
from data.readers import python


def write(folder: Path, code: str) -> Path:
    path = folder / "my rows.py"
    path.write_text("import numpy as np\nimport pandas as pd\n" + dedent(code), encoding="utf-8")
    return path


def read(path: Path) -> tuple[pa.Table, str]:
    rows = python.read(path)
    assert not rows.text
    return pa.Table.from_batches(rows.batches, rows.schema), "\n".join(rows.notes)


def refusal(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        python.read(path)
    return str(caught.value)


def test_the_columns_of_read_keep_their_types_and_lose_their_row_labels(tmp_path: Path) -> None:
    code = """
    def read():
        columns = {
            "n": pd.array([1, None], dtype="Int64"), "x": [1.5, None], "b": [True, False], "c": ["é", None],
            "k": pd.Categorical(["u", None]), "t": pd.to_datetime(["2020-01-01", None], utc=True), 7: [1, 2],
        }
        return pd.DataFrame(columns, index=[5, 9])
    """
    given, notes = read(write(tmp_path, code))
    assert [str(form) for form in given.schema.types] == [
        *("int64", "double", "bool", "string", "string", "timestamp[us, tz=UTC]", "int64")
    ]
    assert given.column_names == ["n", "x", "b", "c", "k", "t", "7"]
    assert [given[name][1].as_py() for name in "nxckt"] == [None] * 5
    assert notes == ""


def test_arrays_and_nested_lists_in_cells_are_flattened(tmp_path: Path) -> None:
    code = """
    def read():
        pictures = np.arange(5000 * 4, dtype="float32").reshape(5000, 2, 2)
        return pd.DataFrame({"a": list(pictures), "b": [cell.tolist() for cell in pictures], "y": "z"})
    """
    given, _ = read(write(tmp_path, code))
    assert given.schema.field("a").type == given.schema.field("b").type == pa.list_(pa.float32())
    assert given["a"][4999].as_py() == given["b"][4999].as_py() == [19996.0, 19997.0, 19998.0, 19999.0]


def test_mixed_columns_become_text_and_are_told(tmp_path: Path) -> None:
    given, notes = read(write(tmp_path, "def read():\n    return pd.DataFrame({'m': [1, 'a', None]})\n"))
    assert given["m"].to_pylist() == ["1", "a", None]
    assert "'m' mixes int, str and is kept as text" in notes.replace("NoneType, ", "")


def test_columns_of_the_same_name_are_told_apart(tmp_path: Path) -> None:
    code = "def read():\n    return pd.DataFrame([[1, 2], [3, 4]], columns=['x', 'x'])\n"
    given, notes = read(write(tmp_path, code))
    assert given.to_pydict() == {"x": [1, 3], "x (2)": [2, 4]}
    assert "occurs again" in notes


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("def read():\n    raise RuntimeError('no network')\n", "RuntimeError: no network"),
        ("def read():\n    return 1 / 0\n", "ZeroDivisionError"),
        ("import no_such_package\n", "ModuleNotFoundError"),
        ("def read(:\n", "SyntaxError"),
        ("rows = 1\n", "read"),
        ("def read():\n    return [1, 2]\n", "gave a list, expected a pandas DataFrame"),
        ("def read():\n    pass\n", "gave a NoneType, expected a pandas DataFrame"),
        (
            "def read():\n    return pd.DataFrame({'image': [[[1, 2], [3]]]})\n",
            "lists that are no numbers of one shape",
        ),
    ],
    ids=["raises", "divides", "import", "syntax", "no-read", "list", "none", "ragged"],
)
def test_a_python_file_that_gives_no_table_says_why(tmp_path: Path, code: str, said: str) -> None:
    message = refusal(write(tmp_path, code))
    assert said in message
    assert "my rows.py" in message
    assert "correct that file" in message


def test_a_table_without_rows_or_columns_is_refused(tmp_path: Path) -> None:
    assert "no row" in refusal(write(tmp_path, "def read():\n    return pd.DataFrame({'x': []})\n"))
    assert "no column" in refusal(write(tmp_path, "def read():\n    return pd.DataFrame(index=[1])\n"))


def test_bad_input_told_by_the_python_file_is_kept_as_it_is(tmp_path: Path) -> None:
    path = write(tmp_path, "from data.errors import InputError\ndef read():\n    raise InputError('set the token')\n")
    assert refusal(path) == "set the token"
