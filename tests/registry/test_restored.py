"""A version's files in a worktree of their own, with real git."""

import subprocess
import tempfile
from pathlib import Path

import pytest

from data.errors import InputError
from registry import restored
from tests.conftest import GIT, commit
from training import worktree


def git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture(params=["", "a project"])
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Path:
    """A committed project with a remote of DVC, at the root of its repository or in a folder; the current folder."""
    (tmp_path / "temporary").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    monkeypatch.setattr("tempfile.tempdir", None)
    for name, value in GIT.items():
        monkeypatch.setenv(name, value)
    root = tmp_path / "repository" / request.param
    (root / ".dvc").mkdir(parents=True)
    (root / ".dvc/config").write_text("[core]\n    remote = near\n['remote \"near\"']\n    url = ../stored\n")
    (root / ".dvc/.gitignore").write_text("/config.local\n")
    (root / "code.py").write_text("x = 1\n")
    commit(tmp_path / "repository")
    monkeypatch.chdir(root)
    return root


def left() -> tuple[int, list[Path]]:
    """How many work trees git knows, and what lies in the folder for temporary files."""
    return len(git("worktree", "list").splitlines()), list(Path(tempfile.gettempdir()).iterdir())


def test_a_later_clone_has_the_files_of_then_and_its_own_are_not_touched(clone: Path) -> None:
    (clone / "code.py").write_text("x = 2\n")
    (clone / "new.py").write_text("y = 1\n")
    git("add", "new.py")
    then = worktree.now()
    git("commit", "--all", "--quiet", "--message", "second")
    (clone / "code.py").write_text("x = 3\n")
    with restored.files(str(then.commit), str(then.folder), then.difference) as root:
        assert (root / "code.py").read_text() == "x = 2\n"
        assert (root / "new.py").read_text() == "y = 1\n"
    assert (clone / "code.py").read_text() == "x = 3\n"
    assert git("diff", "--name-only", "--relative") == "code.py"
    assert left() == (1, [])


def test_dvc_looks_where_it_does_in_the_clone(clone: Path) -> None:
    from dvc.config import Config

    (clone / ".dvc/config.local").write_text("['remote \"near\"']\n    jobs = 3\n")
    then = worktree.now()
    with restored.files(str(then.commit), str(then.folder), b"") as root:
        found = Config(root / ".dvc")
        assert found["cache"]["dir"] == str(clone / ".dvc/cache")
        assert found["remote"]["near"].items() >= {"url": str(clone / "stored"), "jobs": 3}.items()
        assert git("-C", str(root), "status", "--porcelain") == ""


def test_what_was_restored_is_removed_after_an_interruption_too(clone: Path) -> None:
    then = worktree.now()

    def stopped(root: Path) -> None:
        (root / "candidates").mkdir()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), restored.files(str(then.commit), str(then.folder), b"") as root:
        stopped(root)
    assert left() == (1, [])


def test_a_faulty_setting_of_dvc_is_one_line(clone: Path) -> None:
    (clone / ".dvc/config.local").write_text("[core]\n    remoat = near\n")
    then = worktree.now()
    with (
        pytest.raises(InputError, match=r"\.dvc/config: config file error: .*remoat"),
        restored.files(str(then.commit), str(then.folder), b""),
    ):
        pass
    assert left() == (1, [])


@pytest.mark.parametrize(
    ("commit", "difference", "said"),
    [
        ("0" * 40, b"", f"this clone does not have the commit {'0' * 40}; fetch it"),
        (None, b"no difference", "the kept difference does not fit the commit"),
    ],
)
def test_a_lost_commit_or_a_difference_that_does_not_fit_is_one_line(
    clone: Path, commit: str | None, difference: bytes, said: str
) -> None:
    then = worktree.now()
    with pytest.raises(InputError) as caught, restored.files(commit or str(then.commit), "", difference):
        pass
    assert said in str(caught.value)
    assert left() == (1, [])


def test_a_hook_of_the_clone_does_not_run(clone: Path) -> None:
    hook = Path(git("rev-parse", "--git-path", "hooks/post-checkout"))
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    then = worktree.now()
    with restored.files(str(then.commit), str(then.folder), b"") as root:
        assert (root / "code.py").is_file()


def test_outside_of_a_repository_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    with pytest.raises(InputError, match="this folder is in no git repository"), restored.files("0" * 40, "", b""):
        pass
