"""MLflow's pages in a real browser, as a person sees them who came before."""

import json
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from playwright.sync_api import Page, sync_playwright

PATIENCE = 60_000  # milliseconds for a page to show what is asked of it
QUIET = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update")
KNOWN = {  # what MLflow's pages remember in the browser, so that they do not open with a chat and an announcement
    "mlflow.workflowType_v1": '"machine_learning"',
    "mlflow.assistant.fab.autoOpenedOnFirstLoad_v1": "true",
    "_mlflow_model_registry_promo_modal_dismissed_v1": "true",
}


def chromium() -> str | None:
    """Where Debian's Chromium is, if it is installed."""
    return shutil.which("chromium")


@contextmanager
def browsing(address: str, width: int = 1300, height: int = 1000) -> Iterator[Page]:
    """A tab of a browser for the pages of the tracking server at `address`."""
    kept = [{"name": name, "value": value} for name, value in KNOWN.items()]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=list(QUIET))
        page = browser.new_page(
            base_url=address,
            viewport={"width": width, "height": height},
            storage_state={"cookies": [], "origins": [{"origin": address, "localStorage": kept}]},  # type: ignore[typeddict-item]
        )
        page.set_default_timeout(PATIENCE)
        yield page
        browser.close()


def comparison(experiment: str, runs: Iterable[str]) -> str:
    """The path of the page that compares runs."""
    return f"/#/compare-runs?runs={json.dumps(list(runs))}&experiments={json.dumps([experiment])}"
