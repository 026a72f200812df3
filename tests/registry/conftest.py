"""Two trained candidates of a small task, and an empty MLflow store for each test."""

import shutil
from pathlib import Path
from typing import Any

import mlflow
import pytest

from data import params
from data.fetch import fetch
from data.prepare import prepare
from registry.register import register
from tests.conftest import churn_table, commit
from training import models
from training.train import train

PARAMS = """\
seed: 3
tasks:
  churn: {source: {path: churn.csv}, target: churned}
models:
  churn-logistic: {task: churn, family: logistic}
  churn-weak: {task: churn, family: logistic, params: {bins: 2}}
gate: {resamples: 200}
"""


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with prepared rows, two candidates and an MLflow database without a run."""
    folder = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        (folder / "params.yaml").write_text(PARAMS, encoding="utf-8")
        churn_table(6000).to_csv("churn.csv", index=False)
        commit(folder)
        content = params.load()
        fetch(content, "churn")
        prepare(content, "churn")
        for name, declaration in content["models"].items():
            train(models.declared(content, name), declaration, content["seed"])
        mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
        mlflow.search_experiments()
    return folder


@pytest.fixture(scope="session")
def registered_once(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The trained project after `register`: version 1 in Production, version 2 in Staging."""
    folder = tmp_path_factory.mktemp("registered") / "project"
    shutil.copytree(trained, folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
        register(params.load(), "churn")
    return folder


@pytest.fixture
def registered(registered_once: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The declarations of the registered project, with a database of its own; files are shared, so none is changed."""
    monkeypatch.chdir(registered_once)
    shutil.copy(registered_once / "mlflow.db", tmp_path / "mlflow.db")
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/mlflow.db")
    return params.load()


@pytest.fixture
def content(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The declarations of a project that is the working folder, with an MLflow store of its own."""
    shutil.copytree(trained, tmp_path / "project")
    monkeypatch.chdir(tmp_path / "project")
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/project/mlflow.db")
    return params.load()
