"""Every family trained again in a process of its own by `reproduce`, with real git, DVC and MLflow."""

import json
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient

from data import params
from data.fetch import fetch
from data.prepare import prepare
from registry import reproduce, versions
from registry.certificate import Certificate, Terms
from tests.conftest import Project, small_project
from training import lineage, models
from training.candidate import Candidate
from training.train import train

pytestmark = [
    pytest.mark.xdist_group("networks"),  # which have TensorFlow loaded already
    pytest.mark.filterwarnings("ignore:__array__ implementation"),
]

PARAMS = """\
seed: 3
tasks:
  words: {source: {path: words.csv}, target: mood, columns: {text: text}, decision: {aim: f1}}
  motion:
    source: {path: motion.py}
    target: pace
    columns: {steps: {kind: sequence, shape: [8, 2], low: -9, high: 9}}
models:
  logistic: {task: words, family: logistic}
  svm: {task: words, family: svm}
  tree: {task: words, family: decision_tree}
  forest: {task: words, family: random_forest, params: {trees: 5}}
  boosting: {task: words, family: gradient_boosting, params: {rounds: 5}}
  knn: {task: words, family: knn}
  mlp: {task: words, family: mlp, params: &small {layers: [4], dropout: 0.2, epochs: 2}}
  warm: {task: words, family: mlp, params: {<<: *small, warm_start: Production}}
  gru:
    task: words
    family: lstm
    params: &recurrent {cell: gru, units: [3], words: 20, length: 8, head: 4, width: 4, epochs: 1}
  lstm: {task: words, family: lstm, params: {<<: *recurrent, cell: lstm}}
  transformer:
    task: words
    family: transformer
    params: {words: 20, length: 8, head: 4, width: 4, heads: 2, inner: 4, epochs: 1}
  cnn: {task: motion, family: cnn, params: {filters: [3], units: 4, dropout: 0.2, epochs: 1}}
ensembles:
  ensemble: {task: words, family: ensemble, params: {members: [warm, tree], combine: stack}}
"""
MOTION = """\
import numpy as np, pandas as pd
def read():
    steps = np.random.default_rng(0).normal(size=(120, 8, 2)).round(3)
    return pd.DataFrame({"steps": [one.tolist() for one in steps], "pace": steps[:, :, 0].mean(axis=1) > 0})
"""


def words(rows: int = 150) -> pd.DataFrame:
    random = np.random.default_rng(0)
    mood = random.choice(["sad", "glad"], rows)
    fill = [" ".join(random.choice(["the", "film", "was", "so", "long"], random.integers(1, 12))) for _ in mood]
    said = np.where(random.random(rows) < 0.8, mood, "fine")
    return pd.DataFrame({"text": [f"{text} {word}" for text, word in zip(fill, said, strict=True)], "mood": mood})


@pytest.fixture
def trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project whose every model was trained here, in this process, and registered from the last one to the first.

    `mlp` was in Production when `warm` was trained, which is there now.
    """
    project = small_project(tmp_path / "project", PARAMS)
    words().to_csv(project.root / "words.csv", index=False)
    project.write("motion.py", MOTION)
    project.commit("Declare a model of each family")
    monkeypatch.chdir(project.root)
    for name, value in project.env.items():
        if name != lineage.THREADS:  # of which TensorFlow has as many as when it was first used in this process
            monkeypatch.setenv(name, value)
    mlflow.set_tracking_uri(f"sqlite:///{project.root}/mlflow.db")
    client, content = MlflowClient(), params.load()
    for task in content["tasks"]:
        fetch(content, task)
        prepare(content, task)
    candidates = {}
    for name, declaration in content["models"].items():
        candidates[name] = train(models.declared(content, name), declaration, content["seed"])
        if name == "mlp":
            in_production(client, candidates[name])
    for candidate in reversed(candidates.values()):
        versions.ensure(client, candidate)
    in_production(client, candidates["warm"])
    return project


def in_production(client: MlflowClient, candidate: Candidate) -> None:
    version, _ = versions.ensure(client, candidate)
    client.set_registered_model_alias("words", "production", version.version)


@pytest.fixture
def reproduced(trained: Project) -> dict[str, Certificate]:
    client = MlflowClient()
    runs = len(client.search_runs([one.experiment_id for one in client.search_experiments()]))
    asked = [version for task in ("words", "motion") for version in versions.of_task(client, task)]
    found = list(reproduce.reproduce(client, asked, Terms(tolerance=0)))
    assert all(isinstance(one, Certificate) for one in found), found
    assert len(client.search_runs([one.experiment_id for one in client.search_experiments()])) == runs
    return {one.model: one for one in found if isinstance(one, Certificate)}


def test_every_family_gives_the_same_graph_in_another_process_and_another_order(
    trained: Project, reproduced: dict[str, Certificate]
) -> None:
    content = params.load()
    assert set(reproduced) == set(content["models"])
    assert {content["models"][name]["family"] for name in reproduced} == set(models.known_families())
    others = {name: one.words for name, one in reproduced.items() if not (one.agrees and one.graph.equal)}
    assert not others
    differing = [name for one in reproduced.values() for name, pair in one.metrics.items() if not pair.equal]
    assert not differing
    assert set(reproduced["ensemble"].members) == {"warm", "tree"}
    tags = {version.tags["model"]: version.tags for version in versions.of_task(MlflowClient(), "words")}
    assert all(one["reproduced"].endswith(" digest equal") for one in tags.values())
    assert tags["warm"]["warm_start.version"] == "1", "the version that was in Production then, not that of today"
    assert json.loads(json.dumps([one.record() for one in reproduced.values()], allow_nan=False))
