"""A tracking server that is another process, and one that is not there."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlflow
import pytest

from registry import __main__ as registry_main
from tests.conftest import ROOT
from tests.registry.test_register import EXPECTED, state
from tests.servers.started import Server
from training import __main__ as training_main
from training import candidate

pytestmark = pytest.mark.xdist_group("servers")

LOST = "http://someone:secret@127.0.0.1:9"


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """What a command of `python -m registry` prints."""

    def run(*arguments: str) -> str:
        monkeypatch.setattr(sys, "argv", ["registry", *arguments])
        registry_main.app(standalone_mode=False)
        return capsys.readouterr().out

    return run


@pytest.mark.parametrize("store", ["on_postgres", "on_sqlite"])
def test_a_tracking_server_takes_runs_versions_stages_and_aliases(
    content: dict[str, Any], store: str, request: pytest.FixtureRequest, run: Callable[..., str]
) -> None:
    server: Server = request.getfixturevalue(store)
    mlflow.set_tracking_uri(server.address)
    assert "Registered: version 1 (churn-logistic), version 2 (churn-weak)" in run("register", "churn")
    assert state() == EXPECTED
    assert not Path("mlruns").exists()
    loaded = mlflow.pyfunc.load_model("models:/churn@production")
    assert loaded.predict({"tenure": [3.0], "plan": ["basic"], "visits": [1.0]})["label"].tolist() == ["yes"]
    why = ("--why", "fewer complaints")
    assert "churn: version 2 is in Production" in run("promote", "churn", "2", "--to", "Production", *why)
    assert state()["aliases"] == {"production": "churn-weak"}
    assert '"stage": "Production"' in run("show", "churn", "2", "--json")
    assert "churn: version 1 is in Production again" in run("rollback", "churn", *why)
    assert state()["aliases"]["production"] == "churn-logistic"
    assert run("history", "churn").count("fewer complaints") == 2


def test_the_address_in_the_environment_is_all_that_a_process_needs(
    content: dict[str, Any], on_postgres: Server
) -> None:
    env = os.environ | {"MLFLOW_TRACKING_URI": on_postgres.address, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "registry", "register", "churn"]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "http" not in done.stdout + done.stderr
    assert not Path("mlruns").exists()
    mlflow.set_tracking_uri(on_postgres.address)
    assert state() == EXPECTED


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
    monkeypatch.setattr(sys, "argv", ["registry", "show", "churn"])
    with pytest.raises(SystemExit) as caught:
        registry_main.main()
    assert caught.value.code == 1
    lines = capsys.readouterr().err.splitlines()
    assert (
        lines[-1] == "error: MLflow failed: http://127.0.0.1:9 does not answer; see to the server, then run this again"
    )
    assert "secret" not in "".join(lines)
