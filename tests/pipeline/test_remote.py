"""DVC's remote in S3: what one person pushed another one pulls, and runs nothing again."""

from pathlib import Path

import pytest

from tests.conftest import Project
from tests.pipeline.test_repro import registry
from tests.servers.s3 import S3

pytestmark = pytest.mark.xdist_group("repro")


def test_a_clone_pulls_from_s3_what_was_pushed_and_trains_nothing(again: Project, s3: S3, tmp_path: Path) -> None:
    here = Project(again.root, again.env | s3.env)
    here.ok("dvc", "remote", "add", "--default", "shared", f"{s3.bucket('dvc')}/cache")
    here.commit("A remote")
    assert "files pushed" in here.ok("dvc", "push")

    here.ok("git", "clone", "-q", ".", str(tmp_path / "clone"))
    clone = Project(tmp_path / "clone", here.env | {"MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/clone/mlflow.db"})
    assert not (clone.root / "candidates").exists()
    clone.ok("dvc", "pull")
    for graph in ("candidates/churn/churn-logistic/graph.onnx", "candidates/.members/churn/churn-logistic.onnx"):
        assert (clone.root / graph).read_bytes() == (again.root / graph).read_bytes()
    output = clone.ok("dvc", "repro")
    assert "Stage 'prepare@churn' didn't change, skipping" in output
    assert "Stage 'train@churn-logistic' didn't change, skipping" in output
    assert registry(clone) == ["1,Production,churn-logistic,better", "production=1", "1"]
