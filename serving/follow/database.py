"""A registry in a database: SQLite through the standard library, others through SQLAlchemy."""

import os
import sqlite3
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

from serving.follow.state import Version
from serving.follow.stores import WANTED, Unreachable

Ask = Callable[[str], list[Any]]

VERSIONS = (
    "SELECT name, version, current_stage, COALESCE(storage_location, source), run_id FROM model_versions"
    " WHERE current_stage <> 'Deleted_Internal' AND name NOT IN"
    " (SELECT name FROM registered_model_tags WHERE {key} = 'mlflow.prompt.is_prompt')"
)
ALIASES = "SELECT name, version, alias FROM registered_model_aliases WHERE 1 = 1"
TAGS = "SELECT name, version, {key}, value FROM model_version_tags WHERE {key} IN {wanted}"


class Database:
    """MLflow's tables."""

    def __init__(self, uri: str) -> None:
        self.uri = uri
        self.ask: Ask | None = None
        self.workspace = ""
        self.key = "key"

    def versions(self) -> tuple[Version, ...]:
        """All versions of all registered models."""
        try:
            if self.ask is None:
                self._connect()
            return self._read()
        except Exception as error:  # of any driver; the next call connects anew
            self.ask = None
            raise Unreachable(" ".join(str(error).split())[:300]) from None

    def _connect(self) -> None:
        if self.uri.startswith("sqlite"):
            self.ask = _sqlite(self.uri)
        else:
            self.ask, self.key = _sqlalchemy(self.uri)
        try:
            self.ask("SELECT workspace FROM model_versions WHERE 1 = 0")
        except Exception:  # MLflow before 3.10 has no workspaces
            self.workspace = ""
            return
        name = os.environ.get("MLFLOW_WORKSPACE") or "default"
        self.workspace = f" AND workspace = '{name.replace(chr(39), '')}'"

    def _read(self) -> tuple[Version, ...]:
        assert self.ask is not None  # noqa: S101
        tags: dict[tuple[str, int], dict[str, str]] = defaultdict(dict)
        aliases: dict[tuple[str, int], list[str]] = defaultdict(list)
        for name, number, key, value in self.ask(TAGS.format(key=self.key, wanted=WANTED) + self.workspace):
            tags[name, int(number)][key] = value
        for name, number, alias in self.ask(ALIASES + self.workspace):
            aliases[name, int(number)].append(alias)
        return tuple(
            Version(
                name,
                int(number),
                "" if stage in (None, "None") else stage,
                tuple(sorted(aliases[name, int(number)])),
                location or "",
                run_id or "",
                tags[name, int(number)],
            )
            for name, number, stage, location, run_id in self.ask(VERSIONS.format(key=self.key) + self.workspace)
        )


def _sqlite(uri: str) -> Ask:
    path = Path(uri.partition(":///")[2].partition("?")[0])
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    connection = sqlite3.connect(
        f"file:{quote(str(path.absolute()))}?mode=ro", uri=True, timeout=1, check_same_thread=False
    )
    inode = path.stat().st_ino

    def ask(query: str) -> list[Any]:
        if path.stat().st_ino != inode:
            raise FileNotFoundError(f"{path} was replaced")
        return connection.execute(query).fetchall()

    return ask


def _sqlalchemy(uri: str) -> tuple[Ask, str]:
    import sqlalchemy

    engine = sqlalchemy.create_engine(uri, pool_pre_ping=True, pool_size=1)

    def ask(query: str) -> list[Any]:
        with engine.connect() as connection:
            return list(connection.execute(sqlalchemy.text(query)))

    return ask, engine.dialect.identifier_preparer.quote_identifier("key")
