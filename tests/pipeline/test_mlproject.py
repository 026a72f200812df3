"""`mlflow run` on the entry points of `MLproject` that the README's own test leaves out."""

from pathlib import Path

import pytest
import requests

from tests.conftest import Project

pytestmark = pytest.mark.xdist_group("flights")


def test_mlflow_run_serves(flights: tuple[Project, str]) -> None:
    command = ["mlflow", "run", ".", "-e", "serve", "-P", "port=5084", "--env-manager", "local"]
    with flights[0].serving(*command, port=5084) as address:
        assert requests.get(f"{address}/version", timeout=30).status_code == 200


def test_mlflow_makes_the_pinned_environment_itself(flights: tuple[Project, str], tmp_path: Path) -> None:
    envs = str(tmp_path / "envs")
    output = flights[0].ok("mlflow", "run", ".", "--env-manager", "uv", MLFLOW_ENV_ROOT=envs, UV_COMPILE_BYTECODE="0")
    assert "Production: version" in output
    assert list(Path(envs).glob("*/lib/python*/site-packages/tensorflow"))
