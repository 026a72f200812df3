"""The files and the rows that a version was trained with, restored in a git worktree of their own."""

import glob
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import ruamel.yaml

from data import params
from data.errors import InputError
from data.prepare import PREPARED
from data.snapshot import RAW
from training import tracking
from training.worktree import LOCK

STDERR = 2  # where commands tell how far they are, as the certificate goes to stdout
NOT_OURS = ("DVC_ROOT", "DVC_STAGE", "MLFLOW_RUN_ID")  # of a command that this one may run in


@contextmanager
def files(commit: str, folder: str, difference: bytes) -> Iterator[Path]:
    """The project's folder as it was; it is removed afterwards, whatever happens.

    Args:
        commit: the commit.
        folder: the project's folder in the repository, "" at its root.
        difference: what the files differed from the commit by, as `git diff` wrote it.

    Raises:
        InputError: this clone does not have the commit, or the difference does not fit it.
    """
    if not _git("rev-parse", "--git-dir", told=False):
        raise InputError(
            "this folder is in no git repository; run the command in a clone that has the version's commit"
        )
    if not _git("cat-file", "-e", f"{commit}^{{commit}}", told=False):
        raise InputError(
            f"this clone does not have the commit {commit}; fetch it (`git fetch --unshallow`, or "
            f"`git fetch origin {commit}`), or see whether it was rebased away before it was pushed"
        )
    with tempfile.TemporaryDirectory(prefix="reproduce-") as temporary:
        tree = Path(temporary).resolve() / "tree"
        add = ("-c", "core.hooksPath=/dev/null", "worktree", "add", "--quiet", "--detach", str(tree), commit)
        apply = ("-C", str(tree), "apply", "--index", "--whitespace=nowarn")
        try:
            if not _git(*add):
                raise InputError(f"git could not check out {commit} into {tree}; what it said stands above")
            if difference and not _git(*apply, given=difference):
                raise InputError(f"the kept difference does not fit the commit {commit}; what git said stands above")
            _use_our_cache(tree / folder)
            yield tree / folder
        finally:
            _git("worktree", "remove", "--force", str(tree), told=False)


def rows(root: Path, task: str, raw: str | None, prepared: str | None) -> str:
    """Have `data/prepared/<task>` hold the rows again; say where they are from.

    Args:
        root: the project's folder, as `files` gives it.
        task: whose rows.
        raw: DVC's hash of the snapshot, where it is known.
        prepared: DVC's hash of the prepared rows, where it is known.

    Raises:
        InputError: DVC does not have them, and they cannot be prepared anew.
    """
    stages = {f"fetch@{task}": (RAW / task, raw), f"prepare@{task}": (PREPARED / task, prepared)}
    _lock(root, {stage: (path, md5) for stage, (path, md5) in stages.items() if md5})
    if prepared and _pull(root, f"prepare@{task}", PREPARED / task):
        return "restored by DVC"
    if raw and _pull(root, f"fetch@{task}", RAW / task):
        run(root, sys.executable, "-m", "dvc", "repro", "--single-item", f"prepare@{task}")
        return "prepared again from the snapshot that DVC restored"
    _lend_source(root, task)
    run(root, sys.executable, "-m", "dvc", "repro", f"prepare@{task}")
    return "read from the source again"


def run(root: Path, *command: str) -> None:
    """Run a command in the restored folder; what it prints goes to stderr as it comes.

    Raises:
        InputError: it failed.
    """
    if subprocess.run(command, cwd=root, env=_environment(), stdout=STDERR, check=False).returncode:
        words = " ".join(["python", *command[1:]])
        raise InputError(f"`{words}` failed at the version's commit; what it said stands above")


def _pull(root: Path, stage: str, out: Path) -> bool:
    command = [sys.executable, "-m", "dvc", "pull", stage]
    done = subprocess.run(command, cwd=root, env=_environment(), stdout=STDERR, check=False).returncode == 0
    if not done:
        shutil.rmtree(root / out, ignore_errors=True)
    return done


def _lock(root: Path, outs: dict[str, tuple[Path, str]]) -> None:
    stages = {
        stage: {"cmd": "as then", "outs": [{"path": path.as_posix(), "hash": "md5", "md5": md5}]}
        for stage, (path, md5) in outs.items()
    }
    with (root / LOCK).open("w", encoding="utf-8") as file:
        ruamel.yaml.YAML(typ="safe", pure=True).dump({"schema": "2.0", "stages": stages}, file)


def _use_our_cache(root: Path) -> None:
    """Have DVC look for data where it does in the current folder: its cache and its remotes."""
    from dvc.config import Config, ConfigError, merge

    try:
        ours = Config(".dvc")
        with Config(root / ".dvc").edit("local") as local:
            for level in Config.REPO_LEVELS:
                merge(local, ours.load_one(level))
            local["cache"]["dir"] = ours["cache"].get("dir", str(Path(".dvc/cache").absolute()))
            local["core"]["no_scm"] = True
    except ConfigError as error:
        raise InputError(f".dvc/config: {error}; correct it") from None


def _lend_source(root: Path, task: str) -> None:
    """Link the files of the source that git does not have; whether they are the same, the digest of the rows shows."""
    pattern = params.load(root / params.PARAMS)["tasks"][task]["source"].get("path")
    if pattern is None:
        return
    for name in [pattern] if Path(pattern).is_file() else glob.glob(pattern, recursive=True):
        if not (root / name).exists():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).symlink_to(Path(name).absolute())


def _environment() -> dict[str, str]:
    """This process's, with its Python first and with its MLflow, whatever the folder."""
    kept = {name: value for name, value in os.environ.items() if name not in NOT_OURS}
    path = os.pathsep.join([str(Path(sys.executable).parent), kept.get("PATH", os.defpath)])
    uri = tracking.mlflow.get_tracking_uri()
    if uri.startswith("sqlite:///"):
        uri = f"sqlite:///{Path(uri.removeprefix('sqlite:///')).absolute()}"
    return kept | {"PATH": path, "MLFLOW_TRACKING_URI": uri, "DVC_NO_ANALYTICS": "1"}


def _git(*arguments: str, given: bytes | None = None, told: bool = True) -> bool:
    git = shutil.which("git")
    if git is None:
        return False
    said = STDERR if told else subprocess.DEVNULL
    return subprocess.run([git, *arguments], input=given, stdout=said, stderr=said, check=False).returncode == 0
