"""Registries that are no file: a tracking server, a database in PostgreSQL, graphs in S3."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest
from mlflow import MlflowClient

from registry import stages
from tests.conftest import ROOT, VENV
from tests.servers.postgres import Postgres
from tests.servers.s3 import S3
from tests.servers.started import Server, free_port
from tests.serving.reliability.made import TASK, Registry
from tests.serving.reliability.questions import Own, ask, chances, good, rows
from tests.serving.reliability.running import Serving, serving

pytestmark = pytest.mark.xdist_group("reliability")

REGISTER = """
from mlflow import MlflowClient
from registry import versions
from training import candidate
for name in ("calm", "deep"):
    versions.ensure(MlflowClient(), candidate.read("churn", name))
"""


class Elsewhere(Registry):
    """The same models, registered at another address."""

    def __init__(self, folder: Path, address: str, env: Mapping[str, str]) -> None:
        super().__init__(folder)
        object.__setattr__(self, "more", {"MLFLOW_TRACKING_URI": address, **env})

    @property
    def env(self) -> dict[str, str]:
        return os.environ | {"PYTHONPATH": str(ROOT)} | self.more  # type: ignore[attr-defined]


def register(filled: Registry, folder: Path, address: str, env: Mapping[str, str]) -> Elsewhere:
    for name in ("candidates", "data", "params.yaml", "churn.csv"):
        source = filled.folder / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, folder / name)
    found = Elsewhere(folder, address, env)
    subprocess.run([sys.executable, "-c", REGISTER], cwd=folder, env=found.env, check=True, timeout=120)
    return found


def move(address: str, production: str, staging: str) -> None:
    client = MlflowClient(address)
    stages.show(client, TASK, stages.seen(client, TASK), {stages.PRODUCTION: production, stages.STAGING: staging})


def follows(server: Serving, own: Own, address: str) -> None:
    """A move is followed within two seconds, and the answers are those of the version."""
    path, body = ask("plain", rows(3))
    for number, other in (("2", "1"), ("1", "2")):
        move(address, number, other)
        time.sleep(2)
        answer = good(server.post(path, **body))
        assert answer.headers["x-model-version"] == f"{TASK}/{number}"
        assert chances(answer.content) == pytest.approx(own.chances(number, rows(3)), abs=2e-6)


def test_a_tracking_server_is_followed_and_missed(filled: Registry, on_sqlite: Server, tmp_path: Path) -> None:
    registry = register(filled, tmp_path, on_sqlite.address, {})
    move(on_sqlite.address, "1", "2")
    with serving(registry, tmp_path / "server", "--default", f"{TASK}/Production") as server:
        follows(server, Own(filled), on_sqlite.address)
        on_sqlite.stop()
        time.sleep(2)
        path, body = ask("plain", rows(3))
        good(server.post(path, **body))
        assert not good(server.get("/ready")).json()["registry"]["reachable"]
        on_sqlite.start()
        follows(server, Own(filled), on_sqlite.address)
        assert good(server.get("/ready")).json()["registry"]["reachable"]


def test_a_database_in_postgresql_with_graphs_in_s3_is_followed(
    filled: Registry, postgres: Postgres, s3: S3, tmp_path: Path
) -> None:
    url, port = postgres.create("serving"), free_port()
    command = [str(VENV / "bin/mlflow"), "server", "--port", str(port), "--workers", "1", "--no-serve-artifacts"]
    command += ["--backend-store-uri", url, "--default-artifact-root", s3.bucket("serving")]
    env = os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"} | s3.env
    with Server(command, port, tmp_path / "log", tmp_path, env) as tracking:
        registry = register(filled, tmp_path, tracking.address, s3.env)
        move(tracking.address, "1", "2")
        direct = Elsewhere(tmp_path, url, s3.env)
        for place, one in (("over http", registry), ("directly", direct)):
            with serving(one, tmp_path / place, "--default", f"{TASK}/Production") as server:
                follows(server, Own(filled), tracking.address)
