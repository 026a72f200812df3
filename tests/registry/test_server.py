"""A tracking server that is another process, and one that is not there."""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import mlflow
import pytest
import requests
from mlflow import MlflowClient

from registry import __main__ as registry_main
from tests.conftest import VENV
from tests.registry.test_register import EXPECTED, state
from training import __main__ as training_main
from training import candidate

LOST = "http://someone:secret@127.0.0.1:9"


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def test_a_tracking_server_takes_runs_versions_stages_and_aliases(content: dict[str, Any], tmp_path: Path) -> None:
    port = free_port()
    command = [str(VENV / "bin/mlflow"), "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    store = ["--backend-store-uri", f"sqlite:///{tmp_path}/server.db", "--artifacts-destination", f"{tmp_path}/kept"]
    quick = os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    with (tmp_path / "server.log").open("w") as log:
        server = subprocess.Popen(
            [*command, *store], stdout=log, stderr=log, start_new_session=True, cwd=tmp_path, env=quick
        )
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(400):
            try:
                if requests.get(f"{address}/health", timeout=2).ok:
                    break
            except requests.RequestException:
                time.sleep(0.1)
        env = os.environ | {"MLFLOW_TRACKING_URI": address, "PYTHONPATH": str(Path(__file__).parents[2])}
        command = [sys.executable, "-m", "registry", "register", "churn"]
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        assert "http" not in done.stdout
        assert "Registered: version 1 (churn-logistic), version 2 (churn-weak)" in done.stdout
        mlflow.set_tracking_uri(address)
        assert state() == EXPECTED
        assert not Path("mlruns").exists()
        version = MlflowClient().get_model_version_by_alias("churn", "production")
        loaded = mlflow.pyfunc.load_model("models:/churn@production")
        assert version.tags["model"] == "churn-logistic"
        assert loaded.predict({"tenure": [3.0], "plan": ["basic"], "visits": [1.0]})["label"].tolist() == ["yes"]
    finally:
        os.killpg(server.pid, 15)
        server.wait(30)


def test_a_lost_server_costs_no_candidate_and_is_told_in_one_line_within_a_minute(
    content: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = candidate.read("churn", "churn-weak")
    mlflow.set_tracking_uri(LOST)
    monkeypatch.setattr(sys, "argv", ["training", "train", "churn-weak"])
    start = time.monotonic()
    training_main.app(standalone_mode=False)
    assert time.monotonic() - start < 60
    last = capsys.readouterr().out.splitlines()[-1]
    assert "the candidate is written, but MLflow did not take its run (http://127.0.0.1:9 does not answer)" in last
    after = candidate.read("churn", "churn-weak")
    assert before is not None
    assert after is not None
    assert after.started > before.started


def test_registering_with_a_lost_server_is_one_line_without_the_password(
    content: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    mlflow.set_tracking_uri(LOST)
    monkeypatch.setattr(sys, "argv", ["registry", "list", "churn"])
    with pytest.raises(SystemExit) as caught:
        registry_main.main()
    assert caught.value.code == 1
    lines = capsys.readouterr().err.splitlines()
    assert (
        lines[-1] == "error: MLflow failed: http://127.0.0.1:9 does not answer; see to the server, then run this again"
    )
    assert "secret" not in "".join(lines)
