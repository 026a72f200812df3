"""The `gate:` section of `params.yaml`."""

from pathlib import Path
from typing import Any

import pytest

from data import params
from data.contract import Column, Contract
from data.errors import InputError
from registry import conditions

HEAD = """\
seed: 1
tasks:
  churn: {source: {path: churn.csv}, target: churned, columns: {tenure: number, plan: category, note: text}}
  visits: {source: {path: visits.csv}, target: came}
models:
  churn-logistic: {task: churn, family: logistic}
"""


@pytest.fixture
def content(tmp_path: Path, request: pytest.FixtureRequest) -> dict[str, Any]:
    path = tmp_path / "params.yaml"
    path.write_text(HEAD + request.param, encoding="utf-8")
    return params.load(path)


@pytest.mark.parametrize("content", ["", "gate:\n"], indirect=True)
def test_without_a_gate_the_defaults_hold(content: dict[str, Any]) -> None:
    found = conditions.of_task(content, "churn")
    assert found == conditions.Conditions()
    assert found.promotion == "auto"
    assert (found.guardrails.latency_ms, found.guardrails.size_mib) == (100, 500)


@pytest.mark.parametrize(
    "content",
    [
        """\
gate:
  margin: 0.01
  guardrails: {lowest: 0.6, calibration_error: 0.1, slices: {columns: [plan], lowest: 0.5}}
  tasks:
    churn: {promotion: off, guardrails: {calibration_error: 0.2, size_mib: null, slices: {least_rows: 50}}}
    visits: {metric: log_loss, guardrails: {lowest: null, highest: 0.7, slices: null}}
"""
    ],
    indirect=True,
)
def test_a_task_has_its_own_conditions_key_by_key(content: dict[str, Any]) -> None:
    churn = conditions.of_task(content, "churn")
    assert (churn.margin, churn.promotion, churn.bound) == (0.01, "off", "lowest")
    assert (churn.guardrails.lowest, churn.guardrails.calibration_error, churn.guardrails.size_mib) == (0.6, 0.2, None)
    assert churn.guardrails.slices == conditions.Slices(columns=("plan",), lowest=0.5, least_rows=50)
    visits = conditions.of_task(content, "visits")
    assert (visits.metric, visits.bound, visits.guardrails.highest) == ("log_loss", "highest", 0.7)
    assert (visits.guardrails.slices, visits.guardrails.calibration_error) == (None, 0.1)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("gate: {metrics: auc}", ["gate.metrics: unknown key; known are metric"]),
        ("gate: {metric: aucc}", ["gate.metric: 'aucc' was given", "'average_precision'"]),
        ("gate: {promotion: maybe}", ["gate.promotion: 'maybe' was given", "'auto', 'propose' or 'off'"]),
        ("gate: {tasks: {chrun: {margin: 0.1}}}", ["gate.tasks.chrun: no task", "churn, visits", "correct the name"]),
        ("gate: {tasks: {churn: {margin: wide}}}", ["gate.tasks.churn.margin: 'wide' was given"]),
        ("gate: {tasks: [churn]}", ["gate.tasks: ['churn'] was given"]),
        ("gate: {guardrails: {latency: 3}}", ["gate.guardrails.latency: unknown key"]),
        ("gate: {guardrails: {latency_ms: -3}}", ["gate.guardrails.latency_ms: -3 was given"]),
        ("gate: {guardrails: {slices: {lowest: 0.6}}}", ["gate.guardrails.slices.columns: missing; add it"]),
        (
            "gate: {guardrails: {slices: {columns: [plan]}}}",
            ["gate.guardrails.slices: the lowest auc", "missing; add lowest"],
        ),
        (
            "gate: {guardrails: {slices: {columns: [plna], lowest: 0.6}}}",
            ["gate.guardrails.slices.columns: 'plna' is no column of churn", "columns that fit are tenure, plan"],
        ),
        (
            "gate: {tasks: {churn: {guardrails: {slices: {columns: [note], lowest: 0.6}}}}}",
            ["gate.tasks.churn.guardrails.slices.columns: 'note' is of kind text", "columns that fit are tenure, plan"],
        ),
        (
            "gate: {metric: log_loss, guardrails: {lowest: 0.6}}",
            ["gate.guardrails.lowest: of log_loss less is better", "declare highest instead"],
        ),
        (
            "gate: {guardrails: {lowest: 0.6}, tasks: {churn: {metric: brier}}}",
            ["gate.guardrails.lowest: of brier less is better", "lowest: null under gate.tasks.churn"],
        ),
        (
            "gate: {tasks: {churn: {guardrails: {highest: 0.6}}}}",
            ["gate.tasks.churn.guardrails.highest: of auc more is better", "declare lowest instead"],
        ),
        ("gate: {tasks: {churn: {metric: mean_cost}}}", ["gate.tasks.churn.metric: mean_cost needs costs"]),
    ],
    indirect=["content"],
)
def test_what_is_wrong_is_told_with_file_key_and_fix(content: dict[str, Any], said: list[str]) -> None:
    with pytest.raises(InputError) as caught:
        conditions.of_task(content, "churn")
    message = str(caught.value)
    assert message.startswith("params.yaml: ")
    assert "\n" not in message
    for part in said:
        assert part in message


@pytest.mark.parametrize(
    "content", ["gate: {tasks: {visits: {guardrails: {slices: {columns: [day], lowest: 0.6}}}}}"], indirect=True
)
def test_columns_that_were_inferred_are_checked_once_they_are_known(content: dict[str, Any]) -> None:
    conditions.of_task(content, "visits")
    day = Contract("visits", "came", (Column("day", "category"),), ("no", "yes"))
    conditions.check_columns(content, day)
    week = Contract("visits", "came", (Column("week", "number"),), ("no", "yes"))
    with pytest.raises(
        InputError, match=r"visits\.guardrails\.slices\.columns: 'day' is no column of visits.*are week"
    ):
        conditions.check_columns(content, week)
