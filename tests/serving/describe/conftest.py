"""A registry with models of every kind of column, and servers over it."""

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol

import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient

from data import params
from data.fetch import fetch
from data.prepare import prepare
from registry import versions
from tests.conftest import ROOT
from tests.servers.started import Server, free_port
from training import candidate, models
from training.train import train

PARAMS = """\
seed: 3
tasks:
  people:
    source: {path: people.parquet}
    target: left
    columns: {age: number, member: boolean, plan: category, note: text, since: time}
  notes:
    source: {path: people.parquet}
    target: left
    columns: {note: text}
  motion:
    source: {path: motion.py}
    target: pace
    columns: {steps: {kind: sequence, shape: [3, 2], low: -9, high: 9}}
models:
  people: {task: people, family: logistic}
  people-weak: {task: people, family: logistic, params: {bins: 2}}
  notes: {task: notes, family: logistic}
  motion: {task: motion, family: logistic}
"""
MOTION = """\
import numpy as np, pandas as pd
def read():
    steps = np.random.default_rng(0).normal(size=(160, 3, 2)).round(3)
    return pd.DataFrame({"steps": [one.tolist() for one in steps], "pace": steps[:, :, 0].mean(axis=1) > 0})
"""


class Serve(Protocol):
    """Starts a server over a copy of the registry, `root` if that is given."""

    def __call__(self, *options: str, root: Path | None = None) -> AbstractContextManager[Server]:
        """The server, while it runs."""


def people(rows: int = 160) -> pd.DataFrame:
    random = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "age": random.normal(40, 9, rows).round(1),
            "member": random.random(rows) < 0.5,
            "plan": random.choice(["basic", "plus", "3", None], rows),
            "note": random.choice(["good, fine", "bad poor", "so so", None], rows),
            "since": pd.Timestamp("2020-01-01") + pd.to_timedelta(random.integers(0, 900, rows), unit="D"),
        }
    )
    table.loc[::9, ["age", "since"]] = None
    return table.assign(left=np.where(table["member"] + random.normal(0, 0.4, rows) > 0.5, "yes", "no"))


@pytest.fixture(scope="session")
def kinds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `mlflow.db`: version 1 of each model is Production and @champion, version 2 of people Staging."""
    folder = tmp_path_factory.mktemp("kinds")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        Path("params.yaml").write_text(PARAMS, encoding="utf-8")
        Path("motion.py").write_text(MOTION, encoding="utf-8")
        people().to_parquet("people.parquet")
        mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
        content, client = params.load(), MlflowClient()
        for name, declaration in content["models"].items():
            fetch(content, declaration["task"])
            prepare(content, declaration["task"])
            train(models.declared(content, name), declaration, content["seed"])
            found = candidate.read(declaration["task"], name)
            assert found is not None
            version, _ = versions.ensure(client, found)
            first = int(version.version) == 1
            client.transition_model_version_stage(version.name, version.version, "Production" if first else "Staging")
            if first:
                client.set_registered_model_alias(version.name, "champion", "1")
    return folder


@pytest.fixture(scope="session")
def serve(kinds: Path, tmp_path_factory: pytest.TempPathFactory) -> Serve:
    @contextmanager
    def started(*options: str, root: Path | None = None) -> Iterator[Server]:
        folder = root or tmp_path_factory.mktemp("server")
        if not (folder / "mlflow.db").exists():
            shutil.copy(kinds / "mlflow.db", folder / "mlflow.db")
        port = free_port()
        command = [sys.executable, "-m", "serving", "--port", str(port), "--default", "people/Production", *options]
        env = os.environ | {"MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlflow.db", "PYTHONPATH": str(ROOT)}
        with Server(command, port, folder / "log", folder, env, "/live") as server:
            yield server

    return started


@pytest.fixture(scope="session")
def running(serve: Serve) -> Iterator[str]:
    """The address of a server without keys, which all tests that change nothing share."""
    with serve() as server:
        yield server.address
