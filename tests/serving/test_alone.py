"""The server needs nothing of training: not in memory, not installed."""

import subprocess
import sys
from pathlib import Path

import psutil
import pytest
import requests

from tests.conftest import VENV, Project

pytestmark = pytest.mark.xdist_group("flights")

ABSENT = ("tensorflow", "sklearn", "keras", "pandas", "dvc", "mlflow")
ROW = [["UA", "EWR", "ORD", "BOEING", "Friday", 19, 30, 719, 160, 149, 1999, 39, 37.9, 96, 13.8, None, 0.06, 1002.3, 4]]


def test_a_server_that_answers_has_no_training_library_in_memory(flights: tuple[Project, str]) -> None:
    with flights[0].serving("python", "-m", "serving", "--port", "5085", port=5085) as address:
        for path in ("/predict", "/models/flights/Staging/predict", "/models/flights/1/predict"):
            assert requests.post(address + path, json={"features": ROW}, timeout=60).status_code == 200
        for path in ("/openapi.json", "/metrics", "/models"):
            assert requests.get(address + path, timeout=60).status_code == 200
        listening = [
            process
            for process in psutil.process_iter()
            if process.name().startswith("python") and _listens(process, 5085)
        ]
        assert len(listening) == 2
        for process in listening:
            files = {part for one in process.memory_maps() for part in Path(one.path).parts}
            assert "onnxruntime" in files or process.children()
            assert not files.intersection(ABSENT)


def _listens(process: psutil.Process, port: int) -> bool:
    return any(one.laddr.port == port and one.status == psutil.CONN_LISTEN for one in process.net_connections("tcp"))


def test_the_extra_for_serving_is_enough_to_serve(flights: tuple[Project, str], tmp_path: Path) -> None:
    project, uv = flights[0], str(VENV / "bin/uv")
    subprocess.run([uv, "venv", "-q", "--python", sys.executable, tmp_path / "env"], check=True)
    python = tmp_path / "env/bin/python"
    install = [uv, "pip", "install", "-q", "--python", python, "--compile-bytecode", "-c", "requirements.lock"]
    subprocess.run([*install, ".[serving]"], cwd=project.root, check=True)
    listed = subprocess.run([uv, "pip", "list", "--python", python], capture_output=True, text=True, check=True).stdout
    assert "tensorflow" not in listed
    assert "scikit-learn" not in listed
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    env = project.env | {
        "PATH": f"{tmp_path}/env/bin:/usr/bin:/bin",
        "MLFLOW_TRACKING_URI": f"sqlite:///{project.root}/mlflow.db",
    }
    command = ("python", "-m", "serving", "--port", "5086")
    with Project(elsewhere, env).serving(*command, port=5086) as address:
        answer = requests.post(f"{address}/predict", json={"features": ROW}, timeout=60)
        assert answer.json()["prediction"][0] in ("on_time", "late")
        described = requests.get(f"{address}/openapi.json", timeout=60).json()
        assert "/models/flights/Production/predict" in described["paths"]
