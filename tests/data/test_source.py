from pathlib import Path

import pandas as pd
import pytest

from data import source
from data.errors import InputError

KEY = "tasks.t.source.path"


def refusal(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        source.read(path, KEY)
    assert str(path) in str(caught.value)
    return str(caught.value)


@pytest.fixture
def table() -> pd.DataFrame:
    return pd.DataFrame({"Größe": [1.5, None], "y": ["ä", "b"]})


def test_csv_and_parquet_give_the_same_table(tmp_path: Path, table: pd.DataFrame) -> None:
    table.to_csv(tmp_path / "rows.csv", index=False)
    table.to_parquet(tmp_path / "rows.parquet")
    for name in ("rows.csv", "rows.parquet"):
        pd.testing.assert_frame_equal(source.read(tmp_path / name, KEY), table)


def test_a_python_file_gives_what_its_read_returns(tmp_path: Path) -> None:
    path = tmp_path / "my rows.py"
    path.write_text("import pandas as pd\n\ndef read():\n    return pd.DataFrame({'x': [1, 2]})\n")
    assert source.read(path, KEY)["x"].tolist() == [1, 2]


@pytest.mark.parametrize("name", ["absent.csv", "absent.py", "folder.parquet"])
def test_a_missing_file_names_the_key_and_the_kinds(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder.parquet").mkdir()
    message = refusal(tmp_path / name)
    assert message.startswith(f"params.yaml: {KEY}: there is no file")
    assert "give the path of a .csv, .parquet or .py file" in message


@pytest.mark.parametrize("name", ["rows.xlsx", "rows", "rows.CSV"])
def test_an_unknown_kind_of_file_lists_the_known_ones(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("x\n1\n")
    message = refusal(tmp_path / name)
    assert message.startswith(f"params.yaml: {KEY}")
    assert "expected .csv, .parquet or .py" in message


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("empty.csv", b""),
        ("ragged.csv", b"a,b\n1,2\n1,2,3\n"),
        ("latin1.csv", b"stra\xdfe\n1\n"),
        ("text.parquet", b"x\n1\n"),
        ("empty.parquet", b""),
    ],
)
def test_an_unreadable_file_names_the_key(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    message = refusal(tmp_path / name)
    assert message.startswith(f"params.yaml: {KEY}")
    assert "cannot be read" in message


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
    ],
    ids=["raises", "divides", "import", "syntax", "no-read", "list", "none"],
)
def test_a_python_file_that_gives_no_table_says_why(tmp_path: Path, code: str, said: str) -> None:
    path = tmp_path / "rows.py"
    path.write_text(code)
    message = refusal(path)
    assert said in message
    assert "correct that file" in message


def test_bad_input_told_by_the_python_file_is_kept_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "rows.py"
    path.write_text("from data.errors import InputError\n\ndef read():\n    raise InputError('set the token')\n")
    with pytest.raises(InputError, match=r"^set the token$"):
        source.read(path, KEY)
