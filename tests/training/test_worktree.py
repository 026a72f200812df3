import subprocess
from pathlib import Path

import pytest

from training import worktree


def git(*arguments: str, given: bytes | None = None) -> str:
    return subprocess.run(["git", *arguments], check=True, capture_output=True, input=given).stdout.decode().strip()


def applied(tmp_path: Path, found: worktree.Worktree) -> Path:
    """A second work tree, of the commit with the difference applied."""
    other = tmp_path.parent / f"{tmp_path.name}-other"
    git("worktree", "add", "--detach", str(other), str(found.commit))
    if found.difference:
        git("-C", str(other), "apply", "--index", given=found.difference)
    return other


def test_a_clean_tree_gives_its_commit_and_no_difference(repository: Path) -> None:
    found = worktree.now()
    assert (found.commit, found.folder, found.dirty, found.difference) == (git("rev-parse", "HEAD"), "", False, b"")
    assert found.tracked >= {"code.py", "dvc.lock"}


@pytest.mark.parametrize("name", ["code.py", "new.py", "folder/dvc.lock"])
def test_a_changed_or_new_file_makes_it_dirty(repository: Path, name: str) -> None:
    (repository / "folder").mkdir()
    (repository / name).write_text("x = 2\n")
    assert worktree.now().dirty is True


def test_the_lock_file_alone_does_not_make_it_dirty_nor_differ(repository: Path) -> None:
    (repository / "dvc.lock").write_text("changed: by the stage before\n")
    found = worktree.now()
    assert (found.dirty, found.difference) == (False, b"")


CONFIGS = {
    "a person's own prefixes": ("diff.noprefix", "true"),
    "prefixes that tell sides": ("diff.mnemonicPrefix", "true"),
    "no lines around": ("diff.context", "0"),
    "a program of one's own": ("diff.external", "echo"),
    "colours": ("color.ui", "always"),
    "paths from here": ("diff.relative", "true"),
}


@pytest.mark.parametrize("config", [None, *CONFIGS])
def test_the_difference_gives_the_same_files_whatever_git_is_set_to(
    repository: Path, tmp_path: Path, config: str | None
) -> None:
    for name, content in (("gone.py", b"x"), ("old.py", b"y = 1\n" * 9), ("bytes", bytes(range(256)))):
        (repository / name).write_bytes(content)
    git("add", ".")
    git("commit", "--quiet", "--message", "second")
    if config:
        git("config", *CONFIGS[config])
    (repository / "code.py").write_text("x = 2  \r\n" + "é\n")
    (repository / "bytes").write_bytes(bytes(range(255, -1, -1)))
    (repository / "gone.py").unlink()
    git("mv", "old.py", "moved.py")
    (repository / "staged.py").write_text("z = 3")
    git("add", "staged.py")
    (repository / "intended.py").write_text("w = 4\n")
    git("add", "--intent-to-add", "intended.py")
    (repository / "untracked.py").write_text("v = 5\n")
    other = applied(tmp_path, worktree.now())
    names = ["bytes", "code.py", "dvc.lock", "dvc.yaml", "intended.py", "moved.py", "params.yaml", "staged.py"]
    assert sorted(path.name for path in other.iterdir() if path.name != ".git") == names
    assert all((other / name).read_bytes() == (repository / name).read_bytes() for name in names)
    assert set(git("-C", str(other), "ls-files").splitlines()) == set(names)


def test_a_project_in_a_folder_of_a_repository_keeps_its_own_part(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inner = repository / "a project"
    inner.mkdir()
    (inner / "code.py").write_text("y = 1\n")
    git("add", ".")
    git("commit", "--quiet", "--message", "second")
    monkeypatch.chdir(inner)
    (repository / "code.py").write_text("x = 'of somebody else'\n")
    assert worktree.now().dirty is False
    (inner / "code.py").write_text("y = 2\n")
    found = worktree.now()
    assert (found.folder, found.tracked - {""}) == ("a project", {"code.py"})
    other = applied(tmp_path, found)
    assert (other / "a project/code.py").read_text() == "y = 2\n"
    assert (other / "code.py").read_text() == "x = 1\n"


def test_a_repository_without_a_commit_has_none(repository: Path) -> None:
    git("update-ref", "-d", "HEAD")
    assert worktree.now() == worktree.Worktree(dirty=True)


@pytest.mark.parametrize("reason", ["no repository", "no git"])
def test_without_git_all_is_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reason: str) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    if reason == "no git":
        monkeypatch.setenv("PATH", str(tmp_path))
    assert worktree.now() == worktree.Worktree()
