"""`kill -9` in the middle of `dvc repro`; the next one finishes."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.conftest import Project, small_project
from tests.pipeline.test_repro import registry

MOMENTS = ("fitting on", "compiling the graph", "judging version 1")


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return small_project(tmp_path / "project")


def kill_at(project: Project, text: str) -> None:
    """Run `dvc repro` and kill it with all its children once `text` is printed."""
    log = project.root.parent / "killed.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            ["dvc", "repro"],
            cwd=project.root,
            env=project.env | {"PYTHONUNBUFFERED": "1"},
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    while text not in log.read_text():
        assert process.poll() is None, log.read_text()
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def test_killed_at_each_stage_the_next_repro_finishes_with_one_whole_version(project: Project) -> None:
    for moment in MOMENTS:
        kill_at(project, moment)
    project.ok("dvc", "repro")
    assert registry(project) == ["1,Production,churn-logistic,better", "production=1", "1"]
    assert "Registered: nothing new" in project.ok("dvc", "repro")
