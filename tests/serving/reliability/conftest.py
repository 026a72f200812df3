"""One registry for all tests of what the server withstands."""

import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.serving.reliability import made
from tests.serving.reliability.made import LOGISTIC, MLP, Registry


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    return made.make(tmp_path_factory.mktemp("filled"))


@pytest.fixture
def registry(filled: Registry, tmp_path: Path) -> Iterator[Registry]:
    """A copy that the test may move and break, with the logistic regression in Production."""
    folder = tmp_path / "registry"
    shutil.copytree(filled.folder, folder)
    with sqlite3.connect(folder / "mlflow.db") as database:
        for column in ("model_versions.storage_location", "logged_models.artifact_location"):
            table, name = column.split(".")
            database.execute(f"UPDATE {table} SET {name} = replace({name}, ?, ?)", (str(filled.folder), str(folder)))
    database.close()
    copy = Registry(folder)
    copy.show(LOGISTIC, MLP)
    yield copy
