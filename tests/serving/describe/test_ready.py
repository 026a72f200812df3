"""What `/ready` says when something is wrong."""

import hashlib
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests
from mlflow import MlflowClient

from tests.serving.describe.conftest import Serve

pytestmark = pytest.mark.xdist_group("describe")


def wait(found: Callable[[], Any]) -> Any:
    """What is found, as soon as it is."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        if result := found():
            return result
        time.sleep(0.1)
    return pytest.fail("it did not come about in 20 s")


def test_a_registry_out_of_reach_and_a_version_refused_are_said_while_the_last_one_answers(
    serve: Serve, tmp_path: Path
) -> None:
    with serve(root=tmp_path) as server:

        def ready() -> tuple[str, dict[str, Any]]:
            answer = requests.get(f"{server.address}/ready", timeout=30)
            assert answer.status_code == 200
            return answer.json()["status"], answer.json()

        assert ready()[0] == "ready"
        (tmp_path / "mlflow.db").rename(tmp_path / "away.db")
        page = wait(lambda: ready()[0] == "degraded" and ready()[1])
        assert not page["registry"]["reachable"]
        assert page["registry"]["since"]
        assert "mlflow.db" in page["registry"]["why"]
        assert page["addresses"]["people/Production"]["version"] == 1
        assert requests.get(f"{server.address}/ping", timeout=30).status_code == 200
        (tmp_path / "away.db").rename(tmp_path / "mlflow.db")
        wait(lambda: ready()[0] == "ready")

        graph = next((tmp_path / ".serving").glob("*/people/2-*/graph.onnx"))
        before = requests.get(f"{server.address}/openapi.json", timeout=30).json()
        client = MlflowClient(f"sqlite:///{tmp_path}/mlflow.db")
        client.set_model_version_tag("people", "2", "graph.digest", "0" * 64)
        client.transition_model_version_stage("people", "2", "Production", archive_existing_versions=True)
        address = wait(lambda: (one := ready()[1]["addresses"]["people/Production"]).get("refused") and one)
        assert ready()[0] == "degraded"
        assert (address["version"], address["refused"]["version"]) == (1, 2)
        assert "SHA-256" in address["refused"]["why"]
        client.set_model_version_tag("people", "2", "graph.digest", hashlib.sha256(graph.read_bytes()).hexdigest())
        wait(lambda: ready()[1]["addresses"]["people/Production"]["version"] == 2)
        assert ready()[0] == "ready"
        after = requests.get(f"{server.address}/openapi.json", timeout=30).json()
        assert "/models/people/Staging/predict" in before["paths"]
        assert "/models/people/Staging/predict" not in after["paths"]


def test_a_default_that_cannot_be_loaded_is_not_ready(serve: Serve, tmp_path: Path, kinds: Path) -> None:
    shutil.copy(kinds / "mlflow.db", tmp_path / "mlflow.db")
    MlflowClient(f"sqlite:///{tmp_path}/mlflow.db").set_model_version_tag("people", "1", "graph.digest", "0" * 64)
    with serve(root=tmp_path) as server:
        answer = requests.get(f"{server.address}/ready", timeout=30)
        assert (answer.status_code, answer.json()["status"]) == (503, "unavailable")
        assert answer.json()["addresses"]["people/Production"]["refused"]["version"] == 1
        assert requests.get(f"{server.address}/ping", timeout=30).status_code == 404
        assert requests.get(f"{server.address}/v2/health/ready", timeout=30).status_code == 503
        assert requests.get(f"{server.address}/v2/models/people/ready", timeout=30).json()["ready"] is False
        assert requests.get(f"{server.address}/models/people/Production", timeout=30).status_code == 503
        assert requests.get(f"{server.address}/models/notes/Production", timeout=30).status_code == 200
        assert "/predict" not in requests.get(f"{server.address}/openapi.json", timeout=30).json()["paths"]
