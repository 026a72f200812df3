"""Tiny registered models of every kind of column."""

from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient

from data import params
from data.fetch import fetch
from data.prepare import prepare
from registry import versions
from training import candidate, models
from training.train import train

PARAMS = """\
seed: 3
tasks:
  people:
    source: {path: people.parquet}
    target: left
    columns: {age: number, member: boolean, plan: category, note: text, since: time}
    decision: {aim: f1}
  words:
    source: {path: people.parquet}
    target: left
    columns: {plan: category, note: text}
  counts:
    source: {path: people.parquet}
    target: left
    columns: {age: number, member: boolean}
  motion:
    source: {path: motion.py}
    target: pace
    columns: {steps: {kind: sequence, shape: [5, 2], low: -9, high: 9}}
models:
  people: {task: people, family: logistic}
  words: {task: words, family: logistic}
  counts: {task: counts, family: logistic}
  motion: {task: motion, family: logistic}
"""
MOTION = """\
import numpy as np, pandas as pd
def read():
    steps = np.random.default_rng(0).normal(size=(160, 5, 2)).round(3)
    return pd.DataFrame({"steps": [one.tolist() for one in steps], "pace": steps[:, :, 0].mean(axis=1) > 0})
"""


def people(rows: int = 160) -> pd.DataFrame:
    random = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "age": random.normal(40, 9, rows).round(1),
            "member": random.random(rows) < 0.5,
            "plan": random.choice(["basic", "plus", "3", None], rows),
            "note": random.choice(["good fine", "bad poor", "so so", None], rows),
            "since": pd.Timestamp("2020-01-01") + pd.to_timedelta(random.integers(0, 900, rows), unit="D"),
        }
    )
    worth = table["age"] + 9 * table["member"] + 9 * table["plan"].isna() + 9 * table["note"].isna()
    table.loc[::9, ["age", "since"]] = None
    return table.assign(left=np.where(worth + random.normal(0, 4, rows) > 50, "yes", "no"))


@pytest.fixture(scope="session")
def kinds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project's folder whose registry, mlflow.db, has version 1 of a model of each task of `PARAMS`."""
    folder, before = tmp_path_factory.mktemp("kinds"), mlflow.get_tracking_uri()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        Path("params.yaml").write_text(PARAMS, encoding="utf-8")
        Path("motion.py").write_text(MOTION, encoding="utf-8")
        people().to_parquet("people.parquet")
        mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
        content = params.load()
        for name, declaration in content["models"].items():
            fetch(content, name)
            prepare(content, name)
            train(models.declared(content, name), declaration, content["seed"])
            found = candidate.read(name, name)
            assert found is not None
            versions.ensure(MlflowClient(), found)
    mlflow.set_tracking_uri(before)
    return folder
