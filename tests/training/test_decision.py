from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pandas as pd
import pytest
from onnx import TensorProto, helper
from sklearn.metrics import f1_score

from data import params
from data.contract import Column, Contract
from data.errors import InputError
from training import decision, onnx_graph, parity
from training.decision import HIGHEST, Decision
from training.graph import Graph

TWO, THREE = ("no", "yes"), ("a", "b", "c")
CHANCES = np.array([[0.7, 0.3], [0.5, 0.5], [0.69999, 0.30001], [0.70001, 0.29999], [0.0, 1.0], [1.0, 0.0]])


def contract(classes: tuple[str, ...]) -> Contract:
    """Of as many numbers as classes: the graph's probabilities are the numbers themselves."""
    return Contract("made", "y", tuple(Column(f"p{k}", "number") for k in range(len(classes))), classes)


def graph(rule: Decision, classes: tuple[str, ...], folder: Path) -> Graph:
    """A graph whose probabilities are what it is given."""
    names = contract(classes).names
    nodes = [helper.make_node("Concat", names, ["p"], axis=1)]
    inputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, 1]) for name in names]
    output = helper.make_tensor_value_info("p", TensorProto.FLOAT, [None, len(names)])
    model = helper.make_model(helper.make_graph(nodes, "given", inputs, [output]))
    path = folder / "graph.onnx"
    onnx.save(onnx_graph.finish(model, contract(classes), rule), path)
    return Graph(path)


def labels(rule: Decision, classes: tuple[str, ...], folder: Path, chances: np.ndarray) -> list[str]:
    rows = pd.DataFrame(chances, columns=contract(classes).names)
    return graph(rule, classes, folder).score(rows)[0].tolist()


def declared(**content: Any) -> params.Decision:
    return params.parse(params.Decision, content, "tasks.made.decision")


@pytest.mark.parametrize("threshold", [0.3, 0.5, 1e-6, 0.999])
def test_graph_and_native_agree_on_and_beside_the_threshold(tmp_path: Path, threshold: float) -> None:
    rule = Decision("threshold", None, float(np.float32(threshold)))
    at = np.float32(threshold)
    beside = [np.nextafter(at, np.float32(0)), at, np.nextafter(at, np.float32(2)), threshold]
    chances = np.column_stack([1 - np.array(beside, dtype=np.float64), np.array(beside, dtype=np.float64)])
    assert labels(rule, TWO, tmp_path, chances) == ["no", "yes", "yes", "yes"]
    assert rule.codes(chances).tolist() == [0, 1, 1, 1]


def test_without_a_decision_the_likeliest_class_is_answered_and_the_first_of_a_tie(tmp_path: Path) -> None:
    assert labels(HIGHEST, TWO, tmp_path, CHANCES) == ["no", "no", "no", "no", "yes", "no"]
    assert HIGHEST.codes(CHANCES).tolist() == [0, 0, 0, 0, 1, 0]
    assert HIGHEST.codes(np.array([[0.1, 0.45, 0.45]])) == 1


def test_the_least_expected_cost_is_answered_alike_by_graph_and_native_model_at_ties_too(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    costs = ((0.0, 1.0, 0.1), (0.1, 0.0, 1.0), (1.0, 0.1, 0.0))  # the same sums in turn: ties wherever shares are equal
    counts = random.integers(0, 4, (500, 3)) + np.eye(3)[random.integers(0, 3, 500)]
    chances = np.concatenate([counts / counts.sum(axis=1, keepdims=True), np.full((1, 3), 1 / 3)])
    rule = Decision("cost", "cost", None, costs)
    expected = [THREE[code] for code in rule.codes(chances)]
    assert labels(rule, THREE, tmp_path, chances) == expected
    assert expected[-1] == "a"
    plain = (chances @ np.array(costs)).round(6).argmin(axis=1)
    assert expected == [THREE[code] for code in plain]
    assert set(expected) == set(THREE)


def test_a_costly_mistake_is_avoided_by_answering_the_unlikelier_class(tmp_path: Path) -> None:
    matrix = decision.cost_matrix(declared(aim="cost", costs={"c": {"a": 20, "b": 20}}), THREE)
    assert matrix is not None
    assert matrix.tolist() == [[0, 1, 1], [1, 0, 1], [20, 20, 0]]
    rule = decision.choose(declared(aim="cost", costs={"c": {"a": 20, "b": 20}}), contract(THREE), fail, np.zeros(0))
    assert labels(rule, THREE, tmp_path, np.array([[0.8, 0.1, 0.1], [0.98, 0.01, 0.01]])) == ["c", "a"]


def fail() -> np.ndarray:
    raise AssertionError("validation rows were scored where none are needed")


@pytest.mark.parametrize("seed", range(2))
def test_the_threshold_for_f1_is_as_good_as_any_other(seed: int) -> None:
    random = np.random.default_rng(seed)
    score = np.round(random.beta(1, 5, 300), 2)  # with ties
    truth = random.random(300) < score
    best = decision.best_threshold(score, truth, None)
    worth = {
        cut: f1_score(truth, score.astype(np.float32) >= np.float32(cut)) for cut in (*np.arange(0.005, 0.6, 0.01),)
    }
    assert f1_score(truth, score >= best) == pytest.approx(max(worth.values()))
    assert best < 0.5


@pytest.mark.parametrize(("missed", "alarm"), [(9.0, 1.0), (1.0, 9.0), (1.0, 1.0)])
def test_the_threshold_for_costs_follows_what_mistakes_cost(missed: float, alarm: float) -> None:
    random = np.random.default_rng(1)
    score = random.random(20_000)
    truth = random.random(20_000) < score
    costs = np.array([[0, alarm], [missed, 0]])
    best = decision.best_threshold(score, truth, costs)
    assert best == pytest.approx(alarm / (alarm + missed), abs=0.06)

    def cost(cut: float) -> float:
        said = score >= cut
        return float((truth & ~said).sum() * missed + (~truth & said).sum() * alarm)

    assert cost(best) <= min(cost(cut) for cut in np.linspace(0, 1, 101)) + 1e-9


def test_where_no_positive_answer_pays_none_is_given_and_where_each_pays_all_are() -> None:
    score, truth = np.array([0.2, 0.9, 1.0]), np.array([False, True, False])
    assert decision.best_threshold(score, truth, np.array([[0, 100.0], [1, 0]])) > 1
    assert decision.best_threshold(score, truth, np.array([[0, 1.0], [100, 0]])) <= 0.9
    assert decision.best_threshold(np.zeros(3), truth, None) == 0


def test_of_equally_good_thresholds_the_nearest_to_one_half_is_taken() -> None:
    assert decision.best_threshold(np.array([0.1, 0.9]), np.array([False, True]), None) == pytest.approx(0.5)
    assert decision.best_threshold(np.array([0.1, 0.2]), np.array([False, True]), None) == pytest.approx(0.15)


@pytest.mark.parametrize(
    ("content", "classes", "weighted", "said"),
    [
        ({"aim": "f1"}, THREE, False, "aim: f1 needs two classes and made has 3; declare aim: cost"),
        ({"threshold": 0.3}, THREE, False, "threshold: 0.3 needs two classes"),
        ({"aim": "cost", "costs": {"x": {"a": 1}}}, THREE, False, "decision.costs: the target has no class 'x'"),
        ({"aim": "cost", "costs": {"no": {"maybe": 1}}}, TWO, False, "no class 'maybe'; it has no, yes"),
        ({"aim": "cost", "costs": {"a": {"b": 2}}}, THREE, True, "remove class_weight"),
    ],
)
def test_a_decision_that_does_not_go_with_the_classes_is_refused(
    content: dict[str, Any], classes: tuple[str, ...], weighted: bool, said: str
) -> None:
    with pytest.raises(InputError) as caught:
        decision.check(declared(**content), contract(classes), weighted)
    assert str(caught.value).startswith("params.yaml: tasks.made.decision")
    assert said in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [{}, {"aim": "cost"}, {"aim": "f1", "threshold": 0.3}, {"aim": "f1", "costs": {"a": {"b": 1}}}, {"costs": {}}],
)
def test_a_decision_of_no_rule_or_of_two_says_what_is_expected(content: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=r"expected one of \{aim: f1\}, \{aim: cost, costs"):
        declared(**content)


@pytest.mark.parametrize("threshold", [0, 1, -1, "half"])
def test_a_threshold_that_is_no_probability_is_named(threshold: object) -> None:
    with pytest.raises(InputError, match=r"decision\.threshold"):
        declared(threshold=threshold)


def test_classes_that_are_numbers_in_yaml_are_named_as_they_stand_in_the_file() -> None:
    matrix = decision.cost_matrix(declared(aim="cost", costs={1: {0: 5}}), ("0", "1"))
    assert matrix is not None
    assert matrix.tolist() == [[0, 1], [5, 0]]


def test_the_graph_says_what_its_label_follows(tmp_path: Path) -> None:
    rule = Decision("threshold", "f1", 0.25)
    assert Decision.from_record(graph(rule, TWO, tmp_path).decision) == rule
    assert rule.describe(TWO) == "yes from a probability of 0.25, the best F1 on validation rows"


def test_parity_follows_the_decision() -> None:
    rule = Decision("threshold", None, float(np.float32(0.3)))
    chances, inputs = np.array([[0.6, 0.4], [0.8, 0.2]]), pd.DataFrame({"x": [1.0, 2.0]})
    said = np.array(["yes", "no"], dtype=object)
    parity.check(inputs, chances, chances, said, TWO, 1e-5, rule)
    with pytest.raises(parity.ParityError, match="test row 0"):
        parity.check(inputs, chances, chances, np.array(["no", "no"], dtype=object), TWO, 1e-5, rule)
    near = np.array([[0.7, 0.3 + 5e-6], [0.8, 0.2]])
    parity.check(inputs, near, near, np.array(["no", "no"], dtype=object), TWO, 1e-5, rule)
