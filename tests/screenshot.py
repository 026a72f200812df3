"""Take the README's picture of MLflow's compare page from the store in this folder: `make screenshot`."""

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import requests
from mlflow import MlflowClient
from playwright.sync_api import sync_playwright

TASK = "flights"
PORT = 5063
PICTURE = Path("registry/compare.png")
CHROMIUM = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update")
SIZE = {"width": 1000, "height": 1380}


def main() -> None:
    """Compare the runs of the versions in Production and Staging."""
    browser_path = shutil.which("chromium") or sys.exit("error: no chromium on PATH; install Debian's chromium")
    client = MlflowClient()
    versions = client.search_model_versions(f"name = '{TASK}'")
    runs = [version.run_id for version in versions if version.current_stage in ("Production", "Staging")]
    experiment = client.get_experiment_by_name(TASK)
    if experiment is None or len(runs) < 2:
        sys.exit(f"error: MLflow has fewer than two versions of {TASK} in a stage; run `make repro` first")
    query = f"runs={json.dumps(runs)}&experiments={json.dumps([experiment.experiment_id])}"
    server = subprocess.Popen(
        ["mlflow", "ui", "--host", "127.0.0.1", "--port", str(PORT)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        address = f"http://127.0.0.1:{PORT}"
        wait_for(address)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=browser_path, args=list(CHROMIUM))
            page = browser.new_page(viewport=SIZE)
            page.goto(f"{address}/#/compare-runs?{query}", wait_until="commit")
            page.get_by_text("Run details").first.wait_for(timeout=60_000)
            page.get_by_text("MLflow Assistant").locator("xpath=following::button[3]").click()
            page.locator(".js-plotly-plot").first.wait_for(timeout=60_000)
            page.wait_for_timeout(1500)
            page.screenshot(path=PICTURE)
    finally:
        server.terminate()
    print(f"{PICTURE}: {PICTURE.stat().st_size // 1024} KB")


def wait_for(address: str) -> None:
    """Return once the server answers."""
    for _ in range(240):
        try:
            if requests.get(f"{address}/health", timeout=2).ok:
                return
        except requests.RequestException:
            time.sleep(0.25)
    sys.exit(f"error: {address} does not answer")


if __name__ == "__main__":
    main()
