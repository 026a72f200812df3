"""The Open Inference Protocol as a client of it speaks it, and the plain API as a person does."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from tritonclient.http import InferenceServerClient, InferInput, InferRequestedOutput
from tritonclient.utils import InferenceServerException

from tests.serving.reliability.made import LOGISTIC, MLP, TASK, Registry
from tests.serving.reliability.questions import COLUMNS, Own, good, rows
from tests.serving.reliability.running import Serving, serving

pytestmark = pytest.mark.xdist_group("reliability")


@pytest.fixture
def server(registry: Registry, tmp_path: Path) -> Iterator[Serving]:
    with serving(registry, tmp_path, "--default", f"{TASK}/Production") as running:
        yield running


def inputs(some: list[dict[str, object]]) -> list[InferInput]:
    found = []
    for name in COLUMNS:
        values = [row[name] for row in some]
        kind = "BYTES" if name == "plan" else "FP32"
        array = np.array(values, dtype=object if kind == "BYTES" else np.float32).reshape(-1, 1)
        found.append(InferInput(name, list(array.shape), kind))
        found[-1].set_data_from_numpy(array, binary_data=False)
    return found


def test_tritons_client_finds_and_asks_a_model(server: Serving, registry: Registry) -> None:
    some = [row for row in rows(40) if None not in row.values()]
    own = Own(registry)
    with InferenceServerClient(server.address.removeprefix("http://")) as client:
        assert client.is_server_live()
        assert client.is_server_ready()
        assert client.is_model_ready(TASK)
        assert client.is_model_ready(TASK, MLP)
        assert not client.is_model_ready("nobody")
        metadata = client.get_model_metadata(TASK)
        assert [one["name"] for one in metadata["inputs"]] == COLUMNS
        wanted = [InferRequestedOutput(name, binary_data=False) for name in ("probabilities", "label")]
        for version, number in (("", LOGISTIC), (MLP, MLP)):
            answer = client.infer(TASK, inputs(some), model_version=version, outputs=wanted, request_id="a request")
            assert answer.as_numpy("probabilities")[:, 1] == pytest.approx(own.chances(number, some), abs=2e-6)
            assert set(answer.as_numpy("label")) <= {"yes", "no"}
            assert answer.get_response()["id"] == "a request"
            assert answer.get_response()["model_version"] == number
        with pytest.raises(InferenceServerException, match="missing"):
            client.infer(TASK, inputs(some)[:2], outputs=wanted)


def test_the_plain_api_takes_rows_one_row_and_names(server: Serving, registry: Registry) -> None:
    some = rows(3)
    data = [[row[name] for name in COLUMNS] for row in some]
    expected = ["yes" if chance >= 0.5 else "no" for chance in Own(registry).chances(LOGISTIC, some)]
    for path in ("/predict", "/api/predict", f"/models/{TASK}/Production/predict", f"/models/{TASK}/1/predict"):
        for body in ({"features": data}, {"input_data": data}, {"features": some}):
            assert good(server.post(path, json=body)).json() == {"prediction": expected}
        assert good(server.post(path, json={"features": data[0]})).json() == {"prediction": expected[:1]}
    answer = good(server.post("/predict", json={"features": data, "probabilities": True}))
    assert [row["yes"] for row in answer.json()["probabilities"]] == pytest.approx(
        Own(registry).chances(LOGISTIC, some), abs=2e-6
    )
    for wrong in ({}, {"features": []}, {"features": [[1, 2]]}, {"features": data, "input_data": data}, {"rows": data}):
        refusal = server.post("/predict", json=wrong)
        assert refusal.status_code == 400
        assert "expected" in refusal.json()["message"]


def test_answers_carry_their_requests_id(server: Serving) -> None:
    named = server.post("/predict", json={"features": []}, headers={"X-Request-Id": "mine"})
    assert named.headers["x-request-id"] == "mine"
    assert len({server.get("/live").headers["x-request-id"] for _ in range(5)}) == 5
