import json
import re
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from mlflow.entities.model_registry import ModelVersion, ModelVersionTag

from registry import __main__ as registry_main
from registry import report
from registry.conditions import Conditions
from registry.history import Move, State
from registry.register import register
from registry.verdicts import Entry
from training import candidate
from training.candidate import Candidate
from training.metrics import Spread

NAMES = ("logistic", "svm", "decision-tree", "random-forest", "gradient-boosting", "knn", "mlp", "ensemble")


@pytest.fixture
def one(content: dict[str, Any]) -> Candidate:
    found = candidate.read("churn", "churn-logistic")
    assert found is not None
    return found


def printed(capsys: pytest.CaptureFixture[str], candidates: list[Candidate]) -> list[str]:
    version = ModelVersion("flights", "12", 0, tags=[ModelVersionTag("verdict", "better")])
    entries = [Entry(found, version, False) for found in candidates]
    move = Move("gate", "12", {"Production": (None, "12")}, "auc 0.7 against 0.5 of baseline", "better")
    report.after_register("flights", entries, State.after((move,), 1), Conditions())
    return capsys.readouterr().out.splitlines()


def test_eight_models_are_eight_lines_of_a_hundred_columns(one: Candidate, capsys: pytest.CaptureFixture[str]) -> None:
    models = [replace(one, model=f"flights-{name}", fit_seconds=1234.56) for name in NAMES]
    lines = printed(capsys, models)
    assert max(map(len, lines)) <= report.WIDTH
    for model in models:
        (line,) = (line for line in lines if line.startswith(f"{model.model} "))
        assert f"{model.test['auc'].value:.4f} [{model.test['auc'].low:.4f}"[:8] in line
        assert "1234.6" in line
        assert line.rstrip().endswith("12 Production")


def test_a_threshold_and_class_weights_are_said(one: Candidate, capsys: pytest.CaptureFixture[str]) -> None:
    decision = {"rule": "threshold", "aim": "f1", "threshold": 0.31, "costs": None}
    model = replace(one, decision=decision, params={"class_weight": "balanced"})
    text = " ".join(" ".join(printed(capsys, [model])).split())
    assert "churn-logistic: the label is yes from a probability of 0.31, the best F1 on validation rows" in text
    assert "churn-logistic: fitted with class weights" in text
    plain = " ".join(printed(capsys, [one]))
    assert "class weights" not in plain
    assert "label is" not in plain


def test_folds_are_a_column_where_there_are_folds(one: Candidate, capsys: pytest.CaptureFixture[str]) -> None:
    with_folds = replace(one, folds={"auc": Spread.of([0.7, 0.8])})
    assert any("0.7500 ± 0.0707" in line for line in printed(capsys, [with_folds, one]))
    assert "folds" not in " ".join(printed(capsys, [one]))


def test_show_and_table_say_what_was_measured(
    content: dict[str, Any], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    register(content, "churn")
    found = candidate.read("churn", "churn-logistic")
    assert found is not None
    monkeypatch.setattr(sys, "argv", ["registry", "table"])
    capsys.readouterr()
    registry_main.app(standalone_mode=False)
    head, rule, best, second = capsys.readouterr().out.splitlines()
    assert head.startswith("| task | model | AUC | accuracy | F1 | log loss |")
    assert rule.count("|") == head.count("|") == best.count("|") == second.count("|")
    assert f"| churn | `churn-logistic` | {found.test['auc'].value:.4f} [" in best
    assert best.endswith("| Production |")
    assert second.endswith("| Staging |")

    Path("candidates").rename("gone")  # what a version was measured at is in MLflow too
    monkeypatch.setattr(sys, "argv", ["registry", "show", "churn", "Production"])
    registry_main.app(standalone_mode=False)
    shown = capsys.readouterr().out
    for name, interval in found.test.items():
        assert re.search(rf"{name.replace('_', ' ')} +{re.escape(str(interval))}", shown)
    for name, each in found.per_class.items():
        assert re.search(rf"^{name} +{each.precision.value:.4f}", shown, flags=re.MULTILINE)


def test_show_lists_each_version_with_its_figures_its_origin_and_its_verdict(
    registered: dict[str, Any], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["registry", "show", "churn"])
    registry_main.app(standalone_mode=False)
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= report.WIDTH
    monkeypatch.setattr(sys, "argv", ["registry", "show", "churn", "--json"])
    registry_main.app(standalone_mode=False)
    champion, other = json.loads(capsys.readouterr().out)
    assert (champion["stage"], other["stage"]) == ("Production", "Staging")
    for row in (champion, other):
        found = candidate.read("churn", row["model"])
        assert found is not None
        assert row["graph_digest"] == found.digest
        assert row["graph_bytes"] == found.graph.stat().st_size
        assert row["git_commit"] == found.lineage["git_commit"]
        assert row["metrics"]["test"]["auc"] == row["test"] == asdict(found.test["auc"])
        (line,) = (line for line in lines if re.match(rf"{row['version']} +logistic +{row['stage']} ", line))
        for shown in (
            f"{found.test['auc'].value:.4f}",
            found.digest[:8],
            row["git_commit"][:8],
            row["data_digest"][:8],
        ):
            assert shown in line
        said = " ".join(" ".join(lines).split())
        assert f"version {row['version']} ({row['model']}): {row['verdict']}: {row['reason']}" in said
