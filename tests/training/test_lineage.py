import os
import re
import subprocess
from pathlib import Path

import pytest

from training import lineage

LOCK = """\
stages:
  prepare@t:
    cmd: python -m data prepare t
    outs:
    - path: data/prepared/t
      md5: 0123.dir
"""


def git(*arguments: str) -> str:
    identity = ("-c", "user.name=Test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false")
    return subprocess.run(["git", *identity, *arguments], check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A git repository of one commit, as the current folder, outside of any DVC stage."""
    for name in [name for name in os.environ if name.startswith(("GIT_", "DVC_"))]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    git("init", "--quiet")
    (tmp_path / "code.py").write_text("x = 1\n")
    (tmp_path / "dvc.lock").write_text(LOCK)
    git("add", ".")
    git("commit", "--quiet", "--message", "first")
    return tmp_path


def test_a_clean_repository_gives_its_commit(repository: Path) -> None:
    found = lineage.of("t", {})
    assert found["git_commit"] == git("rev-parse", "HEAD")
    assert re.fullmatch("[0-9a-f]{40}", found["git_commit"])
    assert found["git_dirty"] is False


@pytest.mark.parametrize("name", ["code.py", "new.py", "folder/dvc.lock"])
def test_a_changed_or_new_file_makes_it_dirty(repository: Path, name: str) -> None:
    (repository / "folder").mkdir()
    (repository / name).write_text("x = 2\n")
    assert lineage.of("t", {})["git_dirty"] is True


def test_the_lock_file_alone_does_not_make_it_dirty(repository: Path) -> None:
    (repository / "dvc.lock").write_text(LOCK + "# changed by the stage before\n")
    assert lineage.of("t", {})["git_dirty"] is False


def test_a_repository_without_a_commit_has_none(repository: Path, tmp_path: Path) -> None:
    git("update-ref", "-d", "HEAD")
    found = lineage.of("t", {})
    assert (found["git_commit"], found["git_dirty"]) == (None, True)


@pytest.mark.parametrize("reason", ["no repository", "no git"])
def test_without_git_commit_and_dirtiness_are_unknown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reason: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    if reason == "no git":
        monkeypatch.setenv("PATH", str(tmp_path))
    found = lineage.of("t", {})
    assert (found["git_commit"], found["git_dirty"]) == (None, None)


def test_the_data_hash_is_taken_inside_a_stage_only(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outside = lineage.of("t", {})
    assert (outside["dvc_stage"], outside["dvc_data"]) == (None, None)
    monkeypatch.setenv("DVC_STAGE", "train@m")
    inside = lineage.of("t", {})
    assert (inside["dvc_stage"], inside["dvc_data"]) == ("train@m", "0123.dir")
    assert lineage.of("other", {})["dvc_data"] is None


def test_a_stage_without_a_lock_file_has_no_data_hash(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DVC_STAGE", "train@m")
    (repository / "dvc.lock").unlink()
    assert lineage.of("t", {})["dvc_data"] is None


def test_the_hash_of_parameters_is_of_their_values_not_of_their_order(repository: Path) -> None:
    first, swapped, other = (
        lineage.of("t", parameters)["dvc_params"]
        for parameters in ({"C": 1, "seed": 2}, {"seed": 2, "C": 1}, {"C": 2, "seed": 1})
    )
    assert first == swapped != other


def test_the_libraries_versions_are_noted(repository: Path) -> None:
    packages = lineage.of("t", {})["packages"]
    assert all(re.match(r"\d+\.\d+", packages[name]) for name in ("scikit-learn", "tensorflow", "onnxruntime"))


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
