import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LOGISTIC = """
import importlib, training.__main__, training.train
from training.families import logistic
for library in logistic.LIBRARIES:
    importlib.import_module(library)
"""
HEAVY = ["tensorflow", "keras", "sklearn", "mlflow"]


@pytest.mark.parametrize(
    ("code", "absent"),
    [
        (LOGISTIC, ["tensorflow", "keras", "tf2onnx", "mlflow"]),
        ("import registry.register, registry.report, registry.versions", ["tensorflow", "keras", "sklearn"]),
        ("import data.__main__, data.prepare", HEAVY),
        ("import data.__main__, data.fetch", [*HEAVY, "pandas", "pyarrow", "sqlalchemy"]),
        ("import training.graph", [*HEAVY, "data", "onnx"]),
        ("import training.models, training.families.mlp", [*HEAVY, "onnxruntime"]),
    ],
    ids=["train logistic", "register", "prepare", "fetch", "graph", "check"],
)
def test_a_stage_loads_no_library_that_it_does_not_need(code: str, absent: list[str]) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys\nprint(*sys.modules)"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert not set(absent) & set(ended.stdout.split())
