"""`python -m registry reproduce` on a small project, with real git, DVC and MLflow."""

import hashlib
import json
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import mlflow
import pytest
from mlflow import MlflowClient
from typer.testing import CliRunner

from data.errors import InputError
from registry import certificate, reproduce, restored, versions
from registry.__main__ import app
from registry.certificate import Certificate, Pair, Refusal, Terms
from tests.conftest import Project, churn_table, small_project
from training import candidate as candidates
from training import lineage, tracking

pytestmark = pytest.mark.xdist_group("reproduce")

TREE = """\
\"\"\"A family of one's own.\"\"\"

from training.families.decision_tree import *  # noqa: F403
"""


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project after `dvc repro`, whose files differ from the commit and whose table is not in git.

    What differs: a parameter, and a family of the user's own that is staged and not committed.
    """
    project = small_project(tmp_path_factory.mktemp("reproduce") / "project")
    project.ok("git", "rm", "-q", "--cached", "churn.csv")
    project.write(".gitignore", (project.root / ".gitignore").read_text(encoding="utf-8") + "/churn.csv\n")
    project.commit("Keep the table out of git")
    project.write("training/families/own.py", TREE)
    project.ok("git", "add", "training/families/own.py")
    project.replace("params.yaml", "logistic\n    params: {C: 1.0}", "own\n    params: {max_depth: 3}")
    project.ok("dvc", "repro")
    project.replace("params.yaml", "max_depth: 3", "max_depth: 2")
    project.write("training/families/own.py", "raise SystemExit('of today')\n")
    return project


@pytest.fixture
def client(done: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MlflowClient:
    """A client of the project's MLflow, in the project's folder, with a folder of its own for temporary files."""
    for name, value in done.env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.chdir(done.root)
    mlflow.set_tracking_uri(f"sqlite:///{done.root}/mlflow.db")
    return MlflowClient()


@pytest.fixture
def emptied(done: Project) -> Iterator[Path]:
    """DVC's cache of the project, put away, and back afterwards."""
    cache, away = done.root / ".dvc/cache", done.root / ".dvc/away"
    cache.rename(away)
    yield away
    shutil.rmtree(cache, ignore_errors=True)
    away.rename(cache)


def tags(client: MlflowClient) -> dict[str, str]:
    return dict(client.get_model_version("churn", "1").tags)


def runs(client: MlflowClient) -> int:
    return len(client.search_runs([client.get_experiment_by_name("churn").experiment_id]))


def only(client: MlflowClient) -> Certificate | Refusal:
    """What a reproduction of version 1 finds."""
    (found,) = reproduce.reproduce(client, versions.of_task(client, "churn"), Terms())
    return found


def refused(client: MlflowClient) -> str:
    found = only(client)
    assert isinstance(found, Refusal)
    return found.words


def worktrees(project: Project) -> int:
    return len(project.ok("git", "worktree", "list").splitlines())


def test_a_version_of_changed_files_is_reproduced_to_the_byte_and_says_so(
    done: Project, client: MlflowClient, tmp_path: Path
) -> None:
    assert tags(client)["reproducible"] == "yes"
    assert tags(client)["data.outside_git"] == "churn.csv"
    before = runs(client), done.ok("git", "status", "--porcelain")
    env = {"TMPDIR": str(tmp_path), "TF_NUM_INTRAOP_THREADS": "3"}
    result = done.run("python", "-m", "registry", "reproduce", "churn", "1", "--json", **env)
    assert result.returncode == 0, result.stderr
    (found,) = json.loads(result.stdout)
    assert "fitting on" in result.stderr
    assert (found["agrees"], found["differed"], found["rows"]) == (True, True, "restored by DVC")
    assert found["graph"]["then"] == found["graph"]["now"] == tags(client)["graph.digest"]
    assert found["largest_difference"] == found["other_labels"] == 0
    assert all(pair["then"] == pair["now"] for pair in found["metrics"].values())
    assert {"test auc", "validation log_loss", "test f1 of yes"} < set(found["metrics"])
    assert all(pair["then"] == pair["now"] for pair in found["machine"].values())
    assert found["machine"]["threads"]["now"] == 1
    assert tags(client)["reproduced"].endswith(" digest equal")
    kept = client.download_artifacts(client.get_model_version("churn", "1").run_id, "versions/1/certificate.json")
    assert json.loads(Path(kept).read_text(encoding="utf-8")) == found
    assert (runs(client), done.ok("git", "status", "--porcelain")) == before
    assert worktrees(done) == 1
    assert not list(tmp_path.glob("reproduce-*"))


def test_rows_come_from_the_cache_a_remote_the_snapshot_or_the_source(done: Project, client: MlflowClient) -> None:
    made = json.loads((done.root / "candidates/churn/churn-logistic/candidate.json").read_text(encoding="utf-8"))
    raw, prepared = made["lineage"]["dvc_raw"], made["lineage"]["dvc_data"]
    done.ok("dvc", "remote", "add", "--local", "--default", "near", "../stored")
    done.ok("dvc", "push", "fetch@churn", "prepare@churn")
    stored, cache, away = done.root.parent / "stored", done.root / ".dvc/cache", done.root / ".dvc/away"
    difference = (done.root / "candidates/churn/churn-logistic/worktree.diff").read_bytes()
    cache.rename(away)
    try:
        with restored.files(made["lineage"]["git_commit"], "", difference) as root:

            def digest() -> str:
                found = lineage.folder_digest(root / "data/prepared/churn")
                for folder in (root / "data/prepared", root / "data/raw"):
                    shutil.rmtree(folder, ignore_errors=True)
                shutil.rmtree(cache, ignore_errors=True)
                return found

            assert restored.rows(root, "churn", raw, prepared) == "restored by DVC"
            assert digest() == made["data"]["digest"]
            (stored / "files/md5" / prepared[:2] / prepared[2:]).unlink()
            assert restored.rows(root, "churn", raw, prepared) == "prepared again from the snapshot that DVC restored"
            assert digest() == made["data"]["digest"]
            shutil.rmtree(stored)
            assert restored.rows(root, "churn", raw, prepared) == "read from the source again"
            assert digest() == made["data"]["digest"]
    finally:
        shutil.rmtree(cache, ignore_errors=True)
        away.rename(cache)
        (done.root / ".dvc/config.local").unlink()


def test_other_rows_fail_with_a_certificate_and_nothing_is_trained(
    done: Project, client: MlflowClient, emptied: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    held, before = (done.root / "churn.csv").read_bytes(), tags(client)
    churn_table(seed=8).to_csv(done.root / "churn.csv", index=False)
    try:
        result = CliRunner().invoke(app, ["reproduce", "churn", "1"])
    finally:
        (done.root / "churn.csv").write_bytes(held)
    assert result.exit_code == 1
    assert "NOT reproduced: the rows are others (read from the source again), so nothing was trained" in result.stdout
    assert "was not trained again" in result.stdout
    assert "fitting on" not in capfd.readouterr().err
    assert tags(client) == before


def test_rows_that_are_lost_altogether_are_one_line(done: Project, client: MlflowClient, emptied: Path) -> None:
    table = done.root / "churn.csv"
    table.rename(done.root.parent / "churn.csv")
    try:
        said = refused(client)
    finally:
        (done.root.parent / "churn.csv").rename(table)
    assert said == "`python -m dvc repro prepare@churn` failed at the version's commit; what it said stands above"


def test_a_stopped_reproduction_leaves_nothing(done: Project, client: MlflowClient, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with log.open("w") as output:
        process = subprocess.Popen(
            ["python", "-m", "registry", "reproduce", "churn", "1"],
            cwd=done.root,
            env=done.env | {"TMPDIR": str(tmp_path)},
            stdout=output,
            stderr=output,
        )
        while "fitting on" not in log.read_text():
            assert process.poll() is None, log.read_text()
            time.sleep(0.02)
        assert list(tmp_path.glob("reproduce-*"))
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) != 0
    assert "Traceback" not in log.read_text()
    assert worktrees(done) == 1
    assert not list(tmp_path.glob("reproduce-*"))


def artifact(client: MlflowClient, name: str) -> Path:
    run = client.get_run(client.get_model_version("churn", "1").run_id)
    return Path(run.info.artifact_uri) / name


@pytest.mark.parametrize("name", ["candidate.json", "worktree.diff"])
@pytest.mark.parametrize("alter", [lambda old: old + b"\n", None], ids=["changed", "gone"])
def test_a_record_that_was_tampered_with_proves_nothing(
    client: MlflowClient, name: str, alter: Callable[[bytes], bytes] | None
) -> None:
    path = artifact(client, name)
    held = path.read_bytes()
    if alter:
        path.write_bytes(alter(held))
    else:
        path.unlink()
    try:
        said = refused(client)
    finally:
        path.write_bytes(held)
    expected = f"the file {name} of its run was changed after registration" if alter else "its run does not give what"
    assert said.startswith(f"version 1 of churn: {expected}")


def test_a_graph_that_was_tampered_with_is_refused_before_anything_is_trained(
    done: Project, client: MlflowClient, capfd: pytest.CaptureFixture[str]
) -> None:
    (path,) = (done.root / "mlruns").rglob("artifacts/graph.onnx")
    held = path.read_bytes()
    path.write_bytes(held + b"\0")
    try:
        said = refused(client)
    finally:
        path.write_bytes(held)
    assert "the file was changed after registration" in said
    assert "restoring" not in capfd.readouterr().err


def test_a_version_that_cannot_be_reproduced_says_why(client: MlflowClient) -> None:
    path, run_id = artifact(client, "candidate.json"), client.get_model_version("churn", "1").run_id
    held, tag = path.read_bytes(), client.get_run(run_id).data.tags[tracking.CANDIDATE_TAG]
    record = json.loads(held)
    without = {name: value for name, value in record.items() if name != "difference"}
    lacking = record | {"lineage": record["lineage"] | {"unreproducible": "git does not have own.py"}}
    gone = record | {"lineage": record["lineage"] | {"git_commit": "0" * 40}}
    try:
        for content, expected in (
            (without, "version 1 of churn was made before differences to the commit were kept; train it anew"),
            (lacking, "version 1 of churn is not reproducible: git does not have own.py"),
            (gone, f"this clone does not have the commit {'0' * 40}; fetch it"),
        ):
            put(client, run_id, path, json.dumps(content).encode())
            assert refused(client).startswith(expected)
    finally:
        put(client, run_id, path, held)
    assert client.get_run(run_id).data.tags[tracking.CANDIDATE_TAG] == tag


def put(client: MlflowClient, run_id: str, path: Path, record: bytes) -> None:
    """Make this the record that the run was written with."""
    path.write_bytes(record)
    client.set_tag(run_id, tracking.CANDIDATE_TAG, hashlib.sha256(record).hexdigest())


def test_a_model_of_a_module_that_git_does_not_have_says_on_itself_that_it_is_not_reproducible(
    done: Project, client: MlflowClient
) -> None:
    done.ok("git", "reset", "-q", "training/families/own.py")
    done.write("training/families/own.py", TREE)
    try:
        done.ok("python", "-m", "training", "train", "churn-logistic", "--no-record")
    finally:
        done.ok("git", "add", "training/families/own.py")
    found = candidates.read("churn", "churn-logistic")
    assert found is not None
    expected = "no: git does not have training/families/own.py, churn.csv"
    assert tracking.lineage_tags(found)["reproducible"] == expected


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["churn"], "no version was named; give numbers, such as churn 7, or --all"),
        (["churn", "7"], "churn has no version in '7'; registered versions are 1 Production"),
        (["../x", "1"], "no version of '../x' is registered"),
    ],
)
def test_a_wrong_call_is_one_line(client: MlflowClient, arguments: list[str], said: str) -> None:
    result = CliRunner().invoke(app, ["reproduce", *arguments])
    assert isinstance(result.exception, InputError)
    assert str(result.exception).startswith(said)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"tolerence": 0}, "params.yaml: reproduce.tolerence: unknown key; known are tolerance"),
        ({"tolerance": -1}, "params.yaml: reproduce.tolerance: -1 was given; input should be greater than or equal"),
        ("near", "params.yaml: reproduce: 'near' was given"),
    ],
)
def test_a_wrong_declaration_names_its_key(given: object, said: str) -> None:
    with pytest.raises(InputError) as caught:
        certificate.declared({"reproduce": given})
    assert str(caught.value).startswith(said)


def of(difference: float | None, tolerance: float = 1e-6, rows: str = "a") -> Certificate:
    same: dict[str, Any] = {"members": {}, "metrics": {}, "machine": {}}
    return Certificate(
        *("t", "1", "m", "c", False, "restored by DVC", Pair("a", rows), Pair("g", "h")),
        **same,
        test_rows=9,
        largest_difference=difference,
        other_labels=0,
        tolerance=tolerance,
        at="2026-01-01T00:00:00+00:00",
        seconds=1.0,
    )


def test_predictions_agree_up_to_the_tolerance_and_no_further() -> None:
    assert of(1e-6).agrees
    assert of(1e-6).words == "digest differs, probabilities by 1.0e-06 at most, within 1e-06"
    assert not of(1.1e-6).agrees
    assert of(1.1e-6).words == "digest differs, probabilities by 1.1e-06 at most, above 1e-06"
    assert not of(0.0, rows="b").agrees
    assert not of(None).agrees
    assert not of(float("nan")).agrees
