"""What a person sees when a declaration or a table is wrong: one line, a non-zero exit, nothing half-written."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import SMALL_PARAMS, Project, small_project

pytestmark = pytest.mark.xdist_group("bad_input")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return small_project(tmp_path_factory.mktemp("bad") / "project")


@pytest.fixture(autouse=True)
def restored(project: Project) -> None:
    """Undo what the test before has changed."""
    project.ok("git", "checkout", "-q", ".")


def params(old: str, new: str) -> Callable[[Project], None]:
    return lambda project: project.replace("params.yaml", old, new)


DECLARATIONS = {
    "unknown family": (params("logistic\n    params", "logit\n    params"), "models.churn-logistic.family", "logistic"),
    "unknown parameter": (params("{C: 1.0}", "{c: 1.0}"), "models.churn-logistic.params.c", "known are C"),
    "unknown key": (params("target: churned", "target: churned\n    goal: x"), "tasks.churn.goal", "unknown key"),
    "no file": (params("churn.csv", "chrun.csv"), "tasks.churn.source.path", "chrun.csv"),
    "no seed": (params("seed: 3\n", ""), "seed", "whole number"),
    "declared twice": (params("models:\n", "models:\n  churn-logistic: {task: churn, family: mlp}\n"), "line", "twice"),
    "wrong gate": (params("seed: 3", "seed: 3\ngate: {metric: gini}"), "gate.metric", "auc"),
}


@pytest.mark.parametrize("case", DECLARATIONS)
def test_a_wrong_declaration_is_one_line_with_key_and_fix_before_anything_runs(project: Project, case: str) -> None:
    spoil, key, fix = DECLARATIONS[case]
    spoil(project)
    result = project.run("make", "repro", "TASK=churn")
    lines = [line for line in result.stderr.splitlines() if not line.startswith("make:")]
    assert result.returncode != 0
    assert len(lines) == 1, result.stderr
    assert lines[0].startswith("error: ")
    assert "params.yaml" in lines[0]
    assert key in lines[0]
    assert fix in lines[0]
    assert not (project.root / "data/prepared").exists()
    assert not (project.root / "mlflow.db").exists()


def table(text: str) -> Callable[[Path], None]:
    return lambda root: (root / "churn.csv").write_text(text, encoding="utf-8")


ROWS = "".join(f"{i},{'a' if i % 3 else 'b'},{'yes' if i % 2 else 'no'}\n" for i in range(60))
TABLES = {
    "target missing": (table("tenure,plan,left\n" + ROWS), "tasks.churn.target", "no column 'churned'"),
    "one class": (table("tenure,plan,churned\n" + ROWS.replace("yes", "no")), "tasks.churn.target", "one class"),
    "not finite": (table("tenure,plan,churned\ninf,a,yes\n" + ROWS), "column 'tenure'", "no finite number (inf)"),
    "no rows": (table("tenure,plan,churned\n"), "churn.csv", "no row"),
    "no table": (table(""), "churn.csv", "is empty"),
    "ragged": (table("tenure,plan,churned\n1,a\n" + ROWS), "churn.csv, line 2", "2 fields, expected 3"),
}


@pytest.mark.parametrize("case", TABLES)
def test_a_wrong_table_is_one_line_and_nothing_is_half_written(project: Project, case: str) -> None:
    spoil, key, fix = TABLES[case]
    spoil(project.root)
    result = project.run("dvc", "repro")
    lines = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert result.returncode != 0
    assert "Traceback" not in result.stderr
    assert len(lines) == 1, result.stderr
    assert key in lines[0]
    assert fix in lines[0]
    assert not list((project.root / "data").glob("prepared/*"))


def test_an_unknown_column_in_the_contract_names_the_columns_that_exist(project: Project) -> None:
    project.replace("params.yaml", "target: churned", "target: churned\n    columns: {tenur: number}")
    result = project.run("dvc", "repro")
    assert result.returncode != 0
    assert "params.yaml: tasks.churn.columns: the source has no column 'tenur'; it has tenure, plan" in result.stderr


def test_the_small_project_is_not_wrong_itself(project: Project) -> None:
    assert (project.root / "params.yaml").read_text(encoding="utf-8") == SMALL_PARAMS
    project.ok("python", "-m", "training", "check")
    project.replace("params.yaml", "tasks:\n", "tasks:\n  other: {source: {path: other.csv}, target: y}\n")
    project.ok("python", "-m", "training", "check", "churn")
    assert "tasks.other.source.path: there is no file" in project.run("python", "-m", "training", "check").stderr
