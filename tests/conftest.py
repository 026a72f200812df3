"""Real projects for tests: the repository's own files in a new git checkout, with real DVC and MLflow."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.servers.started import Server

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # of tests that import ONNX Runtime themselves

pytest_plugins = ["tests.servers.postgres", "tests.servers.s3", "tests.servers.tracking"]

ROOT = Path(__file__).parents[1]
VENV = Path(sys.prefix)
GIT = {
    "GIT_AUTHOR_NAME": "test",
    "GIT_AUTHOR_EMAIL": "test@localhost",
    "GIT_COMMITTER_NAME": "test",
    "GIT_COMMITTER_EMAIL": "test@localhost",
}
SMALL_PARAMS = """\
seed: 3
tasks:
  churn:
    source: {path: churn.csv}
    target: churned
models:
  churn-logistic:
    task: churn
    family: logistic
    params: {C: 1.0}
"""


@dataclass(frozen=True)
class Project:
    """A checkout with commands run in it as a person would."""

    root: Path
    env: dict[str, str]

    def run(self, *command: str, timeout: float = 560, **env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, cwd=self.root, env=self.env | env, capture_output=True, text=True, timeout=timeout, check=False
        )

    def ok(self, *command: str, **env: str) -> str:
        """Output of a command that must succeed."""
        result = self.run(*command, **env)
        output = result.stdout + result.stderr
        assert result.returncode == 0, f"{' '.join(command)} exited with {result.returncode}:\n{output[-6000:]}"
        return output

    def write(self, name: str, text: str) -> None:
        (self.root / name).write_text(text, encoding="utf-8")

    def replace(self, name: str, old: str, new: str) -> None:
        text = (self.root / name).read_text(encoding="utf-8")
        assert old in text
        self.write(name, text.replace(old, new))

    def commit(self, message: str) -> None:
        self.ok("git", "add", "-A")
        self.ok("git", "commit", "-qm", message)

    @contextmanager
    def serving(self, *command: str, port: int, path: str = "/ping") -> Iterator[str]:
        """The address of a server that `command` starts, once it answers."""
        log = self.root.parent / f"server-{port}.log"
        with Server(command, port, log, self.root, self.env, path) as server:
            yield server.address


def checkout(root: Path) -> Project:
    """The repository's files, committed in a new git repository at `root`."""
    names = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    for name in names:
        if name != "dvc.lock" and (ROOT / name).exists():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, root / name)
    (root / ".venv").symlink_to(VENV)
    unset = ("MLFLOW_TRACKING_URI", "MLFLOW_RUN_ID", "DVC_ROOT", "DVC_STAGE", "MAKEFLAGS", "MAKELEVEL", "MFLAGS")
    env = {name: value for name, value in os.environ.items() if name not in unset}
    env |= {
        "PATH": f"{VENV / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "DVC_SITE_CACHE_DIR": str(root.parent / "dvc-site"),
        "DVC_NO_ANALYTICS": "1",
        "OMP_NUM_THREADS": "1",
        "TF_NUM_INTRAOP_THREADS": "1",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    } | GIT
    project = Project(root, env)
    project.ok("git", "init", "-q")
    project.commit("Start")
    return project


def commit(folder: Path) -> None:
    """Make a folder a git repository whose first commit has all its files."""
    for arguments in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "Start"]):
        subprocess.run(["git", *arguments], cwd=folder, env=os.environ | GIT, check=True)


def churn_table(rows: int = 1500, seed: int = 0) -> pd.DataFrame:
    """A made table in which tenure and plan tell something of churning, with missing values."""
    random = np.random.default_rng(seed)
    tenure, plan = random.exponential(24, rows), random.choice(["basic", "plus", "pro"], rows)
    odds = 1.2 - tenure / 20 + (plan == "basic") * 1.0 + random.logistic(size=rows)
    table = pd.DataFrame(
        {
            "tenure": np.round(tenure, 1),
            "plan": plan,
            "visits": random.poisson(5, rows),
            "churned": np.where(odds > 0, "yes", "no"),
        }
    )
    return table.mask(pd.DataFrame(random.random(table.shape) < [0.05, 0.05, 0.0, 0.0], columns=table.columns))


def small_project(root: Path, params: str = SMALL_PARAMS) -> Project:
    """A checkout whose only task is a small CSV file of the user's own."""
    root.mkdir(parents=True, exist_ok=True)
    project = checkout(root)
    churn_table().to_csv(root / "churn.csv", index=False)
    project.write("params.yaml", params)
    project.commit("Bring a table")
    return project


@pytest.fixture
def small(tmp_path: Path) -> Project:
    """A small project, nothing run yet."""
    return small_project(tmp_path / "project")


@pytest.fixture(scope="session")
def flights(tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, str]:
    """The default project after `make repro`, and what that printed; with every eighth flight and less to fit."""
    root = tmp_path_factory.mktemp("flights") / "project"
    root.mkdir()
    project = checkout(root)
    project.replace("data/sources/flights.py", 'kind="stable", ignore_index=True)', 'kind="stable").iloc[::8]')
    for usual, less in (("epochs: 8", "epochs: 2"), ("trees: 60", "trees: 6"), ("rounds: 200", "rounds: 20")):
        project.replace("params.yaml", usual, less)
    project.commit("Less to fit")
    return project, project.ok("make", "repro")
