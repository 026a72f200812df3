"""A server that speaks S3, in a process of its own."""

import os
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import requests

from tests.conftest import VENV
from tests.servers.started import Server, free_port


@dataclass(frozen=True)
class S3:
    """Where it listens, and what a client needs to know of it."""

    address: str

    @property
    def env(self) -> dict[str, str]:
        """Variables that DVC and MLflow find it by."""
        keys = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}
        return keys | {"AWS_ENDPOINT_URL": self.address}

    def bucket(self, name: str) -> str:
        """The URL of a bucket that is made."""
        requests.put(f"{self.address}/{name}", timeout=30).raise_for_status()
        return f"s3://{name}"


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3]:
    """A running S3 without a bucket."""
    port, folder = free_port(), tmp_path_factory.mktemp("s3")
    command = [str(VENV / "bin/moto_server"), "-H", "127.0.0.1", "-p", str(port)]
    with Server(command, port, folder / "log", folder, os.environ, "/moto-api/data.json") as server:
        yield S3(server.address)
