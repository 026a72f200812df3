import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from data.params import Source
from training import lineage, worktree

PACKAGED = Source(path=Path("code.py"))
TABLE = Source(path=Path("rows.csv"))
QUERY = Source(url="sqlite:///shop.db", query="select * from fish")


def of(parameters: dict[str, Any] | None = None, read: Source = PACKAGED, task: str = "t") -> dict[str, Any]:
    return lineage.of(worktree.now(), task, parameters or {}, read)


@pytest.fixture
def stage(repository: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The repository, in a stage of DVC."""
    monkeypatch.setenv("DVC_STAGE", "train@m")
    return repository


def test_the_data_hashes_are_taken_inside_a_stage_only(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outside = of()
    assert (outside["dvc_stage"], outside["dvc_raw"], outside["dvc_data"]) == (None, None, None)
    monkeypatch.setenv("DVC_STAGE", "train@m")
    inside = of()
    assert (inside["dvc_stage"], inside["dvc_raw"], inside["dvc_data"]) == ("train@m", "4567.dir", "0123.dir")
    assert of(task="other")["dvc_data"] is None


def test_a_stage_without_a_lock_file_has_no_data_hash(stage: Path) -> None:
    (stage / "dvc.lock").unlink()
    assert of()["dvc_data"] is None


def test_the_hash_of_parameters_is_of_their_values_not_of_their_order(repository: Path) -> None:
    first, swapped, other = (
        of(parameters)["dvc_params"] for parameters in ({"C": 1, "seed": 2}, {"seed": 2, "C": 1}, {"C": 2, "seed": 1})
    )
    assert first == swapped != other


def test_the_versions_of_python_and_of_the_libraries_are_noted(repository: Path) -> None:
    packages = of()["packages"]
    assert all(
        re.match(r"\d+\.\d+", packages[name]) for name in ("python", "scikit-learn", "tensorflow", "onnxruntime")
    )


def test_the_threads_of_tensorflow_are_noted_as_they_are_set_or_by_the_cores(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for given, expected in (("3", 3), ("many", len(os.sched_getaffinity(0))), ("0", len(os.sched_getaffinity(0)))):
        monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", given)
        assert of()["threads"] == expected
    assert of()["processor"]


def test_what_git_has_can_be_trained_again_though_it_differs_from_the_commit(stage: Path) -> None:
    (stage / "code.py").write_text("x = 2\n")
    (stage / "notes.txt").write_text("which no training reads\n")
    found = of()
    assert (found["git_dirty"], found["unreproducible"], found["rows_outside_git"]) == (True, None, None)


@pytest.mark.parametrize("name", ["params.yaml", "dvc.yaml", "code.py"])
def test_a_declaration_or_a_python_source_that_git_does_not_have_cannot_be_trained_again(
    stage: Path, name: str
) -> None:
    subprocess.run(["git", "rm", "--quiet", "--cached", name], check=True)
    assert of()["unreproducible"] == f"git does not have {name}"


@pytest.mark.parametrize("ignored", [False, True])
def test_an_imported_module_that_git_does_not_have_cannot_be_trained_again(
    stage: Path, monkeypatch: pytest.MonkeyPatch, ignored: bool
) -> None:
    if ignored:
        (stage / ".gitignore").write_text("own\n")
        subprocess.run(["git", "add", ".gitignore"], check=True)
    (stage / "own").mkdir()
    (stage / "own/family.py").write_text("x = 1\n")
    assert of()["unreproducible"] is None
    monkeypatch.syspath_prepend(str(stage))
    for name in ("own", "own.family"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    __import__("own.family")
    assert of()["unreproducible"] == "git does not have own/family.py"
    monkeypatch.setattr(sys, "prefix", str(stage / "own"))
    assert of()["unreproducible"] is None, "installed packages are not git's to have"


def test_a_module_without_a_file_does_not_matter(stage: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "made_up", ModuleType("made_up"))
    assert of()["unreproducible"] is None


@pytest.mark.parametrize(
    ("read", "said"), [(TABLE, "rows.csv"), (QUERY, "the answer to a query"), (Source(path=Path("*.csv")), "rows.csv")]
)
def test_rows_that_git_does_not_have_need_the_snapshot_that_dvc_keeps(
    repository: Path, monkeypatch: pytest.MonkeyPatch, read: Source, said: str
) -> None:
    (repository / "rows.csv").write_text("a,b\n")
    assert of(read=read)["unreproducible"] == f"git does not have {said}"
    monkeypatch.setenv("DVC_STAGE", "train@m")
    found = of(read=read)
    assert (found["unreproducible"], found["rows_outside_git"]) == (None, said)


def test_a_table_in_git_needs_no_snapshot_but_the_same_table_by_its_absolute_path_does(repository: Path) -> None:
    (repository / "rows.csv").write_text("a,b\n")
    subprocess.run(["git", "add", "rows.csv"], check=True)
    assert of(read=TABLE)["unreproducible"] is None
    assert of(read=Source(path=Path("./here/../rows.csv")))["unreproducible"] is None
    whole = repository / "rows.csv"
    assert of(read=Source(path=whole))["unreproducible"] == f"git does not have {whole}"


def test_a_source_that_is_gone_is_named_as_it_was_declared(stage: Path) -> None:
    assert of(read=TABLE)["rows_outside_git"] == "rows.csv"


def test_of_many_files_some_are_named(repository: Path) -> None:
    for name in "abcde":
        (repository / f"{name}.csv").write_text("a,b\n")
    assert of(read=Source(path=Path("*.csv")))["unreproducible"] == "git does not have a.csv, b.csv, c.csv, …"


def test_without_git_or_a_commit_the_reason_says_so(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    subprocess.run(["git", "update-ref", "-d", "HEAD"], check=True)
    assert of()["unreproducible"] == "git has no commit"
    monkeypatch.setenv("PATH", str(repository))
    assert of()["unreproducible"] == "there is no git repository"


def test_a_folders_digest_changes_with_content_and_with_names(tmp_path: Path) -> None:
    def digest(**files: str) -> str:
        for path in tmp_path.iterdir():
            path.unlink()
        for name, content in files.items():
            (tmp_path / name).write_text(content)
        return lineage.folder_digest(tmp_path)

    first = digest(a="1", b="2")
    assert digest(b="2", a="1") == first
    different = [digest(a="1", b="3"), digest(a="1", c="2"), digest(a="2", b="1"), digest(a="12", b=""), digest(a="1")]
    assert len({first, *different}) == 6
