"""One registry for all tests of what the server withstands."""

import shutil
import sqlite3
from pathlib import Path

import pytest

from tests.serving.reliability import made
from tests.serving.reliability.made import LOGISTIC, MLP, Registry


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    return made.make(tmp_path_factory.mktemp("filled"))


@pytest.fixture
def registry(filled: Registry, tmp_path: Path) -> Registry:
    """A copy that the test may move and break, with the logistic regression in Production."""
    folder = tmp_path / "registry"
    shutil.copytree(filled.folder, folder)
    with sqlite3.connect(folder / "mlflow.db") as database:
        moved = (str(filled.folder), str(folder))
        database.execute("UPDATE model_versions SET storage_location = replace(storage_location, ?, ?)", moved)
        database.execute("UPDATE logged_models SET artifact_location = replace(artifact_location, ?, ?)", moved)
    database.close()
    copy = Registry(folder)
    copy.show(LOGISTIC, MLP)
    return copy
