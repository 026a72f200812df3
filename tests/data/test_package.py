import hashlib
from pathlib import Path

import pytest

from data import package
from data.errors import InputError

CONTENT = b"a,b\n1,2\n"
DIGEST = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture(autouse=True)
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package that cannot be imported, with one data file."""
    folder = tmp_path / "rows_for_tests"
    (folder / "data").mkdir(parents=True)
    (folder / "__init__.py").write_text("raise ImportError('run by mistake')\n")
    (folder / "data" / "rows.csv").write_bytes(CONTENT)
    monkeypatch.syspath_prepend(tmp_path)


def refusal(name: str, file: str, sha256: str) -> str:
    with pytest.raises(InputError) as caught:
        package.file(name, file, sha256)
    message = str(caught.value)
    assert "\n" not in message
    assert "make install" in message
    return message


def test_the_file_is_found_without_running_the_package(tmp_path: Path) -> None:
    assert package.file("rows_for_tests", "data/rows.csv", DIGEST) == tmp_path / "rows_for_tests/data/rows.csv"


def test_another_hash_is_refused_and_shown() -> None:
    message = refusal("rows_for_tests", "data/rows.csv", "0" * 64)
    assert f"rows_for_tests/data/rows.csv has SHA-256 {DIGEST[:12]}…, expected 000000000000…" in message


@pytest.mark.parametrize("file", ["data/other.csv", "data"])
def test_a_missing_file_is_named_with_its_package(file: str) -> None:
    assert f"package rows_for_tests has no file {file}" in refusal("rows_for_tests", file, DIGEST)


def test_a_missing_package_is_named() -> None:
    assert "no_such_package, which holds rows.csv, is not installed" in refusal("no_such_package", "rows.csv", DIGEST)


def test_a_module_that_is_no_package_is_refused() -> None:
    assert "the package this, which holds rows.csv, is not installed" in refusal("this", "rows.csv", DIGEST)
