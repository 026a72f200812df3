"""Stages that move by promotion, rollback and by hand in MLflow, and the history of it, in a real MLflow store."""

import json
import re
import sys
from pathlib import Path
from typing import Any

import mlflow
import pytest
from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion

from data.errors import InputError
from registry import __main__ as registry_main
from registry import moves
from registry.history import EXPERIMENT, LONGEST_WHY, OUTSIDE, History, Move
from registry.register import register

TASK = "made"


@pytest.fixture(scope="module")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated MLflow database with four versions of a task, none in a stage."""
    folder = tmp_path_factory.mktemp("store")
    mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
    made = MlflowClient()
    made.create_registered_model(TASK)
    for _ in range(4):
        made.create_model_version(TASK, str(folder))
    return folder / "mlflow.db"


@pytest.fixture
def client(empty_store: Path, tmp_path: Path) -> MlflowClient:
    (tmp_path / "mlflow.db").write_bytes(empty_store.read_bytes())
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/mlflow.db")
    return MlflowClient()


def put(client: MlflowClient, stage: str, number: int | None, kind: str = "promotion") -> None:
    version = None if number is None else str(number)
    moves.make(client, TASK, lambda state: Move(kind, str(number), state.changes({stage: version}), "test"))


def shown(client: MlflowClient) -> dict[str, Any]:
    """What MLflow's own client says of stages and aliases."""
    found: dict[str, Any] = {}
    for version in client.search_model_versions(f"name = '{TASK}'"):
        if version.current_stage != "None":
            found.setdefault(version.current_stage, []).append(int(version.version))
    aliases = client.get_registered_model(TASK).aliases
    return {stage: sorted(numbers) for stage, numbers in found.items()} | {
        name: int(number) for name, number in aliases.items()
    }


def changes(client: MlflowClient) -> list[tuple[str, dict[str, tuple[str | None, str | None]]]]:
    return [(move.kind, move.changes) for move in History(client, TASK).state().moves]


def test_a_version_leaves_the_stage_that_it_was_in(client: MlflowClient) -> None:
    put(client, "Production", 1)
    put(client, "Staging", 2)
    put(client, "Production", 2)
    assert shown(client) == {"Production": [2], "Archived": [1], "production": 2}
    assert changes(client)[-1] == ("promotion", {"Production": ("1", "2"), "Staging": ("2", None)})


def test_both_stages_change_hands_at_once(client: MlflowClient) -> None:
    put(client, "Production", 1)
    put(client, "Staging", 2)
    moves.make(client, TASK, lambda at: Move("gate", "2", at.changes({"Production": "2", "Staging": "1"}), "better"))
    assert shown(client) == {"Production": [2], "Staging": [1], "production": 2, "staging": 1}
    assert len(changes(client)) == 3


def test_what_changes_nothing_is_no_move(client: MlflowClient) -> None:
    put(client, "Production", 1)
    put(client, "Production", 1)
    assert len(changes(client)) == 1


def test_rolling_back_twice_and_after_further_promotions_goes_further_back(client: MlflowClient) -> None:
    for number in (1, 2, 3):
        put(client, "Production", number)
    assert moves.settle(client, TASK).before == ("1", "2")
    put(client, "Production", 2, "rollback")
    assert moves.settle(client, TASK).before == ("1",)
    put(client, "Production", 4)
    assert moves.settle(client, TASK).before == ("1", "2")
    put(client, "Production", 2, "rollback")
    put(client, "Production", 1, "rollback")
    assert moves.settle(client, TASK).before == ()
    assert shown(client) == {"Production": [1], "Archived": [2, 3, 4], "production": 1}


def test_the_history_survives_the_deletion_of_a_version_and_of_the_model(client: MlflowClient) -> None:
    put(client, "Production", 1)
    put(client, "Production", 2)
    client.delete_model_version(TASK, "2")
    state = moves.settle(client, TASK)
    assert state.production is None
    assert changes(client)[-1] == (OUTSIDE, {"Production": ("2", None)})
    client.delete_registered_model(TASK)
    assert len(History(client, TASK).state().moves) == 3
    client.create_registered_model(TASK)
    client.create_model_version(TASK, "file:///nowhere")
    put(client, "Production", 1)
    assert len(changes(client)) == 4
    assert shown(client) == {"Production": [1], "production": 1}


def test_a_deleted_history_is_restored(client: MlflowClient) -> None:
    put(client, "Production", 1)
    client.delete_run(History(client, TASK).run())
    put(client, "Production", 2)
    assert [one for _, one in changes(client)] == [{"Production": (None, "1")}, {"Production": ("1", "2")}]


BY_HAND: dict[str, tuple[list[tuple[Any, ...]], dict[str, Any], dict[str, Any]]] = {
    "a stage": (
        [("stage", 3, "Production")],
        {"Production": [3], "Archived": [1], "Staging": [2], "production": 3, "staging": 2},
        {"Production": ("1", "3")},
    ),
    "an alias": (
        [("alias", "production", 3)],
        {"Production": [3], "Archived": [1], "Staging": [2], "production": 3, "staging": 2},
        {"Production": ("1", "3")},
    ),
    "the alias of Production on what is in Staging": (
        [("alias", "production", 2)],
        {"Production": [2], "Archived": [1], "production": 2},
        {"Production": ("1", "2"), "Staging": ("2", None)},
    ),
    "both, in the same way": (
        [("stage", 3, "Staging"), ("alias", "staging", 3)],
        {"Production": [1], "Staging": [3], "Archived": [2], "production": 1, "staging": 3},
        {"Staging": ("2", "3")},
    ),
    "both, each otherwise": (
        [("stage", 3, "Production"), ("alias", "production", 4)],
        {"Production": [3], "Archived": [1], "Staging": [2], "production": 3, "staging": 2},
        {"Production": ("1", "3")},
    ),
    "the champion archived": (
        [("stage", 1, "Archived")],
        {"Archived": [1], "Staging": [2], "staging": 2},
        {"Production": ("1", None)},
    ),
    "the champion moved to Staging": (
        [("stage", 1, "Staging")],
        {"Staging": [1], "Archived": [2], "staging": 1},
        {"Production": ("1", None), "Staging": ("2", "1")},
    ),
    "the alias of Production removed": (
        [("no alias", "production")],
        {"Production": [1], "Staging": [2], "production": 1, "staging": 2},
        {"Production": ("1", "1")},
    ),
    "the alias of Staging on the champion": (
        [("alias", "staging", 1)],
        {"Production": [1], "Staging": [2], "production": 1, "staging": 2},
        {"Staging": ("2", "2")},
    ),
}


@pytest.mark.parametrize("case", BY_HAND)
def test_what_was_changed_in_mlflow_is_taken_over_and_noted_as_made_outside(client: MlflowClient, case: str) -> None:
    put(client, "Production", 1)
    put(client, "Staging", 2)
    done, after, noted = BY_HAND[case]
    for what, *arguments in done:
        by_hand(client, what, *arguments)
    moves.settle(client, TASK)
    assert shown(client) == after
    assert changes(client)[2:] == [(OUTSIDE, noted)]
    moves.settle(client, TASK)
    assert len(changes(client)) == 3


@pytest.mark.filterwarnings("ignore:``mlflow:FutureWarning")
def by_hand(client: MlflowClient, what: str, *arguments: Any) -> None:
    if what == "stage":
        number, stage = arguments
        client.transition_model_version_stage(TASK, str(number), stage, archive_existing_versions=False)
    elif what == "alias":
        client.set_registered_model_alias(TASK, arguments[0], str(arguments[1]))
    else:
        client.delete_registered_model_alias(TASK, arguments[0])


def test_an_unfinished_move_is_finished_and_a_change_made_since_is_not_lost(client: MlflowClient) -> None:
    put(client, "Production", 1)
    assert History(client, TASK).append(2, Move("promotion", "2", {"Production": ("1", "2")}, "cut off"))
    assert moves.settle(client, TASK).production == "2"
    assert shown(client)["production"] == 2
    assert History(client, TASK).append(3, Move("promotion", "3", {"Production": ("2", "3")}, "cut off"))
    by_hand(client, "stage", 4, "Production")
    assert moves.settle(client, TASK).production == "4"
    assert changes(client)[-1] == (OUTSIDE, {"Production": ("3", "4")})


def test_of_two_writers_of_one_number_the_first_wins(client: MlflowClient) -> None:
    history, other = History(client, TASK), History(client, TASK)
    assert history.append(1, Move("promotion", "1", {"Production": (None, "1")}, "one"))
    assert not other.append(1, Move("promotion", "2", {"Production": (None, "2")}, "two"))
    assert [move.why for move in other.state().moves] == ["one"]


def test_the_page_of_the_model_tells_the_latest_moves(client: MlflowClient) -> None:
    for number in (1, 2, 3, 4) * 5:
        put(client, "Production", number)
    page = client.get_registered_model(TASK).description
    assert page.startswith("**Production** is [version 4]")
    assert len(re.findall(r"\| Production\W+3\W+4\W", page)) == 2
    assert len(page) < 5000
    note = client.get_run(History(client, TASK).run())
    assert note.info.run_name == TASK
    assert client.get_experiment(note.info.experiment_id).name == EXPERIMENT


def test_a_plan_that_fails_moves_nothing(client: MlflowClient) -> None:
    put(client, "Production", 1)
    with pytest.raises(InputError, match="give at most"):
        moves.make(client, TASK, lambda at: Move("promotion", "2", at.changes({"Production": "2"}), "x" * 2000))
    assert LONGEST_WHY < 2000
    assert shown(client) == {"Production": [1], "production": 1}


def command(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    monkeypatch.setattr(sys, "argv", ["registry", *arguments])
    registry_main.app(standalone_mode=False)


def test_a_person_overrules_the_gate_goes_back_and_both_are_in_the_history(
    registered: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("REGISTRY_WHO", "ada@laptop")
    command(monkeypatch, "promote", "churn", "2", "--to", "Production", "--why", "the other one blinked")
    command(monkeypatch, "promote", "churn", "1", "--to", "Production", "--why", "it did not")
    command(monkeypatch, "rollback", "churn", "--why", "it did")
    command(monkeypatch, "rollback", "churn", "--why", "sorry")
    capsys.readouterr()
    command(monkeypatch, "history", "churn", "--json")
    found = json.loads(capsys.readouterr().out)
    assert [(one["kind"], one["changes"]) for one in found] == [
        ("gate", {"Production": [None, "1"]}),
        ("gate", {"Staging": [None, "2"]}),
        ("promotion", {"Production": ["1", "2"], "Staging": ["2", None]}),
        ("promotion", {"Production": ["2", "1"]}),
        ("rollback", {"Production": ["1", "2"]}),
        ("rollback", {"Production": ["2", "1"]}),
    ]
    assert found[3]["why"] == "it did not (overrides: the gate said better than baseline, not than version 2)"
    assert found[2]["why"] == "the other one blinked (overrides: the gate said not better)"
    assert [one["who"] for one in found[2:]] == ["ada@laptop"] * 4
    command(monkeypatch, "history", "churn")
    assert "ada@laptop" in capsys.readouterr().out


def test_propose_leaves_the_better_challenger_in_staging_and_off_judges_nothing(content: dict[str, Any]) -> None:
    gate = content["gate"]
    entries = register({**content, "gate": {**gate, "promotion": "off"}}, "churn")
    assert [entry.version.tags.get("verdict") for entry in entries] == [None, None]
    assert moves.settle(MlflowClient(), "churn").held == {"Production": None, "Staging": None}
    register({**content, "gate": {**gate, "promotion": "propose"}}, "churn")
    state = moves.settle(MlflowClient(), "churn")
    assert state.held == {"Production": None, "Staging": "1"}
    assert "only proposed, since gate.promotion is propose" in state.moves[-1].why


def test_what_cannot_be_reproduced_is_only_proposed(content: dict[str, Any]) -> None:
    register({**content, "gate": {**content["gate"], "promotion": "off"}}, "churn")
    client = MlflowClient()
    client.set_model_version_tag("churn", "1", "reproducible", "no: git does not have training/mine.py")
    register(content, "churn")
    state = moves.settle(client, "churn")
    assert state.stage("1") == "Staging"
    assert "it cannot be reproduced: git does not have training/mine.py" in state.moves[0].why


def test_the_registry_works_without_mlflows_stages(content: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(MlflowClient, "transition_model_version_stage")
    monkeypatch.delattr(ModelVersion, "current_stage")
    register(content, "churn")
    client = MlflowClient()
    aliases = {"production": 1, "staging": 2}
    assert {name: int(one) for name, one in client.get_registered_model("churn").aliases.items()} == aliases
    command(monkeypatch, "promote", "churn", "2", "--to", "Production", "--why", "test")
    client.set_registered_model_alias("churn", "staging", "1")
    command(monkeypatch, "find", "churn", "Staging")
    command(monkeypatch, "rollback", "churn", "--why", "test")
    client.delete_registered_model_alias("churn", "production")
    state = moves.settle(client, "churn")
    assert [(move.kind, move.changes) for move in state.moves[2:]] == [
        ("promotion", {"Production": ("1", "2"), "Staging": ("2", None)}),
        (OUTSIDE, {"Staging": (None, "1")}),
        ("rollback", {"Production": ("2", "1"), "Staging": ("1", None)}),
        (OUTSIDE, {"Production": ("1", None)}),
    ]
    assert state.stage("2") == "Archived"
