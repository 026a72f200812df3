"""Searches over real fits on a small table, with a real journal and MLflow store."""

import shutil
import sys
from pathlib import Path
from typing import Any

import mlflow
import optuna
import pytest
from mlflow import MlflowClient

from data import params
from data.errors import InputError
from data.fetch import fetch
from data.prepare import prepare
from tests.conftest import churn_table
from training import models
from training.search import __main__ as searches
from training.search import declaration, ranges, study
from training.search.__main__ import Search

PARAMS = """\
# what a person wrote
seed: 3
tasks:
  churn:
    source: {path: churn.csv}   # a comment
    target: churned
models:
  churn-logistic:
    task: churn
    family: logistic
    params: {C: 1.0, max_iter: 40}   # chosen by hand
search:
  churn-logistic:
    C: {low: 0.00001, high: 10, log: true}
    bins: {choices: [null, 4, 16]}
gate: {metric: log_loss}
"""


@pytest.fixture(scope="module")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An MLflow database without a run."""
    path = tmp_path_factory.mktemp("store") / "mlflow.db"
    mlflow.set_tracking_uri(f"sqlite:///{path}")
    mlflow.search_experiments()
    return path


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, empty_store: Path) -> Path:
    """A prepared task whose test rows are gone."""
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_text(PARAMS, encoding="utf-8")
    churn_table(300).to_csv("churn.csv", index=False)
    fetch(params.load(), "churn")
    prepare(params.load(), "churn")
    Path("data/prepared/churn/test.parquet").unlink()
    shutil.copy(empty_store, tmp_path / "mlflow.db")
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/mlflow.db")
    return tmp_path


def run(monkeypatch: pytest.MonkeyPatch, *options: str) -> int | None:
    """Its exit status, where it is not nought."""
    monkeypatch.setattr(sys, "argv", ["search", "churn-logistic", *options])
    return searches.app(standalone_mode=False)


def test_a_search_needs_no_test_rows_and_writes_its_winner_with_all_else_kept(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run(monkeypatch, "--trials", "7", "--write")
    printed = capsys.readouterr().out
    assert "as declared" in printed
    before, after = PARAMS.splitlines(), Path("params.yaml").read_text(encoding="utf-8").splitlines()
    changed = [(old, new) for old, new in zip(before, after, strict=True) if old != new]
    assert len(changed) <= 1
    best = params.load()["models"]["churn-logistic"]["params"]
    assert best["max_iter"] == 40
    assert f"params: {declaration._flow(best)}" in printed
    for _, new in changed:
        assert new.endswith("# chosen by hand")

    client = MlflowClient()
    experiment = client.get_experiment_by_name("churn")
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id])
    (parent,) = (run for run in runs if "search" in run.data.tags)
    trials = [run for run in runs if run.data.tags.get("mlflow.parentRunId") == parent.info.run_id]
    assert len(trials) == 7
    states = {run.data.tags["trial.state"] for run in trials}
    assert states <= {"complete", "pruned"}
    assert "complete" in states
    losses = [run.data.metrics["validation/log_loss"] for run in trials if run.data.tags["trial.state"] == "complete"]
    assert parent.data.metrics["best/log_loss"] == pytest.approx(min(losses))
    assert {"C", "max_iter"} <= set(trials[0].data.params)
    assert parent.info.status == "FINISHED"


def test_a_resumed_search_goes_on_and_one_of_other_ranges_is_refused(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run(monkeypatch, "--trials", "2")
    run(monkeypatch, "--trials", "2", "--resume")
    printed = capsys.readouterr().out
    assert "trial 3: " in printed
    tried = [line.split(" s) ")[1] for line in printed.splitlines() if line.startswith("trial ")]
    assert len(set(tried)) == 4, "a resumed sampler tried the same parameters again"
    text = Path("params.yaml").read_text(encoding="utf-8")
    Path("params.yaml").write_text(text.replace("high: 10,", "high: 20,"), encoding="utf-8")
    with pytest.raises(InputError, match="without --resume"):
        run(monkeypatch, "--trials", "1", "--resume")


def test_ctrl_c_keeps_what_was_found(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    original, calls = Search._measure, []

    def interrupted(self: Search, *given: Any) -> dict[str, float]:
        calls.append(given)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return original(self, *given)

    monkeypatch.setattr(Search, "_measure", interrupted)
    assert run(monkeypatch, "--trials", "9", "--write") == 130
    printed = capsys.readouterr().out
    assert "params: {C:" in printed
    assert "--resume" in printed
    assert Path("params.yaml").read_text(encoding="utf-8") == PARAMS
    assert len(calls) == 3


def test_a_trial_that_fails_is_told_and_the_search_goes_on(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    original, calls = Search._measure, []

    def faulty(self: Search, *given: Any) -> dict[str, float]:
        calls.append(given)
        if len(calls) == 1:
            raise ValueError("a matrix is singular")
        return original(self, *given)

    monkeypatch.setattr(Search, "_measure", faulty)
    run(monkeypatch, "--trials", "2")
    printed = capsys.readouterr().out
    assert "trial 0: failed ValueError: a matrix is singular" in printed
    assert "best is trial 1" in printed


@pytest.mark.parametrize(
    ("family", "span"),
    [
        ("logistic", {"C": {"low": 0.001, "high": 10}}),
        ("random_forest", {"trees": {"low": 20, "high": 30}}),
        ("gradient_boosting", {"rounds": {"low": 20, "high": 30}}),
    ],
)
def test_a_trial_is_pruned_by_the_losses_that_its_family_reports(
    project: Path, family: str, span: dict[str, Any]
) -> None:
    content = params.load()
    content["models"] = {"m": {"task": "churn", "family": family}}
    content["search"] = {"m": span}
    one = Search(content, "m")
    found = one.study(seed=1, resume=False)
    for _ in range(study.STARTUP_TRIALS):
        trial = found.ask()
        for step in range(20):
            trial.report(0.1, step)
        found.tell(trial, 0.1)
    trial = found.ask()
    outcome = one.attempt(trial, float("inf"), lambda *_: None)
    assert outcome.state == "pruned"
    assert len(outcome.curve) == study.WARMUP_STEPS + 1


def test_it_is_told_once_that_a_family_gives_nothing_to_prune_by(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = params.load()
    content["models"] = {"m": {"task": "churn", "family": "decision_tree"}}
    content["search"] = {"m": {"min_leaf": {"low": 5, "high": 50}}}
    one = Search(content, "m")
    display, found = searches.Display(one, 2), one.study(seed=1, resume=False)
    for number in range(2):
        display.ended(number, one.attempt(found.ask(), float("inf"), display.tell), {})
    printed = capsys.readouterr().out
    assert printed.count("decision_tree gives no losses while it is fitted, so no trial of it is cut short") == 1


def test_a_timeout_ends_the_trial_that_runs(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(InputError, match="no trial of churn-logistic was completed"):
        run(monkeypatch, "--trials", "5", "--timeout", "0.000001")


def test_with_folds_a_trial_is_worth_its_mean_over_them(project: Path) -> None:
    content = params.load()
    content["tasks"]["churn"]["split"] = {"folds": 3}
    one = Search(content, "churn-logistic")
    outcome = one.attempt(one.study(seed=1, resume=False).ask(), float("inf"), lambda *_: None)
    assert outcome.state == "complete"
    assert len({step // 1_000_000 for step, _ in outcome.curve}) == 3
    assert 0.2 < outcome.metrics["log_loss"] < 0.8


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        (None, "search.churn-logistic: no ranges to search; declare some, such as"),
        ({"c": {"low": 1, "high": 2}}, "search.churn-logistic.c: no parameter of logistic; known are C"),
        ({"C": {"low": 2, "high": 1}}, "low 2 is not below high 1"),
        ({"C": {"low": 0.1, "hihg": 1}}, "search.churn-logistic.C.hihg: unknown key"),
        ({"C": {"low": -1, "high": 1}}, "search.churn-logistic.C: -1.0 was given; input should be greater than 0"),
        ({"max_iter": {"low": 0, "high": 9, "log": True}}, "log needs a low above 0"),
        ({"max_iter": {"low": 1.5, "high": 9}}, "search.churn-logistic.max_iter: 1.5 was given"),
        ({"bins": {"choices": [4, 1]}}, "search.churn-logistic.bins: 1 was given"),
        ({"bins": {"choices": []}}, "search.churn-logistic.bins.choices"),
        ({"C": 3}, "search.churn-logistic.C: 3 was given"),
    ],
)
def test_a_wrong_range_is_one_line_before_anything_runs(entries: Any, said: str, tmp_path: Path) -> None:
    task = {"source": {"path": "churn.csv"}, "target": "churned"}
    content = {
        "tasks": {"churn": task},
        "models": {"churn-logistic": {"task": "churn", "family": "logistic"}},
        "search": {"churn-logistic": entries},
    }
    with pytest.raises(InputError) as caught:
        ranges.declared(content, models.declared(content, "churn-logistic"))
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_ranges_of_a_model_that_is_not_declared_are_refused() -> None:
    with pytest.raises(InputError, match=r"search\.m: no such model under models; declared are n"):
        ranges.check({"search": {"m": {}}, "models": {"n": {}}})


def test_what_is_suggested_lies_within_its_range_and_is_of_its_kind() -> None:
    task = {"source": {"path": "churn.csv"}, "target": "churned"}
    content = {
        "tasks": {"churn": task},
        "models": {"m": {"task": "churn", "family": "mlp"}},
        "search": {
            "m": {
                "layers": {"choices": [[64], [128, 64]]},
                "epochs": {"low": 3, "high": 9},
                "learning_rate": {"low": 0.00012345, "high": 0.00012399, "log": True},
                "dropout": {"low": 0, "high": 0.6},
            }
        },
    }
    model = models.declared(content, "m")
    spans = ranges.declared(content, model)
    for trial in (optuna.create_study().ask() for _ in range(20)):
        values = ranges.suggest(trial, spans, model)
        assert values["layers"] in ([64], [128, 64])
        assert isinstance(values["epochs"], int)
        assert 0.00012345 <= values["learning_rate"] <= 0.00012399
        assert len(f"{values['dropout']:g}") <= 8
        assert ranges.as_suggested(values, spans) is not None
    assert ranges.as_suggested(values | {"epochs": 10}, spans) is None
