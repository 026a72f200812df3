"""A small project in a temporary folder: a source, `params.yaml`, and the command line."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from typing import Any

import pandas as pd
import pytest

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
