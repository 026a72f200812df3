"""Take the README's pictures of MLflow's pages from the store in this folder: `make screenshot`."""

import os
import sys
from pathlib import Path

import mlflow
from mlflow import MlflowClient
from playwright.sync_api import Page

from tests import mlflow_ui
from tests.servers.started import Server, free_port

TASK = "flights"
PICTURES = Path("registry")
LARGEST = 300  # KB that a picture may have
WIDTH, HEIGHT = 1200, 1500


def main() -> None:
    """The runs of the versions in Production and Staging side by side, the registered model, its Production version."""
    if mlflow_ui.chromium() is None:
        sys.exit("error: no chromium on PATH; install Debian's chromium")
    client = MlflowClient()
    by_stage = {one.current_stage: one for one in client.search_model_versions(f"name = '{TASK}'")}
    held = [by_stage[stage] for stage in ("Production", "Staging") if stage in by_stage]
    if len(held) < 2:
        sys.exit(f"error: MLflow has no version of {TASK} in Production or none in Staging; run `make repro` first")
    experiment = client.get_run(str(held[0].run_id)).info.experiment_id
    production = held[0].version
    with _server() as server, mlflow_ui.browsing(server.address, WIDTH, HEIGHT) as page:
        page.goto(mlflow_ui.comparison(experiment, [str(one.run_id) for one in held]))
        page.get_by_text("Visualizations").click()  # of parameters that only one of two families has
        page.get_by_text("test/accuracy", exact=True).first.wait_for()
        _take(page, "compare")
        page.goto(f"{server.address}/#/models/{TASK}")
        page.get_by_role("link", name=f"Version {production}", exact=True).wait_for()
        _take(page, "model")
        page.goto(f"{server.address}/#/models/{TASK}/versions/{production}")
        page.get_by_text("Stage (deprecated)").wait_for()
        _take(page, "version")


def _server() -> Server:
    port, folder = free_port(), Path.cwd()
    command = ["mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", mlflow.get_tracking_uri()]
    return Server(command, port, Path(os.devnull), folder, os.environ)


def _take(page: Page, name: str) -> None:
    page.wait_for_timeout(2000)  # for what moves into its place
    picture = PICTURES / f"{name}.png"
    page.screenshot(path=picture)
    size = picture.stat().st_size // 1000
    print(f"{picture}: {size} KB")
    if size > LARGEST:
        sys.exit(f"error: {picture} has {size} KB, expected {LARGEST} at most; show less of the page")


if __name__ == "__main__":
    main()
