"""Small made tables with their contract, a graph that was fitted on one, and a small git repository."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from data.contract import Column, Contract
from tests.conftest import GIT, commit
from training import onnx_graph
from training.families import Fitted, Rows, logistic
from training.graph import Graph

CATEGORIES = ["", "a b", "é", "日本", "0"]

LOCK = """\
stages:
  fetch@t:
    cmd: python -m data fetch t
    outs:
    - path: data/raw/t
      md5: 4567.dir
  prepare@t:
    cmd: python -m data prepare t
    outs:
    - path: data/prepared/t
      md5: 0123.dir
"""

Make = Callable[..., tuple[Rows, pd.DataFrame]]
Compile = Callable[[Fitted, Contract], Graph]


@pytest.fixture(scope="session")
def make_rows() -> Make:
    """Rows to fit on, and test rows with missing values and unknown categories."""

    def make(
        numbers: tuple[str, ...] = ("x", "z"),
        categories: tuple[str, ...] = ("c", "d"),
        classes: int = 2,
        empty: tuple[str, ...] = (),
        rows: int = 240,
    ) -> tuple[Rows, pd.DataFrame]:
        random = np.random.default_rng(0)
        table = pd.DataFrame(index=range(rows))
        for place, name in enumerate(numbers):
            values = random.normal(3.0 * place, 10.0**place, rows).astype(np.float32)
            table[name] = np.where(random.random(rows) < 0.1, np.float32(np.nan), values)
        for name in categories:
            table[name] = random.choice(CATEGORIES, rows)
        for name in empty:
            table[name] = np.float32(np.nan) if name in numbers else ""
        first = table.iloc[:, 0]
        signal = first.rank(pct=True) if first.dtype == np.float32 else first.map(CATEGORIES.index) / len(CATEGORIES)
        noisy = signal.fillna(0.5) + random.normal(0, 0.2, rows)
        codes = noisy.rank(pct=True, method="first").mul(classes).sub(1e-9).astype(int).to_numpy()
        columns = [*(Column(name, "number") for name in numbers), *(Column(name, "category") for name in categories)]
        contract = Contract("made", "y", tuple(columns), tuple(f"klass {k}" for k in range(classes)))
        cut, test = rows // 2, 3 * rows // 4
        odd = table[test:].reset_index(drop=True)
        for name in numbers:
            odd.loc[0, name], odd.loc[1, name], odd.loc[2, name] = np.nan, 1e6, -1e6
        for name in categories:
            odd.loc[0, name], odd.loc[1, name] = "", "never seen"
        parts = Rows(contract, table[:cut], codes[:cut], table[cut:test], codes[cut:test])
        return parts, odd

    return make


@pytest.fixture(scope="session")
def compile_graph(tmp_path_factory: pytest.TempPathFactory) -> Compile:
    """The finished graph of a fitted model, opened from its file."""

    def compile_one(fitted: Fitted, contract: Contract) -> Graph:
        path = tmp_path_factory.mktemp("graph") / "graph.onnx"
        path.write_bytes(onnx_graph.finish(fitted.to_onnx(), contract).SerializeToString(deterministic=True))
        return Graph(path)

    return compile_one


@pytest.fixture(scope="session")
def graph_file(make_rows: Make, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The finished graph of a logistic regression on two numbers and two categories."""
    rows, _ = make_rows()
    fitted = logistic.fit(logistic.Params(C=1.0, max_iter=20, bins=None), rows, 0)
    path = tmp_path_factory.mktemp("graph") / "graph.onnx"
    path.write_bytes(onnx_graph.finish(fitted.to_onnx(), rows.contract).SerializeToString(deterministic=True))
    return path


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A git repository of one commit, as the current folder, outside of any DVC stage."""
    for name in [name for name in os.environ if name.startswith(("GIT_", "DVC_"))]:
        monkeypatch.delenv(name)
    for name, value in GIT.items():
        monkeypatch.setenv(name, value)
    root = tmp_path / "repository"
    root.mkdir()
    monkeypatch.chdir(root)
    for name, content in (("code.py", "x = 1\n"), ("dvc.lock", LOCK), ("params.yaml", "{}\n"), ("dvc.yaml", "{}\n")):
        (root / name).write_text(content)
    commit(root)
    return root
