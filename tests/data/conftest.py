"""A small project in a temporary folder: a source, `params.yaml`, and the command line."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from textwrap import dedent
from typing import Any

import pandas as pd
import pytest

from data import agree, params
from data.agree import Agreement
from data.snapshot import RAW, RECORD, ROWS, Snapshot
from data.table import opened

ROOT = Path(__file__).parents[2]
PARAMS = """\
    seed: 3
    tasks:
      fruit:
        source: {path: fruit.csv}
        target: kind
    models:
      fruit-logistic: {task: fruit, family: logistic}
"""

Write = Callable[..., Path]
Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def declare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Write `params.yaml`, with `(old, new)` texts exchanged, into the temporary folder, and go there."""
    monkeypatch.chdir(tmp_path)

    def write(*changes: tuple[str, str]) -> Path:
        text = dedent(PARAMS)
        for old, new in changes:
            assert text.count(old) == 1, old
            text = text.replace(old, new)
        (tmp_path / "params.yaml").write_text(text, encoding="utf-8")
        return tmp_path

    return write


def snapshot(table: pd.DataFrame, decimal: str = ".") -> None:
    """What `fetch` would write for `table` as the source of the task t, in the working folder."""
    folder = RAW / "t"
    folder.mkdir(parents=True, exist_ok=True)
    table.to_parquet(folder / ROWS, index=False)
    text = all(dtype == "str" for dtype in table.dtypes)
    record = asdict(Snapshot([], "parquet", text, decimal, []))
    (folder / RECORD).write_text(json.dumps(record), encoding="utf-8")


def written(columns: dict[str, list[Any]]) -> pd.DataFrame:
    """A table as it is read from text: strings, and None where a field was empty."""
    return pd.DataFrame({name: pd.array(values, dtype="str") for name, values in columns.items()})


def declared(**said: Any) -> params.Task:
    """A declaration of the task t with the target y."""
    return params.parse(params.Task, {"source": {"path": "t.csv"}, "target": "y", **said}, "tasks.t")


def agreed(table: pd.DataFrame, decimal: str = ".", **said: Any) -> Agreement:
    """What is inferred for a table, in the working folder."""
    task = declared(**said)
    snapshot(table, decimal)
    with opened("t", "tasks.t") as rows:
        agree.with_target(rows, task, "tasks.t")
        return agree.anew(rows, task, "t")


@pytest.fixture
def fruit() -> pd.DataFrame:
    """Sixty raw rows of two classes, a number with missing values and a category with accents."""
    kinds = ["apple", "pear", "apple"] * 20
    weights: list[Any] = [100 + place for place in range(60)]
    weights[7] = None
    return pd.DataFrame({"weight": weights, "origin": ["Málaga", "Köln", None] * 20, "kind": kinds})


@pytest.fixture
def project(declare: Write, fruit: pd.DataFrame) -> Path:
    """A folder where `python -m data prepare fruit` works."""
    folder = declare()
    fruit.to_csv(folder / "fruit.csv", index=False)
    return folder


@pytest.fixture
def command(tmp_path: Path) -> Run:
    """`python -m data ...` in the temporary folder."""

    def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "data", *arguments],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"},
            capture_output=True,
            encoding="utf-8",
            check=False,
        )

    return run
