"""Models that are no graphs of this project behind the same routes, in real processes."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import requests

from serving.pyfunc.__main__ import folder_of
from tests.serving.pyfunc.conftest import PRICES, SCALED, SECONDS, TABLE, ColSpec, Running, X, columns, start

pytestmark = pytest.mark.xdist_group("pyfunc")

PRICES_AT, ROOTS_AT = "/models/prices/Production", "/models/roots/Production"
ROWS = {"dataframe_split": {"columns": ["weight", "wheels"], "data": TABLE.to_numpy().tolist()}}
AS_JSON = {"Content-Type": "application/json"}
SENT = "a-value-of-the-caller"


def until(what: Callable[[], Any], seconds: float = 40) -> Any:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := what():
            return found
        time.sleep(0.1)
    pytest.fail(f"not within {seconds} s")


def answered(running: Running, path: str, body: Any) -> requests.Response:
    """The first answer that is none of a model that is still being started."""

    def ask() -> requests.Response | None:
        response = running.ask(path, body)
        return None if response.status_code == 503 else response

    return until(ask)


def sides(running: Running) -> dict[int, str]:
    """The models' processes by number, with their command lines."""
    out = subprocess.run(["ps", "-ww", "-eo", "pid=,args="], capture_output=True, text=True, check=True).stdout
    found = dict(line.strip().split(" ", 1) for line in out.splitlines())
    mine = {int(pid): args for pid, args in found.items() if "serving/pyfunc/__main__.py" in args}
    return {pid: args for pid, args in mine.items() if str(running.registry.folder) in args}


@pytest.fixture(scope="module", autouse=True)
def _started(running: Running) -> None:
    answered(running, f"{PRICES_AT}/invocations", ROWS)
    answered(running, f"{ROOTS_AT}/predict", {"features": [4]})
    answered(running, "/models/sums/1/predict", {"features": [1, 2, 3]})


@pytest.mark.parametrize(
    "body",
    [
        ROWS,
        {"dataframe_records": TABLE.to_dict("records")},
        {"inputs": TABLE.to_dict("list")},
        {"instances": TABLE.to_dict("records")},
    ],
    ids=["split", "records", "inputs", "instances"],
)
def test_each_layout_of_mlflow_is_answered_as_the_model_answers(running: Running, body: Any) -> None:
    response = answered(running, f"{PRICES_AT}/invocations", body)
    assert response.status_code == 200
    assert response.json()["predictions"] == pytest.approx(PRICES.tolist())
    assert response.headers["x-model-version"] == "prices/1"


@pytest.mark.parametrize("kind", ["text/csv", "application/vnd.apache.parquet"])
def test_files_of_rows_are_answered(running: Running, kind: str) -> None:
    body = TABLE.to_csv(index=False).encode() if kind == "text/csv" else TABLE.to_parquet(index=False)
    response = running.ask(f"{PRICES_AT}/invocations", body, headers={"Content-Type": kind})
    assert response.json()["predictions"] == pytest.approx(PRICES.tolist())


@pytest.mark.parametrize("body", [{"features": [[1.0, 4], [2, 3]]}, {"input_data": [[1.0, 4], [2, 3]]}])
def test_the_plain_api_takes_rows_in_the_order_of_the_signature(running: Running, body: Any) -> None:
    response = running.ask(f"{PRICES_AT}/predict", body)
    assert response.json() == {"prediction": pytest.approx([9, 13])}


def test_one_flat_row_is_a_row(running: Running) -> None:
    assert running.ask(f"{PRICES_AT}/predict", {"features": [1.0, 4]}).json()["prediction"] == pytest.approx([9])
    assert running.ask("/models/sums/1/predict", {"features": [1, 2, 3]}).json() == {"prediction": [pytest.approx(14)]}
    assert len(running.ask("/models/sums/1/predict", {"features": [[1, 2, 3]] * 3}).json()["prediction"]) == 3


def test_the_open_inference_protocol_answers_by_the_signature(running: Running) -> None:
    inputs = [{"name": "x", "shape": [2], "datatype": "FP64", "data": [4, 9]}]
    body = {"id": "mine", "inputs": inputs, "parameters": {"factor": 2.0}}
    assert running.ask("/v2/models/roots/infer", body).json() == {
        "model_name": "roots",
        "model_version": "1",
        "outputs": [{"name": "root", "shape": [2], "datatype": "FP64", "data": [4.0, 6.0]}],
        "id": "mine",
    }
    refused = running.ask("/v2/models/roots/infer", {"inputs": []})
    assert refused.status_code == 400
    assert "x: double" in refused.json()["error"]


def test_params_reach_the_model_by_either_protocol(running: Running) -> None:
    params = {"params": {"factor": 10.0}}
    assert running.ask(f"{ROOTS_AT}/predict", {"features": [[9]]} | params).json() == {"prediction": [{"root": 30.0}]}
    body = {"dataframe_records": [{"x": 9.0}]} | params
    assert running.ask(f"{ROOTS_AT}/invocations", body).json() == {"predictions": [{"root": 30.0}]}


BAD = {
    "a missing column": ({"dataframe_records": [{"weight": 1.0, SENT: 2}]}, "columns are missing: wheels"),
    "a text in place of a number": ({"dataframe_records": [{"weight": SENT, "wheels": 3}]}, "weight: double"),
    "no layout": ({"rows": [SENT]}, "weight: double"),
    "two layouts": (ROWS | {"inputs": [SENT]}, "weight: double"),
    "no JSON": (b'{"inputs": [' + SENT.encode(), "no JSON: Expecting value at line 1"),
    "no UTF-8": (b'{"inputs": "\xff"}', "no UTF-8"),
    "deeply nested": (b'{"inputs": ' + b"[" * 100_000, "nested too deeply"),
    "nested just so deeply": (b'{"inputs": ' + b"[" * 960 + b"]" * 960 + b"}", "weight: double"),
    "a huge number": (b'{"inputs": {"weight": [1e999], "wheels": [1' + b"0" * 4000 + b"]}}", "weight: double"),
    "more digits than Python reads": (b'{"inputs": {"weight": [1' + b"0" * 5000 + b"]}}", "too many digits"),
    "null in a whole number": ({"inputs": {"weight": [1.0], "wheels": [None]}}, "wheels: long"),
    "rows of unequal lengths": ({"dataframe_split": {"columns": ["weight"], "data": [[1], [2, 3]]}}, "wheels"),
    "data that are no list": ({"dataframe_split": {"columns": ["weight", "wheels"], "data": SENT}}, "weight: double"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_scored_is_a_400_without_a_trace_and_without_what_was_sent(running: Running, case: str) -> None:
    body, said = BAD[case]
    response = running.ask(f"{PRICES_AT}/invocations", body, headers=AS_JSON)
    assert response.status_code == 400, response.text
    assert set(response.json()) == {"error_code", "message"}
    assert said in response.json()["message"]
    assert not any(word in response.text for word in (SENT, "Traceback", "stack", "pandas"))


def test_a_request_after_one_that_broke_the_application_is_answered(running: Running) -> None:
    breaking, _ = BAD["nested just so deeply"]
    for _ in range(30):
        assert running.ask(f"{PRICES_AT}/invocations", breaking, headers=AS_JSON).status_code == 400
        assert running.ask(f"{PRICES_AT}/invocations", ROWS).status_code == 200


@pytest.mark.parametrize(
    ("path", "body", "said"),
    [
        (PRICES_AT, {"features": [[1]]}, "rows of 2 values, in this order: weight: double, wheels: long"),
        (PRICES_AT, {"features": [[1, 2], [3]]}, "rows of 2 values"),
        (PRICES_AT, {"features": []}, "there is no row"),
        (PRICES_AT, {"rows": [[1, 2]]}, "expected features or input_data"),
        (PRICES_AT, {"features": [1, 2], "input_data": [1, 2]}, "one of them"),
        (PRICES_AT, {"features": [1, 2], "probabilities": True}, "no probabilities"),
        (PRICES_AT, b'{"features": ' + b"[" * 100_000, "nested too deeply"),
        (PRICES_AT, b'{"features": [NaN, 1]}', "send null"),
        (ROOTS_AT, {"features": [[1, 2, 3]]}, "1 to 2 values"),
        (ROOTS_AT, {"features": [[-5]]}, "the model fails on the request"),
    ],
    ids=[
        "too few values",
        "unequal rows",
        "no rows",
        "no features",
        "twice",
        "probabilities",
        "deeply nested",
        "NaN",
        "too many values",
        "a value that the model refuses",
    ],
)
def test_a_bad_request_of_the_plain_api_is_told_what_is_expected(
    running: Running, path: str, body: Any, said: str
) -> None:
    response = running.ask(f"{path}/predict", body)
    assert response.status_code == 400, response.text
    assert said in response.json()["message"]


@pytest.mark.parametrize("kind", ["application/xml", "application/json; charset=latin-1", "text/csv; header=no", ""])
def test_another_content_type_is_a_415_as_mlflow_has_it(running: Running, kind: str) -> None:
    response = running.ask(f"{PRICES_AT}/invocations", b"{}", headers={"Content-Type": kind})
    assert response.status_code == 415
    assert response.headers["content-type"].startswith("text/plain")


def test_the_log_tells_where_a_model_failed_and_not_on_what(running: Running) -> None:
    running.ask(f"{ROOTS_AT}/predict", {"features": [[-987.5]]})
    lines = [json.loads(line) for line in running.log.read_text().splitlines() if line.startswith("{")]
    failed = [line for line in lines if line["message"] == "a model failed on a request"]
    assert failed[-1]["error"] == "ValueError"
    assert "roots-code.py" in failed[-1]["at"]
    assert "987.5" not in running.log.read_text()


def test_a_version_that_nothing_names_is_started_when_it_is_asked_for_by_its_number(running: Running) -> None:
    response = running.ask("/models/sums/1/predict", {"features": [[1, 2, 3]]})
    assert response.json() == {"prediction": [pytest.approx(14)]}
    assert response.headers["x-model-version"] == "sums/1"
    assert running.ask("/models/sums/2/predict", {"features": [[1, 2, 3]]}).status_code == 404


def test_the_pages_tell_of_a_model_by_its_signature(running: Running) -> None:
    get = lambda path: requests.get(f"{running.address}{path}", timeout=20).json()  # noqa: E731
    listed = {(one["name"], one["version"]): one for one in get("/models")}
    assert listed["prices", 1]["graph_digest"] is None
    page = get("/models/prices/Production")
    assert [(one["name"], one["type"]) for one in page["signature"]["inputs"]] == [
        ("weight", "double"),
        ("wheels", "long"),
    ]
    assert "dataframe_split" in page["example"]
    assert get("/v2/models/prices")["inputs"][0] == {"name": "weight", "datatype": "FP64", "shape": [-1]}
    assert "paths" in get("/openapi.json")
    ready = get("/ready")
    assert "a_module_that_nobody_has" in str(ready["addresses"]["broken/@best"])


def test_its_socket_is_for_this_user_alone_and_workers_share_one_process(running: Running) -> None:
    of_prices = [args for args in sides(running).values() if "/sklearn" in args]
    assert len(of_prices) == 1
    socket = Path(of_prices[0].split()[3])
    assert socket.stat().st_mode & 0o777 == 0o600
    assert socket.parent.stat().st_mode & 0o777 == 0o700


def test_a_model_that_cannot_be_loaded_is_a_503_and_the_log_says_why(running: Running) -> None:
    response = running.ask("/models/broken/@best/invocations", ROWS)
    assert response.status_code == 503
    assert "Retry-After" in response.headers
    until(lambda: "ModuleNotFoundError: No module named 'a_module_that_nobody_has'" in running.log.read_text())
    assert any("a_module_that_nobody_has" in why for why in faults(running))


def faults(running: Running) -> list[str]:
    lines = [json.loads(line) for line in running.log.read_text().splitlines() if line.startswith("{")]
    return [line["why"] for line in lines if line["message"] == "version refused"]


def test_production_moves_without_a_failed_request_and_the_new_answers_soon(running: Running) -> None:
    number = running.registry.script(
        "roots", SCALED.replace("** 0.5", "** 0.5 + 100"), columns(X, SECONDS), pd.DataFrame({"x": [4.0]})
    )
    seen: list[tuple[int, str]] = []
    stop = False

    def load() -> None:
        while not stop:
            response = running.ask(f"{ROOTS_AT}/predict", {"features": [[4]]})
            right = {"roots/1": [{"root": 2.0}], f"roots/{number}": [{"root": 102.0}]}
            version = response.headers.get("x-model-version", "")
            seen.append((response.status_code, version))
            assert response.json() == {"prediction": right[version]}

    with ThreadPoolExecutor() as pool:
        slow = pool.submit(running.ask, f"{ROOTS_AT}/predict", {"features": [[4, 6.0]]})
        loads = [pool.submit(load) for _ in range(2)]
        running.registry.promote("roots", number)
        until(lambda: seen and seen[-1][1] == f"roots/{number}")
        time.sleep(0.5)
        stop = True
        for one in loads:
            one.result()
        assert slow.result().json() == {"prediction": [{"root": 2.0}]}, "the old one finishes what it began"
    assert {status for status, _ in seen} == {200}
    assert seen[0][1] == "roots/1"


def test_a_changed_signature_is_refused_and_the_old_version_stays(running: Running) -> None:
    before = running.ask(f"{ROOTS_AT}/predict", {"features": [[4]]})
    number = running.registry.script("roots", SCALED, columns(X, ColSpec("string", "name")))
    running.registry.promote("roots", number)
    until(lambda: any("its columns are x, name, before x, seconds" in why for why in faults(running)))
    time.sleep(5)  # the old one's process is no longer named by the registry
    assert not any("/roots-1 " in args for args in sides(running).values()), "nothing names or uses the first"
    after = running.ask(f"{ROOTS_AT}/predict", {"features": [[4]]})
    assert after.headers["x-model-version"] == before.headers["x-model-version"]
    assert after.json() == before.json()


def test_a_process_that_dies_is_a_503_with_retry_after_and_is_back_soon(running: Running) -> None:
    of = {args.split()[2].rpartition("/")[2]: pid for pid, args in sides(running).items()}
    with ThreadPoolExecutor() as pool:
        slow = pool.submit(running.ask, f"{ROOTS_AT}/predict", {"features": [[4, 2.0]]})
        time.sleep(0.5)
        os.kill(of["roots-3"], signal.SIGTERM)
        os.kill(of["sklearn"], signal.SIGKILL)
        response = running.ask(f"{PRICES_AT}/predict", {"features": [1.0, 4]})
        assert response.status_code == 503
        assert response.json()["error_code"] == "TEMPORARILY_UNAVAILABLE"
        assert int(response.headers["Retry-After"]) >= 1
        assert slow.result().status_code == 200, "one that is told to end finishes what it began"
    assert answered(running, f"{PRICES_AT}/predict", {"features": [1.0, 4]}).status_code == 200
    assert answered(running, f"{ROOTS_AT}/predict", {"features": [[4]]}).status_code == 200


def test_a_model_that_lies_elsewhere_is_fetched_once(
    running: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep = tmp_path / "copy" / "prices"
    assert folder_of("models:/prices/1", str(keep)) == keep
    assert (keep / "model.pkl").is_file()
    assert [path.name for path in keep.parent.iterdir()] == ["prices"]
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    assert folder_of("models:/prices/1", str(keep)) == keep


def test_requests_in_flight_on_a_process_that_dies_are_503(running: Running) -> None:
    assert running.ask(f"{ROOTS_AT}/predict", {"features": [[666]]}).status_code == 503


def test_without_the_operators_leave_nothing_is_run_and_the_answer_says_so(running: Running, tmp_path: Path) -> None:
    with start(running.registry, tmp_path, answers="/live") as server:
        before = set(sides(running))
        for address in ("prices/Production", "prices/1"):
            response = requests.post(f"{server.address}/models/{address}/invocations", json=ROWS, timeout=20)
            assert response.status_code == 503
            assert "--allow-pyfunc" in response.json()["message"]
        assert not any(str(tmp_path) in args for pid, args in sides(running).items() if pid not in before)
        server.stop(signal.SIGKILL)


def test_no_process_outlives_a_server_that_is_killed(running: Running) -> None:
    assert sides(running)
    os.kill(running.process, signal.SIGKILL)
    until(lambda: not sides(running), 5)
