"""The files around the current folder, as git has them and as they are."""

import shutil
import subprocess
from dataclasses import dataclass

LOCK = "dvc.lock"
TITLE = b"What the files differed from the commit by, which `git apply` reads:\n"
FORM = (  # that `git apply` reads, whatever a person's git is set to
    "--binary",
    "--no-color",
    "--no-ext-diff",
    "--no-relative",
    "--no-textconv",
    "--src-prefix=a/",
    "--dst-prefix=b/",
    "--unified=3",
)


@dataclass(frozen=True)
class Worktree:
    """A commit, and how the files of a project differ from it; None where unknown."""

    commit: str | None = None
    folder: str | None = None
    """The project's folder in the repository, "" at its root."""
    dirty: bool | None = None
    """Whether a file differs or is new; without DVC's lock file, which each stage changes."""
    difference: bytes = b""
    """What `git apply` makes these files of the commit with, new files that are not staged left out."""
    tracked: frozenset[str] = frozenset()
    """The files that git has, in the folder."""

    @property
    def patch(self) -> bytes:
        """The difference below a title, since DVC warns of an empty file."""
        return TITLE + self.difference


def now() -> Worktree:
    """The files as they are now."""
    ours = ("--", ".", f":!{LOCK}")
    status = _git("status", "--porcelain", *ours)
    if status is None:
        return Worktree()
    head = _git("rev-parse", "HEAD", "--show-prefix")
    if head is None:
        return Worktree(dirty=bool(status))
    commit, folder = head.removesuffix(b"\n").decode().split("\n")
    difference = _git("diff", *FORM, "HEAD", *ours) or b""
    tracked = (_git("ls-files", "-z") or b"").decode(errors="surrogateescape").split("\0")
    return Worktree(commit, folder.rstrip("/"), bool(status), difference, frozenset(tracked))


def _git(*arguments: str) -> bytes | None:
    git = shutil.which("git")
    result = subprocess.run([git, *arguments], capture_output=True, check=False) if git else None
    return result.stdout if result and result.returncode == 0 else None
