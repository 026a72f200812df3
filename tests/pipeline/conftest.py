"""A small project that has been run once, and copies of it."""

import shutil
from pathlib import Path

import pytest

from tests.conftest import Project, small_project


@pytest.fixture(scope="session")
def done(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A small project after its first `dvc repro`, for the tests of the group "repro"."""
    project = small_project(tmp_path_factory.mktemp("repro") / "project")
    project.ok("dvc", "repro")
    project.commit("First run")
    return project


@pytest.fixture
def again(done: Project, tmp_path: Path) -> Project:
    """A copy of the finished project, free to change."""
    shutil.copytree(done.root, tmp_path / "project", symlinks=True)
    return Project(tmp_path / "project", done.env | {"MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/project/mlflow.db"})
