import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from data.errors import InputError
from data.params import parse
from training import members, models, onnx_graph, parity
from training.families import Rows, ensemble, gradient_boosting, logistic

MEMBERS = ["one", "two"]
WAYS: list[dict[str, Any]] = [
    {},
    {"weights": "fitted"},
    {"weights": [3, 1]},
    {"combine": "stack"},
]


@pytest.fixture
def trained(make_rows: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: Any) -> tuple[Rows, Any]:
    """Rows, and two trained members in the folder where ensembles look for them."""
    monkeypatch.chdir(tmp_path)
    rows, odd = make_rows(classes=getattr(request, "param", 2))
    for name, fitted in (
        ("one", logistic.fit(logistic.Params(bins=4), rows, 0)),
        ("two", gradient_boosting.fit(gradient_boosting.Params(rounds=10, leaves=4), rows, 0)),
    ):
        file = members.path(rows.contract.task, name)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(onnx_graph.finish(fitted.to_onnx(), rows.contract).SerializeToString(deterministic=True))
    return rows, odd


@pytest.mark.parametrize("trained", [2, 3], indirect=True)
@pytest.mark.parametrize("way", WAYS, ids=str)
def test_one_graph_answers_what_the_members_say_together(trained: Any, compile_graph: Any, way: dict[str, Any]) -> None:
    rows, odd = trained
    fitted = ensemble.fit(ensemble.Params(members=MEMBERS, **way), rows, 0)
    graph = compile_graph(fitted, rows.contract)
    labels, probabilities = graph.score(odd)
    parity.check(odd, fitted.probabilities(odd), probabilities, labels, rows.contract.classes, fitted.tolerance)
    assert [one.name for one in graph.session.get_inputs()] == rows.contract.names
    assert len(fitted.history) == 2


def test_an_equal_vote_is_the_average_of_the_members(trained: Any, compile_graph: Any) -> None:
    rows, odd = trained
    fitted = ensemble.fit(ensemble.Params(members=MEMBERS), rows, 0)
    said = [graph.score(odd)[1] for graph in members.found(MEMBERS, rows.contract)]
    np.testing.assert_allclose(compile_graph(fitted, rows.contract).score(odd)[1], sum(said) / 2, atol=1e-6)


def test_fitted_weights_have_no_higher_validation_loss_than_equal_ones(trained: Any) -> None:
    rows, _ = trained
    equal, fitted = (
        ensemble.fit(ensemble.Params(members=MEMBERS, weights=weights), rows, 0) for weights in ("equal", "fitted")
    )
    assert fitted.weights.sum() == pytest.approx(1)
    assert fitted.history[-1]["validation_loss"] <= equal.history[-1]["validation_loss"] + 1e-9


def test_a_stack_is_not_fitted_on_training_rows(trained: Any) -> None:
    rows, odd = trained
    turned = Rows(rows.contract, rows.train, 1 - rows.train_codes, rows.validation, rows.validation_codes)
    one, other = (
        ensemble.fit(ensemble.Params(members=MEMBERS, combine="stack"), part, 0).probabilities(odd)
        for part in (rows, turned)
    )
    assert np.array_equal(one, other)


def test_two_fits_give_the_same_bytes_and_the_weights_are_saved(trained: Any, tmp_path: Path) -> None:
    rows, _ = trained
    first, second = (ensemble.fit(ensemble.Params(members=MEMBERS, weights=[1, 3]), rows, 5) for _ in range(2))
    graphs = [onnx_graph.finish(fitted.to_onnx(), rows.contract) for fitted in (first, second)]
    assert graphs[0].SerializeToString(deterministic=True) == graphs[1].SerializeToString(deterministic=True)
    (tmp_path / "native").mkdir()
    first.save(tmp_path / "native")
    assert [file.name for file in (tmp_path / "native").iterdir()] == ["ensemble.json"]
    saved = json.loads((tmp_path / "native" / "ensemble.json").read_text())
    assert saved == {"members": MEMBERS, "weights": [0.25, 0.75], "bias": None}


def test_a_member_that_is_not_trained_is_named(trained: Any) -> None:
    rows, _ = trained
    with pytest.raises(InputError, match=r"the member three is not trained .*; run `dvc repro train@three`"):
        ensemble.fit(ensemble.Params(members=["one", "three"]), rows, 0)


def test_a_member_of_other_columns_is_refused(trained: Any, make_rows: Any) -> None:
    other, _ = make_rows(numbers=("x",))
    with pytest.raises(InputError, match="the member one was trained on other columns or classes"):
        ensemble.fit(ensemble.Params(members=MEMBERS), other, 0)


def test_members_share_no_name_but_the_raw_columns(trained: Any) -> None:
    rows, _ = trained
    whole, outputs = members.merged(["one", "one", "two"], rows.contract.task)
    made = [name for node in whole.graph.node for name in node.output]
    assert len(made) == len(set(made))
    assert len(set(outputs)) == 3
    assert isinstance(whole, onnx.ModelProto)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"members": ["a"]}, "m.params.members: ['a'] was given"),
        ({"members": ["a", "a"]}, "a member is named twice"),
        ({"members": ["a", "b"], "weights": [1]}, "weights must be 2 numbers, one for each member"),
        ({"members": ["a", "b"], "combine": "fight"}, "m.params.combine: 'fight' was given"),
    ],
)
def test_a_wrong_parameter_is_named(given: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError) as caught:
        parse(ensemble.Params, given, "m.params")
    assert said in str(caught.value)


def declared(members_given: list[str], place: str = "ensembles", family: str = "ensemble") -> dict[str, Any]:
    both = {"task": "fish", "family": family, "params": {"members": members_given} if family == "ensemble" else {}}
    single = {name: {"task": task, "family": "logistic"} for name, task in (("a", "fish"), ("b", "fish"), ("c", "eel"))}
    return {
        "tasks": {name: {"source": {"path": "made.csv"}, "target": "y"} for name in ("fish", "eel")},
        "models": single | {"both": both},
        "ensembles": {"both": both} if place == "ensembles" else {},
    }


def test_an_ensemble_is_a_model_of_its_task() -> None:
    assert models.of_task(declared(["a", "b"]), "fish") == ["a", "b", "both"]


@pytest.mark.parametrize("member", ["c", "nobody", "both"])
def test_a_member_of_no_or_another_task_is_named(member: str) -> None:
    with pytest.raises(InputError) as caught:
        models.declared(declared(["a", member]), "both")
    expected = f"params.yaml: ensembles.both.params.members: fish has no model {member!r}; it has a, b"
    assert str(caught.value) == expected


@pytest.mark.parametrize(
    ("place", "family", "other"), [("models", "ensemble", "ensembles"), ("ensembles", "logistic", "models")]
)
def test_a_declaration_in_the_wrong_section_is_told_the_right_one(place: str, family: str, other: str) -> None:
    with pytest.raises(InputError, match=f"{place}.both: a model of the family {family} stands under {other}; move it"):
        models.declared(declared(["a", "b"], place, family), "both")
