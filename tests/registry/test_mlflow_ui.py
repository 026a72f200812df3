"""What a person sees of a task in MLflow's pages, in a real browser."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import mlflow
import pytest
from mlflow import MlflowClient
from playwright.sync_api import Page, expect

from data import params
from registry.register import Entry, register
from tests import mlflow_ui
from tests.servers.started import Server, lacking
from tests.servers.tracking import clear

pytestmark = pytest.mark.xdist_group("servers")
expect.set_options(timeout=mlflow_ui.PATIENCE)


@pytest.fixture(scope="module")
def entries(trained: Path, postgres_server: Server, tmp_path_factory: pytest.TempPathFactory) -> list[Entry]:
    """Two candidates that are registered on the tracking server, the better one first."""
    if mlflow_ui.chromium() is None:
        lacking("Chromium (Debian's chromium)")
    folder = tmp_path_factory.mktemp("ui") / "project"
    shutil.copytree(trained, folder)
    clear(postgres_server.address)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        mlflow.set_tracking_uri(postgres_server.address)
        return register(params.load(), "churn")


@pytest.fixture(scope="module")
def page(entries: list[Entry], postgres_server: Server) -> Iterator[Page]:
    """A tab for MLflow's pages, which ask nobody but the tracking server."""
    with mlflow_ui.browsing(postgres_server.address) as page:
        asked: set[str] = set()
        page.on("request", lambda request: asked.add(request.url))
        yield page
        assert not [url for url in asked if not url.startswith((postgres_server.address, "data:", "blob:"))]


@pytest.fixture(autouse=True)
def _left(page: Page) -> None:
    """Leave the page of the test before, which may still be on its way somewhere."""
    page.goto("about:blank")


def row(page: Page, first: str) -> str:
    """What the row of a table says that has `first` in a cell or link of its own."""
    found = page.get_by_role("row").filter(has=page.get_by_text(first, exact=True)).first
    expect(found).to_be_visible()
    return " ".join(found.inner_text().split())


def test_the_runs_of_a_task_are_compared_side_by_side_by_metric_and_parameter(page: Page, entries: list[Entry]) -> None:
    page.goto("/#/experiments")
    page.get_by_role("link", name="churn", exact=True).click()
    expect(page.get_by_text("Predicts churned (no, yes) from 3 columns.")).to_be_visible()
    expect(page.get_by_text("2 matching runs")).to_be_visible()
    for entry in entries:
        name = f"{entry.candidate.model} {entry.candidate.digest[:8]}"
        expect(page.get_by_role("link", name=name)).to_be_visible()
        page.get_by_role("row").filter(has_text=name).get_by_role("checkbox").first.click()
    page.get_by_role("button", name="Compare", exact=True).click()
    expect(page.get_by_text("Comparing 2 Runs from 1 Experiment")).to_be_visible()
    for entry in entries:
        expect(page.get_by_role("cell", name=f"{entry.candidate.model} {entry.candidate.digest[:8]}")).to_be_visible()
        auc = f"{round(entry.candidate.test['auc'].value, 3):g}"
        expect(page.get_by_text(auc, exact=True).first).to_be_visible()
    expect(page.get_by_text("test/auc", exact=True).first).to_be_visible()
    assert row(page, "bins") == "bins 2"  # the other has none
    assert row(page, "max_iter") == "max_iter 200 200"
    parameters = page.locator("body").inner_text().split("Show diff only")[1]
    assert not [word for word in ("none", "/", "{") if word in parameters.partition("Metrics")[0]]


def test_a_run_says_by_what_it_was_made_from_which_data_and_as_which_version(page: Page, entries: list[Entry]) -> None:
    experiment = MlflowClient().get_run(str(entries[0].version.run_id)).info.experiment_id
    page.goto(f"/#/experiments/{experiment}/runs/{entries[0].version.run_id}")
    for said in ("python -m training train churn-logistic", "churn (", "v1"):
        expect(page.get_by_text(said).first).to_be_visible()


def test_a_registered_model_shows_its_versions_aliases_stages_tags_and_description(
    page: Page, entries: list[Entry]
) -> None:
    page.goto("/#/models")
    expect(page.get_by_role("heading", name="Registered Models")).to_be_visible()
    page.get_by_role("link", name="churn", exact=True).click()
    expect(page.get_by_text("Production is version 1, Staging version 2.")).to_be_visible()
    assert "@ production" in row(page, "Version 1")
    assert "@ staging" in row(page, "Version 2")
    page.get_by_role("link", name="Version 1", exact=True).click()
    expect(page.get_by_text("Stage (deprecated)")).to_be_visible()
    shown = " ".join(page.locator("body").inner_text().split())
    assert "Aliases : @ production Stage (deprecated) : Production" in shown
    assert "churn-logistic" in shown.partition("Description")[2].partition("Tags")[0]
    assert row(page, "graph.digest").split() == ["graph.digest", entries[0].candidate.digest]
    assert row(page, "verdict.reason").split() == ["verdict.reason", *entries[0].version.tags["verdict.reason"].split()]
    page.get_by_role("link", name="churn-logistic", exact=True).click()
    expect(page.get_by_text("About this logged model")).to_be_visible()
    expect(page.get_by_text("Not registered")).not_to_be_visible()
    expect(page.get_by_text("v1", exact=True)).to_be_visible()
