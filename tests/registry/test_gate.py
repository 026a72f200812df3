"""The gate on real graphs and rows."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from data.contract import Column, Contract
from data.errors import InputError
from registry.conditions import Conditions
from registry.evidence import Verdict
from registry.exam import Exam
from registry.gate import judge
from registry.seen import Seen
from training import onnx_graph
from training.graph import CONTRACT_KEY, Graph
from training.metrics import Evaluation, Interval

GRAPHS = Path("candidates/churn")
STRONG, WEAK = GRAPHS / "churn-logistic/graph.onnx", GRAPHS / "churn-weak/graph.onnx"


def verdict(champion: Path | None, challenger: Path = STRONG, contract: Contract | None = None, **gate: Any) -> Verdict:
    prepared = Path("data/prepared/churn")
    return judge(
        Conditions(**{"resamples": 200, **gate}),
        ("version 2", challenger),
        ("version 1", champion) if champion else None,
        Exam(pd.read_parquet(prepared / "test.parquet"), contract or Contract.load(prepared), "digest of the data"),
        seed=1,
    )


@pytest.mark.usefixtures("content")
class TestGate:
    def test_a_truly_better_challenger_is_better_and_the_evidence_says_by_how_much(self) -> None:
        result = verdict(WEAK)
        assert result.better
        assert result.lead is not None
        assert 0 < result.lead.low < result.lead.value < result.lead.high
        assert result.challenger_value is not None
        assert result.champion_value is not None
        assert result.lead.value == pytest.approx(result.challenger_value - result.champion_value)
        assert result.reason.startswith(f"auc {result.challenger_value:.4f} against")

    def test_a_tie_keeps_the_champion(self) -> None:
        result = verdict(STRONG)
        assert not result.better
        assert result.lead is not None
        assert result.lead.value == result.lead.low == result.lead.high == 0

    def test_a_worse_challenger_is_not_better(self) -> None:
        assert not verdict(STRONG, WEAK).better

    def test_a_lead_within_the_margin_is_not_better(self) -> None:
        lead = verdict(WEAK).lead
        assert lead is not None
        assert not verdict(WEAK, margin=lead.low).better

    def test_a_first_version_must_beat_the_class_shares(self) -> None:
        assert verdict(None).better
        assert verdict(None).champion_value == 0.5

    def test_a_graph_that_knows_nothing_is_not_better_than_the_baseline(self, tmp_path: Path) -> None:
        assert not verdict(None, blind(STRONG, tmp_path)).better

    @pytest.mark.parametrize("metric", ["log_loss", "brier"])
    def test_where_less_is_better_the_lead_is_positive_for_the_better_one(self, metric: str) -> None:
        result = verdict(WEAK, metric=metric)
        assert result.better
        assert result.lead is not None
        assert result.lead.value > 0

    @pytest.mark.parametrize("metric", ["accuracy", "f1", "mean_cost"])
    def test_label_metrics_are_those_of_the_graphs_own_labels(self, metric: str, tmp_path: Path) -> None:
        prepared = Path("data/prepared/churn")
        rows, contract = pd.read_parquet(prepared / "test.parquet"), Contract.load(prepared)
        costs = np.array([[0.0, 1.0], [5.0, 0.0]])
        always = always_last(STRONG, contract, tmp_path)
        given = (Conditions(metric=metric, resamples=100), ("version 2", STRONG), ("version 1", always))
        result = judge(*given, Exam(rows, contract, "digest", costs), 1)
        codes = contract.codes(rows["churned"])
        said = {"accuracy": codes.mean(), "f1": 2 * codes.mean() / (1 + codes.mean()), "mean_cost": 1 - codes.mean()}
        assert result.champion_value == pytest.approx(said[metric])
        assert result.challenger_value != pytest.approx(said[metric])

    @pytest.mark.parametrize(("metric", "label"), [("accuracy", 0), ("f1", 1), ("mean_cost", 1)])
    def test_the_baseline_gives_the_one_label_that_serves_the_metric_best(self, metric: str, label: int) -> None:
        codes = np.array([0] * 70 + [1] * 30)
        costs = np.array([[0.0, 1.0], [5.0, 0.0]])
        expected = Evaluation(np.tile([0.7, 0.3], (100, 1)), codes, np.full(100, label), costs).values()[metric]
        contract = Contract("t", "y", (Column("x", "number"),), ("no", "yes"))
        exam = Exam(pd.DataFrame({"y": np.array(contract.classes)[codes]}), contract, "digest", costs)
        assert exam.baseline(metric).values()[metric] == expected

    def test_a_champion_of_another_contract_is_not_compared_and_the_way_out_is_named(self, tmp_path: Path) -> None:
        contract = Contract.load(Path("data/prepared/churn"))
        other = replace(contract, columns=(Column("tenure", "category"), *contract.columns[1:]))
        result = verdict(speaks_of(WEAK, other, tmp_path))
        assert not result.better
        assert result.lead is None
        assert "tenure" in result.reason
        assert "python -m registry promote churn 2 --to Production" in result.reason
        assert [one.name for one in result.guardrails] == ["latency of a row in ms", "size of the graph in MiB"]

    def test_a_challenger_of_another_contract_is_an_error_that_says_what_to_do(self) -> None:
        contract = Contract.load(Path("data/prepared/churn"))
        other = replace(contract, columns=(Column("tenure", "category"), *contract.columns[1:]))
        with pytest.raises(InputError, match=r"version 2 does not fit today's data.*tenure.*dvc repro"):
            verdict(None, contract=other)

    @pytest.mark.parametrize(
        ("guardrail", "named"),
        [
            ({"lowest": 0.99}, "auc on all test rows"),
            ({"slices": {"columns": ["visits", "plan"], "lowest": 0.99, "least_rows": 100}}, "auc on visits"),
            ({"slices": {"columns": ["plan"], "lowest": 0.5, "least_rows": 10_000}}, "auc on any slice"),
            ({"calibration_error": 1e-6}, "calibration error"),
            ({"latency_ms": 1e-6}, "latency of a row in ms"),
            ({"size_mib": 1e-6}, "size of the graph in MiB"),
        ],
    )
    @pytest.mark.parametrize("champion", [None, WEAK])
    def test_a_better_challenger_that_fails_a_guardrail_is_not_better_and_the_guardrail_is_named(
        self, guardrail: dict[str, Any], named: str, champion: Path | None
    ) -> None:
        result = verdict(champion, guardrails=guardrail)
        assert result.lead is not None
        assert result.lead.low > 0
        assert not result.better
        (failed,) = result.failed
        assert failed.name.startswith(named)
        assert f"is above the margin 0, but it fails a guardrail: {failed}" in result.reason
        assert bool(result.champion_guardrails) == (champion is not None)

    def test_every_guardrail_that_fails_is_named(self) -> None:
        result = verdict(WEAK, STRONG, guardrails={"lowest": 0.99, "size_mib": 1e-6, "latency_ms": None})
        assert [one.passed for one in result.guardrails] == [False, False]
        assert f"it fails 2 guardrails: {result.guardrails[0]}; {result.guardrails[1]}" in result.reason

    def test_what_passes_every_guardrail_is_better_and_the_verdict_has_what_was_measured(self) -> None:
        limits = {"calibration_error": 0.5, "lowest": 0.5, "slices": {"columns": ["plan"], "lowest": 0.5}}
        result = verdict(WEAK, guardrails=limits)
        assert result.better
        rows = pd.read_parquet("data/prepared/churn/test.parquet")
        assert {one.value: one.rows for one in result.slices} == {
            plan or None: count for plan, count in rows["plan"].value_counts().items() if count >= 200
        }
        for one in result.slices:
            mask = rows["plan"].eq(one.value or "")
            for path, figure in ((STRONG, one.challenger), (WEAK, one.champion)):
                probabilities = Graph(path).score(rows[mask])[1][:, 1]
                assert figure == pytest.approx(roc_auc_score(rows["churned"][mask].eq("yes"), probabilities))
        size = {one.name: one.value for one in result.guardrails}["size of the graph in MiB"]
        assert size == STRONG.stat().st_size / 2**20
        assert result.challenger_value == result.guardrails[0].value
        assert len(result.champion_guardrails) == len(result.guardrails) == 5

    def test_where_less_is_better_the_limit_is_the_highest_value_allowed(self) -> None:
        limits = {"highest": 0.01, "slices": {"columns": ["plan"], "highest": 0.02}}
        result = verdict(WEAK, metric="log_loss", guardrails=limits)
        assert [(one.bound, one.limit) for one in result.failed] == [("highest", 0.01), ("highest", 0.02)]
        known = [one.challenger for one in result.slices if one.challenger is not None]
        assert result.failed[1].value == max(known)

    def test_the_labels_are_tested_too(self) -> None:
        result = verdict(WEAK)
        rows = pd.read_parquet("data/prepared/churn/test.parquet")
        ours, theirs = (Graph(path).score(rows)[0] == rows["churned"] for path in (STRONG, WEAK))
        assert result.mcnemar is not None
        assert result.mcnemar.challenger_only == (ours & ~theirs).sum()
        assert result.mcnemar.champion_only == (theirs & ~ours).sum()

    def test_a_graph_that_is_judged_often_is_asked_once_and_the_verdict_stays(self) -> None:
        prepared = Path("data/prepared/churn")
        contract = Contract.load(prepared)
        exam = Exam(pd.read_parquet(prepared / "test.parquet"), contract, "digest of the data")
        given = (Conditions(resamples=200), ("version 2", STRONG), ("version 1", WEAK))
        assert exam.take(STRONG) is exam.take(STRONG)
        assert judge(*given, exam, 1) == judge(*given, exam, 1)
        fresh = verdict(WEAK)
        assert (fresh.lead, fresh.mcnemar) == (judge(*given, exam, 1).lead, judge(*given, exam, 1).mcnemar)

    def test_a_verdict_is_read_back_as_it_was_written(self) -> None:
        limits = {"lowest": 0.99, "slices": {"columns": ["plan", "visits"], "lowest": 0.5}}
        result = replace(verdict(WEAK, guardrails=limits), seen=Seen(0, None, 3))
        assert Verdict.from_json(result.to_json()) == result

    def test_a_verdict_of_before_there_were_guardrails_is_still_read(self) -> None:
        text = """{"better": true, "reason": "auc 0.7 against 0.5 of baseline", "challenger": "version 1",
            "champion": "baseline", "metric": "auc", "margin": 0.0, "confidence": 0.95, "rows": 1200, "data": "ab",
            "challenger_value": 0.7, "champion_value": 0.5, "lead": {"value": 0.2, "low": 0.1, "high": 0.3}}"""
        result = Verdict.from_json(text)
        assert (result.lead, result.guardrails, result.seen) == (Interval(0.2, 0.1, 0.3), (), None)


def blind(graph: Path, folder: Path) -> Path:
    """The graph with all its coefficients set to nought."""
    model = onnx.load(graph)
    for node in model.graph.node:
        for attribute in node.attribute:
            if attribute.name == "coefficients":
                attribute.floats[:] = [0.0] * len(attribute.floats)
    onnx.save(model, folder / "blind.onnx")
    return folder / "blind.onnx"


def speaks_of(graph: Path, contract: Contract, folder: Path) -> Path:
    """The graph with another contract written into it."""
    model = onnx.load(graph)
    (entry,) = (one for one in model.metadata_props if one.key == CONTRACT_KEY)
    entry.value = contract.to_json()
    onnx.save(model, folder / "other.onnx")
    return folder / "other.onnx"


def always_last(graph: Path, contract: Contract, folder: Path) -> Path:
    """The graph, its probabilities as they are, but every row labelled with the last class."""
    model = onnx.load(graph)
    classes = next(one for one in model.graph.initializer if one.name.endswith(onnx_graph.CLASSES))
    last = np.array([contract.classes[-1]] * len(contract.classes), dtype=object)
    classes.CopyFrom(onnx.numpy_helper.from_array(last, classes.name))
    onnx.save(model, folder / "always.onnx")
    return folder / "always.onnx"
