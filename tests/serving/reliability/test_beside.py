"""Shadows score copies and answer nobody; canaries answer their share; both are counted."""

import re
import time
from pathlib import Path

import pytest

from tests.serving.reliability.made import LOGISTIC, MLP, TASK, Registry
from tests.serving.reliability.questions import Own, ask, chances, good, rows
from tests.serving.reliability.running import Serving, serving

pytestmark = pytest.mark.xdist_group("reliability")

DEFAULT = ("--default", f"{TASK}/Production")


def metric(server: Serving, name: str, **labels: str) -> float:
    """The sum of a metric's samples that have these labels."""
    total = 0.0
    for line in server.get("/metrics").text.splitlines():
        found = re.fullmatch(rf"{name}\{{(.*)\}} (\S+)", line)
        if found and all(f'{label}="{value}"' in found[1] for label, value in labels.items()):
            total += float(found[2])
    return total


def settled(server: Serving, name: str, amount: float, **labels: str) -> None:
    end = time.monotonic() + 10
    while metric(server, name, **labels) != amount:
        assert time.monotonic() < end, (name, labels, metric(server, name, **labels), amount)
        time.sleep(0.1)


def test_a_shadow_scores_every_row_and_its_disagreement_is_kept(registry: Registry, tmp_path: Path) -> None:
    some, own = rows(200), Own(registry)
    expected = [
        (a > 0.5) != (b > 0.5) for a, b in zip(own.chances(LOGISTIC, some), own.chances(MLP, some), strict=True)
    ]
    distance = sum(abs(a - b) for a, b in zip(own.chances(LOGISTIC, some), own.chances(MLP, some), strict=True))
    with serving(registry, tmp_path, *DEFAULT, "--shadow", f"{TASK}/Staging", "--workers", "2") as server:
        for start in range(0, 200, 20):
            path, body = ask("plain", some[start : start + 20])
            assert good(server.post(path, **body)).headers["x-model-version"] == f"{TASK}/{LOGISTIC}"
        labels = {"role": "shadow", "version": MLP, "against": LOGISTIC}
        settled(server, "serving_compared_rows_total", 200, **labels)
        assert metric(server, "serving_disagreements_total", **labels) == sum(expected)
        assert metric(server, "serving_probability_distance_total", **labels) == pytest.approx(distance, abs=1e-3)
        assert metric(server, "serving_compared_seconds_count", version=MLP) == 10
        assert metric(server, "serving_rows_total", version=MLP) == 0
        assert metric(server, "serving_rows_total", version=LOGISTIC) == 200


def test_a_canary_answers_its_share_and_stays_with_a_caller(registry: Registry, tmp_path: Path) -> None:
    own, some = Own(registry), rows(2)
    path, body = ask("split", some)
    with serving(registry, tmp_path, *DEFAULT, "--canary", f"{TASK}/Staging=30%", "--workers", "2") as server:
        answered = {}
        for caller in range(100):
            versions = set()
            for _ in range(3):
                answer = good(server.post(path, **body, headers={"X-Canary-Key": f"caller {caller}"}))
                number = answer.headers["x-model-version"].removeprefix(f"{TASK}/")
                assert chances(answer.content) == pytest.approx(own.chances(number, some), abs=2e-6)
                versions.add(number)
            assert len(versions) == 1
            answered[caller] = versions.pop()
        share = sum(number == MLP for number in answered.values())
        assert 15 <= share <= 45
        settled(server, "serving_compared_rows_total", share * 3 * len(some), role="canary", version=MLP)
        assert metric(server, "serving_request_seconds_count", version=MLP, status="200") == share * 3
        free = [good(server.post(path, **body)).headers["x-model-version"] for _ in range(200)]
        assert 30 <= free.count(f"{TASK}/{MLP}") <= 90
        registry.show(MLP, LOGISTIC)
        time.sleep(2)
        callers = [good(server.post(path, **body, headers={"X-Canary-Key": f"caller {one}"})) for one in range(100)]
        assert [one.headers["x-model-version"] == f"{TASK}/{LOGISTIC}" for one in callers] == [
            number == MLP for number in answered.values()
        ]
