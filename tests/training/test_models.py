from typing import Any

import pytest

from data.errors import InputError
from training import models
from training.families import logistic

TASK = {"source": {"path": "rows.csv"}, "target": "kind"}
MODEL = {"task": "fruit", "family": "logistic", "params": {"C": 0.5}}


def content(**model: Any) -> dict[str, Any]:
    entry = {key: value for key, value in (MODEL | model).items() if value is not None}
    return {"tasks": {"fruit": TASK, "fish": TASK}, "models": {"m": entry, "n": MODEL, "o": MODEL | {"task": "fish"}}}


def refusal(declared: dict[str, Any], name: str = "m") -> str:
    with pytest.raises(InputError) as caught:
        models.declared(declared, name)
    message = str(caught.value)
    assert message.startswith("params.yaml: ")
    assert "\n" not in message
    return message


def test_a_declared_model_has_its_family_and_checked_parameters() -> None:
    model = models.declared(content(), "m")
    assert (model.task, model.family, model.family_name) == ("fruit", logistic, "logistic")
    assert model.params == logistic.Params(C=0.5)


def test_a_model_without_parameters_takes_the_familys_defaults() -> None:
    assert models.declared(content(params=None), "m").params == logistic.Params()


def test_an_unknown_model_lists_the_declared_ones() -> None:
    assert "no model 'x' under models; declared are m, n, o" in refusal(content(), "x")


def test_an_unknown_task_lists_the_declared_ones() -> None:
    assert "models.m.task: no task 'fruits'; declared are fruit, fish" in refusal(content(task="fruits"))


def test_an_unknown_family_lists_the_known_ones() -> None:
    message = refusal(content(family="forest"))
    assert f"models.m.family: no family 'forest'; known are {', '.join(models.known_families())}" in message
    assert {"logistic", "mlp"} <= set(models.known_families())


@pytest.mark.parametrize(
    ("model", "said"),
    [
        ({"params": {"c": 1}}, "models.m.params.c: unknown key; known are C, max_iter, bins"),
        ({"params": {"C": -1}}, "models.m.params.C: -1 was given"),
        ({"params": [1]}, "models.m.params: [1] was given"),
        ({"parameters": {}}, "models.m.parameters: unknown key; known are task, family, params"),
        ({"family": None}, "models.m.family: missing; add it"),
    ],
)
def test_a_wrong_declaration_names_its_key(model: dict[str, Any], said: str) -> None:
    assert said in refusal(content(**model))


@pytest.mark.parametrize("entry", [None, "logistic", ["task"]])
def test_a_model_that_is_no_mapping_is_named(entry: object) -> None:
    assert f"models.m: {entry!r} was given" in refusal({"tasks": {"fruit": TASK}, "models": {"m": entry}})


def test_the_models_of_a_task_keep_their_order() -> None:
    assert models.of_task(content(), "fruit") == ["m", "n"]
    assert models.of_task(content(), "fish") == ["o"]


def test_a_wrong_model_of_another_task_is_not_passed_over() -> None:
    with pytest.raises(InputError, match=r"models\.m\.family"):
        models.of_task(content(family="forest"), "fish")
