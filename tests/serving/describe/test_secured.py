"""What the pages of a server with keys tell, and to whom."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import requests

from tests.conftest import ROOT
from tests.serving.describe.conftest import Serve
from tests.serving.describe.test_docs import browsing

pytestmark = pytest.mark.xdist_group("describe")

OPEN = ("/live", "/ping", "/health", "/version", "/ready", "/docs", "/v2/health/live", "/v2/health/ready")
CLOSED = (
    "/models",
    "/models/people",
    "/models/people/Production",
    "/models/nothing/1",
    "/metrics",
    "/openapi.json",
    "/docs/openapi.json",
    "/v2",
    "/v2/models/people",
    "/v2/models/people/versions/1/ready",
)


@dataclass
class Secured:
    """A server, and keys for it."""

    address: str
    all: str
    notes: str
    production: str
    admin: str

    def get(self, path: str, key: str = "", status: int = 200) -> requests.Response:
        answer = requests.get(self.address + path, headers={"X-API-Key": key} if key else {}, timeout=30)
        assert answer.status_code == status, answer.text
        return answer


@pytest.fixture(scope="module")
def secured(serve: Serve, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    folder = tmp_path_factory.mktemp("secured")

    def made(name: str, scope: str) -> str:
        command = [sys.executable, "-m", "serving", "keys", "add", name, "--scope", scope, "--file", "keys.json"]
        env = {"PYTHONPATH": str(ROOT)}
        done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=True)
        return next(word for word in done.stdout.split() if word.startswith("sk_"))

    scopes = {"all": "*", "notes": "notes", "production": "people/Production", "admin": "admin"}
    keys = {name: made(name, scope) for name, scope in scopes.items()}
    with serve(root=folder) as server:
        yield Secured(server.address, **keys)


@pytest.mark.parametrize("path", CLOSED)
def test_nothing_is_told_about_models_without_a_key(secured: Secured, path: str) -> None:
    for key in ("", "sk_wrong"):
        answer = secured.get(path, key, 401)
        assert answer.headers["www-authenticate"] == "Bearer"
        assert "people" not in answer.text


@pytest.mark.parametrize("path", OPEN)
def test_probes_need_no_key_and_name_no_model(secured: Secured, path: str) -> None:
    assert "people" not in secured.get(path).text


def test_ready_is_one_word_without_a_key_and_the_rest_with_one(secured: Secured) -> None:
    assert secured.get("/ready").json() == {"status": "ready"}
    assert list(secured.get("/ready", secured.production).json()["addresses"]) == ["people/Production"]


def test_a_key_sees_the_models_of_its_scopes_alone(secured: Secured) -> None:
    assert {one["name"] for one in secured.get("/models", secured.all).json()} == {"motion", "notes", "people"}
    assert [one["name"] for one in secured.get("/models", secured.notes).json()] == ["notes"]
    (one,) = secured.get("/models", secured.production).json()
    assert (one["version"], one["references"]) == (1, ["Production"])
    assert secured.get("/models/people", secured.production).json()["versions"] == []
    secured.get("/v2/models/people", secured.production)


@pytest.mark.parametrize("path", ["/models/{}", "/models/{}/1", "/v2/models/{}", "/v2/models/{}/versions/2/ready"])
def test_what_is_there_and_what_is_not_are_refused_alike(secured: Secured, path: str) -> None:
    there = secured.get(path.format("people"), secured.notes, 403)
    gone = secured.get(path.format("nothing"), secured.notes, 403)
    assert there.json() == gone.json()


def test_numbers_of_the_whole_server_are_for_its_administrators(secured: Secured) -> None:
    assert "serving_version" in secured.get("/metrics", secured.admin).text
    for key in (secured.all, secured.notes):
        secured.get("/metrics", key, 403)


def test_a_described_api_has_the_reader_s_models_and_says_how_keys_are_shown(secured: Secured) -> None:
    document: dict[str, Any] = secured.get("/openapi.json", secured.production).json()
    scoring = {path for path, item in document["paths"].items() if "post" in item}
    assert scoring == {
        *("/invocations", "/predict", "/api/predict"),
        *(f"/models/people/Production/{word}" for word in ("invocations", "predict")),
        *("/v2/models/people/infer", "/v2/models/people/versions/{version}/infer"),
    }
    assert "notes" not in str(document)
    assert document["components"]["securitySchemes"]["key"]["name"] == "X-API-Key"
    assert document["paths"]["/live"]["get"]["security"] == []
    assert "401" in document["paths"]["/predict"]["post"]["responses"]
    assert "/models/notes/Production/predict" in secured.get("/openapi.json", secured.notes).json()["paths"]
    assert "/predict" not in secured.get("/openapi.json", secured.notes).json()["paths"]


def test_the_pages_at_docs_ask_for_a_key_and_show_it_to_the_server(secured: Secured) -> None:
    with browsing(secured.address, complaints=("401",)) as page:
        page.goto("/docs")
        page.get_by_label("API key").fill(secured.production)
        page.get_by_role("button", name="Show").click()
        operation = page.locator(".opblock", has_text="/models/people/Production/predict").first
        operation.locator(".opblock-summary-path").click()
        operation.get_by_role("button", name="Try it out").click()
        operation.get_by_role("button", name="Execute").click()
        answered = page.locator(".live-responses-table")
        answered.wait_for()
        assert "x-model-version: people/1" in answered.inner_text()
