"""A registry with a logistic regression, an MLP and a version with another contract, made by a process of its own."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import mlflow
from mlflow import MlflowClient

from data import params
from data.fetch import fetch
from data.prepare import prepare
from registry import stages, versions
from tests.conftest import ROOT, churn_table
from training import candidate, models
from training.train import train

TASK = "churn"
LOGISTIC, MLP, NARROW = "1", "2", "3"
PARAMS = """\
seed: 3
tasks:
  churn:
    source: {path: churn.csv}
    target: churned
models:
  calm: {task: churn, family: logistic}
  deep: {task: churn, family: mlp, params: {epochs: 2}}
  narrow: {task: churn, family: logistic}
"""


@dataclass(frozen=True)
class Registry:
    """A registry in SQLite, and the folder that it is in."""

    folder: Path

    @property
    def uri(self) -> str:
        return f"sqlite:///{self.folder}/mlflow.db"

    @property
    def env(self) -> dict[str, str]:
        return os.environ | {"MLFLOW_TRACKING_URI": self.uri, "PYTHONPATH": str(ROOT)}

    @property
    def client(self) -> MlflowClient:
        return MlflowClient(self.uri)

    def show(self, production: str | None, staging: str | None = None) -> None:
        """Have stages and aliases name these versions."""
        held = {stages.PRODUCTION: production, stages.STAGING: staging}
        stages.show(self.client, TASK, stages.seen(self.client, TASK), held)

    def graph(self, number: str) -> Path:
        """The file of a version's graph in the artifact store."""
        source = self.client.get_model_version_download_uri(TASK, number)
        return Path(source) / "artifacts" / "graph.onnx"


def make(folder: Path) -> Registry:
    """Make one in an empty folder."""
    command = [sys.executable, "-m", "tests.serving.reliability.made"]
    env = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "TF_NUM_INTRAOP_THREADS": "1"}
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    return Registry(folder)


def main() -> None:
    """Fill the current folder."""
    folder = Path.cwd()
    table = churn_table()
    mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
    Path("params.yaml").write_text(PARAMS, encoding="utf-8")
    for name in ("calm", "deep", "narrow"):
        (table.drop(columns="visits") if name == "narrow" else table).to_csv("churn.csv", index=False)
        content = params.load()
        if name != "deep":
            fetch(content, TASK)
            prepare(content, TASK, accept=name == "narrow")
        train(models.declared(content, name), content["models"][name], content["seed"])
        found = candidate.read(TASK, name)
        assert found is not None
        versions.ensure(MlflowClient(), found)
    table.to_csv("churn.csv", index=False)
    fetch(content, TASK)
    prepare(content, TASK, accept=True)


if __name__ == "__main__":
    main()
