"""A version that fails a check does not answer; the one before it does, and the server says why."""

import json
import shutil
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import requests

from tests.servers.started import free_port
from tests.serving.reliability.made import LOGISTIC, MLP, NARROW, TASK, Registry
from tests.serving.reliability.questions import Own, ask, chances, good, rows
from tests.serving.reliability.running import Serving, run, serving

pytestmark = pytest.mark.xdist_group("reliability")

SOON = 2.0  # seconds within which a move is followed
DEFAULT = ("--default", f"{TASK}/Production")


def truncate(graph: Path) -> None:
    graph.write_bytes(graph.read_bytes()[:1000])


def garble(graph: Path) -> None:
    graph.write_bytes(b"\0" * graph.stat().st_size)


def swap(graph: Path) -> None:
    other = next(one for one in graph.parents[3].glob("*/artifacts/artifacts/graph.onnx") if one != graph)
    shutil.copyfile(other, graph)


def remove(graph: Path) -> None:
    graph.unlink()


def version(server: Serving) -> str:
    path, body = ask("split", rows(1))
    return good(server.post(path, **body)).headers["x-model-version"]


def eventually(found: Callable[[], bool], seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not found():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.parametrize("damage", [truncate, garble, swap, remove])
def test_a_damaged_graph_is_refused_and_taken_once_it_is_mended(
    registry: Registry, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    graph = registry.graph(MLP)
    kept = graph.read_bytes()
    damage(graph)
    with serving(registry, tmp_path, *DEFAULT) as server:
        registry.show(MLP, LOGISTIC)
        eventually(lambda: "refused" in good(server.get("/ready")).text)
        assert version(server) == f"{TASK}/{LOGISTIC}"
        ready = good(server.get("/ready")).json()
        assert ready["status"] == "degraded"
        assert f"{TASK}/{MLP}" in json.dumps(ready)
        eventually(lambda: f'reference="Production",version="{MLP}",worker' in server.get("/metrics").text)
        assert 'serving_swap_failures_total{model="churn",reference="Production"} 1.0' in server.get("/metrics").text
        assert "version refused" in server.log
        graph.write_bytes(kept)
        eventually(lambda: version(server) == f"{TASK}/{MLP}", 15)
        assert good(server.get("/ready")).json()["status"] == "ready"


def test_a_damaged_local_copy_is_fetched_anew(registry: Registry, tmp_path: Path) -> None:
    with serving(registry, tmp_path, *DEFAULT):
        pass
    copies = list((tmp_path / ".serving").rglob("graph.onnx"))
    assert copies
    for graph in copies:
        truncate(graph)
    with serving(registry, tmp_path, *DEFAULT) as server:
        assert version(server) == f"{TASK}/{LOGISTIC}"
        assert good(server.get("/ready")).json()["status"] == "ready"


def test_a_contract_that_refuses_old_requests_needs_the_operators_word(registry: Registry, tmp_path: Path) -> None:
    narrow = {"json": {"features": [[row["tenure"], row["plan"]] for row in rows(2)], "probabilities": True}}
    with serving(registry, tmp_path / "strict", *DEFAULT) as server:
        registry.show(NARROW, MLP)
        eventually(lambda: "degraded" in server.get("/ready").text)
        assert version(server) == f"{TASK}/{LOGISTIC}"
        assert "columns" in server.get("/ready").text
        assert good(server.post(f"/models/{TASK}/{NARROW}/predict", **narrow)).headers["x-model-version"] == "churn/3"
    registry.show(LOGISTIC, MLP)
    with serving(registry, tmp_path / "told", *DEFAULT, "--allow-contract-change") as server:
        registry.show(NARROW, MLP)
        eventually(lambda: server.post("/predict", **narrow).status_code == 200, SOON)


@pytest.mark.parametrize("reference", ["@kept", MLP])
def test_the_stage_of_a_version_is_shown_as_it_is_now(registry: Registry, tmp_path: Path, reference: str) -> None:
    registry.client.set_registered_model_alias(TASK, "kept", MLP)
    with serving(registry, tmp_path, *DEFAULT) as server:
        path, body = ask("split", rows(1), f"{TASK}/{reference}")

        def shown(stage: str) -> bool:
            good(server.post(path, **body))
            return (good(server.get(f"/models/{TASK}/{reference}")).json()["stage"] or "None") == stage

        for stage in ("Staging", "None", "Archived"):
            registry.client.transition_model_version_stage(TASK, MLP, stage)
            eventually(partial(shown, stage), SOON)


def test_a_move_is_followed_within_two_seconds_by_every_worker_and_address(registry: Registry, tmp_path: Path) -> None:
    own = Own(registry)
    with serving(registry, tmp_path, *DEFAULT, "--workers", "2") as server:
        for number, other in ((MLP, LOGISTIC), (LOGISTIC, MLP)):
            registry.show(number, other)
            time.sleep(SOON)
            for address, expected in (("", number), (f"{TASK}/@production", number), (f"{TASK}/staging", other)):
                path, body = ask("plain", rows(3), address)
                for _ in range(12):
                    with requests.Session() as fresh:
                        answer = fresh.post(server.address + path, **body, timeout=10)
                    assert answer.headers["x-model-version"] == f"{TASK}/{expected}"
                    assert chances(answer.content) == pytest.approx(own.chances(expected, rows(3)), abs=2e-6)


def test_the_last_known_versions_answer_when_the_server_starts_without_its_registry(
    registry: Registry, tmp_path: Path
) -> None:
    with serving(registry, tmp_path, *DEFAULT) as server:
        version(server)
    database = registry.folder / "mlflow.db"
    away = database.rename(registry.folder / "away.db")
    shutil.move(registry.folder / "mlruns", registry.folder / "gone")
    with serving(registry, tmp_path, *DEFAULT) as server:
        assert version(server) == f"{TASK}/{LOGISTIC}"
        ready = good(server.get("/ready")).json()
        assert (ready["status"], ready["registry"]["reachable"]) == ("degraded", False)
        shutil.move(registry.folder / "gone", registry.folder / "mlruns")
        away.rename(database)
        registry.show(MLP, LOGISTIC)
        eventually(lambda: version(server) == f"{TASK}/{MLP}", 5)
        assert good(server.get("/ready")).json()["status"] == "ready"


def test_without_registry_and_copy_the_server_says_what_is_missing(registry: Registry, tmp_path: Path) -> None:
    for words, told in (
        (["--default", "nobody/Production"], "registered are churn"),
        (["--default", f"{TASK}/9"], "there are"),
        (["--default", "churn"], "such as flights/Production"),
        (["--canary", f"{TASK}/Staging"], "=10%"),
        (["--shadow", f"{TASK}/Production"], "compared with"),
        (["--rate", "many"], "100/s"),
        (["--host", "0.0.0.0"], "--insecure"),  # noqa: S104
    ):
        done = run("--port", str(free_port()), *words, registry=registry, folder=tmp_path)
        assert done.returncode == 1, (words, done)
        assert told in done.stderr, done.stderr
        assert done.stderr.count("\n") == 1, done.stderr
    (registry.folder / "mlflow.db").unlink()
    done = run("--port", str(free_port()), registry=registry, folder=tmp_path / "registry")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "MLFLOW_TRACKING_URI" in done.stderr
