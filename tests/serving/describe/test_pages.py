"""What the pages of a server tell of what is live."""

from datetime import datetime
from importlib.metadata import version
from typing import Any

import pytest
import requests

pytestmark = pytest.mark.xdist_group("describe")


def get(address: str, path: str, status: int = 200) -> Any:
    answer = requests.get(address + path, timeout=30)
    assert answer.status_code == status, answer.text
    assert answer.headers["x-request-id"]
    return answer.json()


def test_models_lists_each_live_version_with_its_addresses_and_lineage(running: str) -> None:
    found = get(running, "/models")
    assert [(one["name"], one["version"]) for one in found] == [
        ("motion", 1),
        ("notes", 1),
        ("people", 1),
        ("people", 2),
    ]
    one = found[2]
    assert [address["path"] for address in one["addresses"]] == [
        "/models/people/Production",
        "/models/people/@champion",
    ]
    assert one["references"] == ["Production", "@champion"]
    assert (one["stage"], one["family"], one["model"], one["target"]) == ("Production", "logistic", "people", "left")
    assert one["classes"] == ["no", "yes"]
    assert one["default"]
    assert not found[3]["default"]
    assert len(one["graph_digest"]) == len(one["data_digest"]) == 64
    assert datetime.fromisoformat(one["since"]).tzinfo is not None


def test_each_listed_address_is_one_that_answers(running: str) -> None:
    for one in get(running, "/models"):
        for address in one["addresses"]:
            page = get(running, address["path"])
            answer = requests.post(f"{running}{address['path']}/invocations", json=page["example"], timeout=30)
            assert answer.status_code == 200, answer.text
            assert answer.headers["x-model-version"] == f"{one['name']}/{one['version']}"


def test_a_version_shows_its_contract_and_its_example(running: str) -> None:
    page = get(running, "/models/motion/1")
    assert page["contract"] == {
        "task": "motion",
        "target": "pace",
        "columns": [{"name": "steps", "kind": "sequence", "shape": [3, 2], "low": -9.0, "high": 9.0}],
        "classes": ["False", "True"],
    }
    assert page["address"] == {"reference": "1", "path": "/models/motion/1", "since": None}
    assert get(running, "/models/people/STAGING")["version"] == 2
    columns = get(running, "/models/people/@champion")["contract"]["columns"]
    assert [(one["name"], one["kind"]) for one in columns] == [
        ("age", "number"),
        ("member", "boolean"),
        ("plan", "category"),
        ("note", "text"),
        ("since", "time"),
    ]


def test_a_model_lists_the_numbers_that_can_be_asked(running: str) -> None:
    page = get(running, "/models/people")
    assert page["versions"] == [1, 2]
    assert [one["version"] for one in page["live"]] == [1, 2]


@pytest.mark.parametrize("path", ["/models/x", "/models/people/9", "/models/people/Archived", "/nothing", "/ping/"])
def test_what_is_not_there_is_a_404_in_the_shape_of_all_errors(running: str, path: str) -> None:
    assert get(running, path, 404).keys() == {"error_code", "message"}


@pytest.mark.parametrize(
    "path",
    [
        "/invocations",
        "/predict",
        "/api/predict",
        "/models/people/1/invocations",
        "/v2/models/people/infer",
        "/v2/models/people/versions/1/infer",
    ],
)
def test_a_get_where_scores_are_asked_says_that_it_has_to_be_a_post(running: str, path: str) -> None:
    answer = requests.get(running + path, timeout=30)
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    assert answer.json()["error_code"] == "METHOD_NOT_ALLOWED"


def test_a_post_to_a_page_says_what_the_page_takes(running: str) -> None:
    answer = requests.post(f"{running}/models", timeout=30)
    assert answer.status_code == 405
    assert "GET" in answer.headers["allow"]


def test_a_request_keeps_the_id_that_its_client_gave(running: str) -> None:
    for path in ("/live", "/nothing"):
        answer = requests.get(running + path, headers={"X-Request-Id": "mine"}, timeout=30)
        assert answer.headers["x-request-id"] == "mine"
    assert (
        requests.get(f"{running}/live", headers={"X-Request-Id": "m" * 999}, timeout=30).headers["x-request-id"] < "m"
    )


def test_probes_of_mlflow_are_answered_as_mlflow_answers_them(running: str) -> None:
    for path in ("/ping", "/health"):
        answer = requests.get(running + path, timeout=30)
        assert (answer.status_code, answer.text, answer.headers["content-type"]) == (200, "\n", "application/json")
    assert requests.get(f"{running}/version", timeout=30).text == version("mlflow-skinny")


def test_ready_tells_of_the_registry_and_of_each_address(running: str) -> None:
    page = get(running, "/ready")
    assert (page["status"], page["default"]) == ("ready", "people/Production")
    assert page["registry"]["reachable"]
    assert page["addresses"]["people/Staging"]["version"] == 2
    assert get(running, "/live") == {"status": "live"}


def test_metrics_count_what_was_scored(running: str) -> None:
    example = get(running, "/models/people/2")["example"]
    assert requests.post(f"{running}/models/people/2/invocations", json=example, timeout=30).status_code == 200
    answer = requests.get(f"{running}/metrics", timeout=30)
    assert answer.headers["content-type"].startswith("text/plain; version=")
    assert 'serving_rows_total{model="people",version="2"}' in answer.text
    newer = requests.get(f"{running}/metrics", headers={"accept": "application/openmetrics-text"}, timeout=30)
    assert newer.headers["content-type"].startswith("application/openmetrics-text")
    assert newer.text.endswith("# EOF\n")


@pytest.mark.parametrize("version", ["abc", "1.x", ""])
def test_metrics_are_given_to_who_asks_for_a_version_that_is_none(running: str, version: str) -> None:
    head = {"accept": f"application/openmetrics-text;version={version},text/plain;version={version}"}
    assert requests.get(f"{running}/metrics", headers=head, timeout=30).status_code == 200


def test_metadata_of_the_open_inference_protocol_has_the_types_of_the_contract(running: str) -> None:
    page = get(running, "/v2/models/people")
    assert (page["name"], page["versions"], page["platform"]) == ("people", ["1", "2"], "onnxruntime_onnx")
    assert {one["name"]: one["datatype"] for one in page["inputs"]} == {
        "age": "FP32",
        "member": "FP32",
        "plan": "BYTES",
        "note": "BYTES",
        "since": "BYTES",
    }
    assert page["outputs"][1] == {"name": "probabilities", "datatype": "FP32", "shape": [-1, 2]}
    assert get(running, "/v2/models/motion/versions/@champion")["inputs"] == [
        {"name": "steps", "datatype": "FP32", "shape": [-1, 3, 2]}
    ]
    assert get(running, "/v2/models/people/versions/Staging/ready") == {"name": "people", "ready": True}
    assert get(running, "/v2/models/people/ready")["ready"]
    assert get(running, "/v2/health/ready") == {"ready": True}
    assert get(running, "/v2/health/live") == {"live": True}
    assert get(running, "/v2")["extensions"] == []
    assert get(running, "/v2/models/x", 404)["error"]
