"""The pages at `/docs`, in a real browser."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import requests
from playwright.sync_api import Page, expect, sync_playwright

from tests.mlflow_ui import QUIET, chromium
from tests.servers.started import lacking

pytestmark = pytest.mark.xdist_group("describe")

PATIENCE = 20_000  # milliseconds


@contextmanager
def browsing(address: str, complaints: tuple[str, ...] = ()) -> Iterator[Page]:
    """A tab that asks nobody but the server, and whose console stays empty but for complaints that are foreseen."""
    if chromium() is None:
        lacking("Chromium (Debian's chromium)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=list(QUIET))
        page = browser.new_page(base_url=address, viewport={"width": 1300, "height": 1000})
        page.set_default_timeout(PATIENCE)
        expect.set_options(timeout=PATIENCE)
        asked: set[str] = set()
        said: list[str] = []
        page.on("request", lambda request: asked.add(request.url))
        page.on("console", lambda message: said.append(message.text) if message.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: said.append(str(error)))
        yield page
        browser.close()
    assert not [url for url in asked if not url.startswith((f"{address}/", "data:", "blob:"))]
    assert not [one for one in said if not any(word in one for word in complaints)]


def test_the_example_of_an_operation_is_answered_where_it_is_tried_out(running: str) -> None:
    with browsing(running) as page:
        page.goto("/docs")
        operation = page.locator(".opblock", has_text="/models/people/Production/predict").first
        operation.locator(".opblock-summary").click()
        operation.get_by_role("button", name="Try it out").click()
        operation.get_by_role("button", name="Execute").click()
        answer = operation.locator(".live-responses-table")
        expect(answer).to_contain_text("x-model-version: people/1")
        expect(answer).to_contain_text('"prediction"')
        expect(answer).to_contain_text('"probabilities"')
        for path in ("/invocations", "/models/notes/@champion/predict", "/v2/models/motion/infer", "/ready"):
            expect(page.locator(".opblock-summary-path", has_text=path).first).to_be_visible()


def test_the_page_lets_nothing_be_fetched_from_elsewhere_and_its_files_are_kept(running: str) -> None:
    page = requests.get(f"{running}/docs", timeout=30)
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in page.text.replace("https://", "").replace("<!doctype html>", "")
    path = page.text.split('<script src="')[1].split('"')[0]
    file = requests.get(f"{running}/{path}", timeout=30)
    assert (file.status_code, file.headers["content-type"]) == (200, "text/javascript; charset=utf-8")
    assert "immutable" in file.headers["cache-control"]
    assert requests.get(f"{running}/{path.rpartition('/')[0]}/index.html", timeout=30).status_code == 404
