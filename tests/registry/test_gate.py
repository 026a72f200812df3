"""The gate on real graphs and rows."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pandas as pd
import pytest

from data.contract import Column, Contract
from registry.conditions import Conditions
from registry.gate import Exam, Verdict, judge
from training import onnx_graph
from training.metrics import Evaluation

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

    def test_a_champion_of_another_contract_is_not_compared_and_the_way_out_is_named(self) -> None:
        contract = Contract.load(Path("data/prepared/churn"))
        other = replace(contract, columns=(Column("tenure", "category"), *contract.columns[1:]))
        result = verdict(WEAK, contract=other)
        assert not result.better
        assert result.lead is None
        assert "tenure" in result.reason
        assert "python -m registry promote churn 2 --to Production" in result.reason

    def test_a_verdict_is_read_back_as_it_was_written(self) -> None:
        result = verdict(WEAK)
        assert Verdict.from_json(result.to_json()) == result


def blind(graph: Path, folder: Path) -> Path:
    """The graph with all its coefficients set to nought."""
    model = onnx.load(graph)
    for node in model.graph.node:
        for attribute in node.attribute:
            if attribute.name == "coefficients":
                attribute.floats[:] = [0.0] * len(attribute.floats)
    onnx.save(model, folder / "blind.onnx")
    return folder / "blind.onnx"


def always_last(graph: Path, contract: Contract, folder: Path) -> Path:
    """The graph, its probabilities as they are, but every row labelled with the last class."""
    model = onnx.load(graph)
    classes = next(one for one in model.graph.initializer if one.name.endswith(onnx_graph.CLASSES))
    last = np.array([contract.classes[-1]] * len(contract.classes), dtype=object)
    classes.CopyFrom(onnx.numpy_helper.from_array(last, classes.name))
    onnx.save(model, folder / "always.onnx")
    return folder / "always.onnx"
