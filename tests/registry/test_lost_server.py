"""The tracking server, or the PostgreSQL behind it, goes away in the middle of `python -m registry register`."""

import signal
import sys
from collections.abc import Callable, Iterator

import mlflow
import pytest
from mlflow import MlflowClient

from registry import __main__ as registry_main
from tests.registry.test_register import EXPECTED, state
from tests.servers import faults
from tests.servers.faults import Proxy
from tests.servers.postgres import Postgres
from tests.servers.started import Server

pytestmark = [pytest.mark.xdist_group("servers"), pytest.mark.usefixtures("content")]

AGAIN = "; see to the server, then run this again"
CREATE = "POST /api/2.0/mlflow/model-versions/create"
MOVE = "POST /api/2.0/mlflow/model-versions/transition-stage"


@pytest.fixture
def proxy(on_postgres: Server) -> Iterator[Proxy]:
    """What the registry takes for the tracking server."""
    with faults.before(on_postgres.port) as proxy:
        mlflow.set_tracking_uri(proxy.address)
        yield proxy


@pytest.fixture
def register(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[[], str | None]:
    """Run `python -m registry register churn`; the line that it ends with where it fails, or None."""
    monkeypatch.setattr(sys, "argv", ["registry", "register", "churn"])

    def run() -> str | None:
        capsys.readouterr()
        code = 0
        try:
            registry_main.main()
        except SystemExit as end:
            code = int(str(end.code))
        errors = capsys.readouterr().err.splitlines()
        assert (code, len(errors)) in ((0, 0), (1, 1)), errors
        return errors[0] if errors else None

    return run


def is_write(request: str) -> bool:
    return not request.startswith("GET") and not request.endswith("/search")


def assert_as_if_nothing_had_happened() -> None:
    assert state() == EXPECTED
    client = MlflowClient()
    experiment = client.get_experiment_by_name("churn")
    assert experiment is not None
    models = client.search_logged_models([experiment.experiment_id])
    assert sorted((model.name, model.status) for model in models) == [
        ("churn-logistic", "READY"),
        ("churn-weak", "READY"),
    ]


def test_the_answer_to_each_kind_of_write_is_lost_in_turn_and_the_last_try_completes(
    proxy: Proxy, register: Callable[[], str | None]
) -> None:
    lost: list[str] = []

    def lose(request: str) -> None:
        if is_write(request) and request not in lost and not proxy.gone:
            lost.append(request)
            proxy.gone = True

    proxy.after = lose
    while line := register():
        assert line == f"error: MLflow failed: {proxy.address} does not answer{AGAIN}"
        proxy.gone = False
    assert len(lost) > 12
    assert {CREATE, MOVE} < set(lost)
    assert_as_if_nothing_had_happened()


def test_a_killed_server_is_one_line_and_the_next_try_with_a_new_one_completes(
    proxy: Proxy, register: Callable[[], str | None], on_postgres: Server
) -> None:
    proxy.before = lambda request: on_postgres.stop(signal.SIGKILL) if request == MOVE else None
    assert register() == f"error: MLflow failed: {proxy.address} does not answer{AGAIN}"
    proxy.before = lambda request: None
    on_postgres.start()
    assert register() is None
    assert_as_if_nothing_had_happened()


def test_a_stopped_postgresql_is_one_line_and_a_restarted_one_is_not_noticed(
    proxy: Proxy, register: Callable[[], str | None], postgres: Postgres
) -> None:
    proxy.before = lambda request: postgres.stop() if request == CREATE else None
    told = "answers with status 500, and its log says why"
    assert register() == f"error: MLflow failed: {proxy.address} {told}{AGAIN}"
    postgres.start()
    restarted: list[str] = []

    def restart(request: str) -> None:
        if is_write(request) and request not in restarted:
            restarted.append(request)
            postgres.restart()

    proxy.before = restart
    assert register() is None
    assert len(restarted) > 8
    assert_as_if_nothing_had_happened()
