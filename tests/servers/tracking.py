"""MLflow's tracking server: its database in PostgreSQL or SQLite, artifacts taken in and given out by the server."""

import os
import signal
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.conftest import VENV
from tests.servers.postgres import Postgres
from tests.servers.s3 import S3
from tests.servers.started import Server, free_port

QUICK = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}


def tracking(store: str, artifacts: str, folder: Path, env: Mapping[str, str]) -> Server:
    """A tracking server, not started."""
    port = free_port()
    command = [str(VENV / "bin/mlflow"), "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", store, "--artifacts-destination", artifacts]
    return Server(command, port, folder / "log", folder, os.environ | QUICK | env)


@pytest.fixture(scope="session")
def postgres_server(postgres: Postgres, s3: S3, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A tracking server with its database in PostgreSQL and its artifacts in S3, the same for all tests."""
    folder = tmp_path_factory.mktemp("tracking")
    with tracking(postgres.create("mlflow"), s3.bucket("mlflow"), folder, s3.env) as server:
        yield server
        server.stop(signal.SIGKILL)  # an end in good order takes it seconds


@pytest.fixture
def on_postgres(postgres_server: Server) -> Server:
    """The same, without a run or a version."""
    clear(postgres_server.address)
    return postgres_server


@pytest.fixture
def on_sqlite(tmp_path: Path) -> Iterator[Server]:
    """A tracking server with its database and its artifacts in a folder, without a run or a version."""
    folder = tmp_path / "tracking"
    folder.mkdir()
    with tracking(f"sqlite:///{folder}/server.db", str(folder / "artifacts"), folder, {}) as server:
        yield server
        server.stop(signal.SIGKILL)


def clear(address: str) -> None:
    """Delete the registered models, and the experiments, whose names are free again."""
    from mlflow import MlflowClient

    client = MlflowClient(address)
    for model in client.search_registered_models():
        client.delete_registered_model(model.name)
    for experiment in client.search_experiments(filter_string="name != 'Default'"):
        client.rename_experiment(experiment.experiment_id, uuid.uuid4().hex)
        client.delete_experiment(experiment.experiment_id)
