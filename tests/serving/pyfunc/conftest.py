"""A registry with models that are no graphs of this project, and a server for them."""

import os
import signal
import sys
import sysconfig
import venv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
import requests
from mlflow import MlflowClient
from mlflow.models import ModelSignature, infer_signature
from mlflow.types import ColSpec, ParamSchema, ParamSpec, Schema
from sklearn.linear_model import LinearRegression

from tests.servers.started import Server, free_port

ROOT = Path(__file__).parents[3]

TABLE = pd.DataFrame({"weight": [1.0, 2.0, 3.0], "wheels": [4, 3, 4]})
PRICES = np.array([9.0, 13.0, 17.0])

SCALED = """\
import os
import time

import mlflow
import pandas as pd
from only_there import one


class Scaled(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        if "seconds" in model_input:
            time.sleep(float(model_input["seconds"].fillna(0).iloc[0]))
        if (model_input["x"] < 0).any():
            raise ValueError(f"no root of {model_input['x'].tolist()}")
        if (model_input["x"] == 666).any():
            os.abort()
        return pd.DataFrame({"root": model_input["x"] ** 0.5 * (params or {}).get("factor", one)})


mlflow.models.set_model(Scaled())
"""
EMPTY = """\
import mlflow


class Empty(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        return [0.0]


mlflow.models.set_model(Empty())
"""
BROKEN = "import a_module_that_nobody_has\n"


def columns(*specs: ColSpec) -> ModelSignature:
    """A signature of these columns, one number out, and a parameter."""
    return ModelSignature(
        Schema(list(specs)),
        Schema([ColSpec("double", "root")]),
        ParamSchema([ParamSpec("factor", "double", 1.0)]),
    )


X, SECONDS = ColSpec("double", "x"), ColSpec("double", "seconds", required=False)


class Registry:
    """A registry in SQLite."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.made = 0
        self.uri = f"sqlite:///{folder}/mlflow.db"
        mlflow.set_tracking_uri(self.uri)
        self.client = MlflowClient()

    def script(self, name: str, code: str, signature: ModelSignature | None, example: Any = None) -> str:
        """Register a model whose code is a script; its number."""
        path = self.folder / f"{name}-code.py"
        self.made += 1
        place = self.folder / "scripts" / f"{name}-{self.made}"
        path.write_text(EMPTY, encoding="utf-8")  # MLflow runs it, here, where it may lack what it needs
        mlflow.pyfunc.save_model(
            place, python_model=path, signature=signature, pip_requirements=[], input_example=example
        )
        (place / path.name).write_text(code, encoding="utf-8")
        return self.register(name, place)

    def register(self, name: str, place: Path) -> str:
        if not self.client.search_registered_models(f"name='{name}'"):
            self.client.create_registered_model(name)
        return str(self.client.create_model_version(name, str(place)).version)

    def promote(self, name: str, number: str) -> None:
        """Production moves, and what was there is named by nothing."""
        before = self.client.get_latest_versions(name, ["Production"])
        self.client.transition_model_version_stage(name, number, "Production")
        for one in before:
            self.client.transition_model_version_stage(name, one.version, "None")

    def sklearn(self, name: str) -> str:
        model = LinearRegression().fit(TABLE, PRICES)
        place = self.folder / "sklearn"
        mlflow.sklearn.save_model(
            model,
            place,
            signature=infer_signature(TABLE, PRICES),
            input_example=TABLE,
            pip_requirements=[],
            serialization_format="pickle",
        )
        return self.register(name, place)

    def tensor(self, name: str) -> str:
        model = LinearRegression().fit(np.array([[0.0, 1, 0], [1, 0, 0], [0, 0, 1], [1, 1, 1]]), [2.0, 1, 3, 6])
        place = self.folder / "tensor"
        mlflow.sklearn.save_model(
            model,
            place,
            signature=infer_signature(np.zeros((2, 3)), np.zeros(2)),
            pip_requirements=[],
            serialization_format="pickle",
        )
        return self.register(name, place)


@dataclass
class Running:
    """A server, and the registry behind it."""

    address: str
    registry: Registry
    log: Path
    process: int

    def ask(self, path: str, body: Any, **more: Any) -> requests.Response:
        if not isinstance(body, bytes):
            more["json"] = body
        else:
            more["data"] = body
        return requests.post(f"{self.address}{path}", timeout=40, **more)


def start(registry: Registry, folder: Path, *options: str, answers: str = "/ping") -> Server:
    """A server for a registry, not started."""
    command = [sys.executable, "-m", "serving", "--port", "0", "--log", "json", *options]
    port = free_port()
    command[command.index("--port") + 1] = str(port)
    env = os.environ | {"MLFLOW_TRACKING_URI": registry.uri, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return Server(command, port, folder / "log", folder, env, answers)


def python_with(module: str, content: str, folder: Path) -> str:
    """The Python of another environment: all that this one has, and a module that this one has not."""
    venv.create(folder, symlinks=True)
    place = next(folder.glob("lib/python*/site-packages"))
    (place / f"{module}.py").write_text(content, encoding="utf-8")
    (place / "all.pth").write_text(sysconfig.get_path("purelib"), encoding="utf-8")
    return str(folder / "bin/python")


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    before = mlflow.get_tracking_uri()
    yield Registry(tmp_path_factory.mktemp("registry"))
    mlflow.set_tracking_uri(before)


@pytest.fixture(scope="module")
def running(registry: Registry, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server that may serve them, with two workers: prices (scikit-learn) and roots (a script) in Production."""
    registry.promote("prices", registry.sklearn("prices"))
    registry.promote("roots", registry.script("roots", SCALED, columns(X, SECONDS), pd.DataFrame({"x": [4.0]})))
    registry.tensor("sums")
    registry.client.set_registered_model_alias("broken", "best", registry.script("broken", BROKEN, columns(X)))
    folder = tmp_path_factory.mktemp("server")
    python = python_with("only_there", "one = 1.0\n", folder / "environment")
    options = ["--allow-pyfunc", "--pyfunc-python", python, "--workers", "2", "--timeout", "20", "--poll", "0.2"]
    server = start(registry, folder, *options)
    with server:
        yield Running(server.address, registry, folder / "log", server.process.pid)
        server.stop(signal.SIGTERM)
