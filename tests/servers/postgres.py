"""A PostgreSQL server of the tests' own."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import URL, create_engine

from tests.servers.started import free_port, lacking

USER, PASSWORD = "mlflow", "s3cret/@:word"
QUICK = "-c fsync=off -c full_page_writes=off -c shared_buffers=16MB"  # safe from all but a power cut


class Postgres:
    """A cluster in a folder, which listens on a port of its own."""

    def __init__(self, programs: Path, folder: Path) -> None:
        """Make the cluster and start it."""
        self.programs, self.data, self.port = programs, folder / "data", free_port()
        password = folder / "password"
        password.write_text(PASSWORD, encoding="utf-8")
        if os.getuid() == 0:  # as which PostgreSQL refuses to run
            for path in (folder, password):
                shutil.chown(path, "postgres")
        self._run("initdb", "--username", USER, "--pwfile", str(password), "--auth=scram-sha-256", "--no-sync")
        options = f"-p {self.port} -k {folder} -c listen_addresses=127.0.0.1 {QUICK}"
        self._start = ("start", "--wait", "--log", str(folder / "log"), "--options", options)
        self.start()

    def start(self) -> None:
        """Start it, and return when it takes connections."""
        self._run("pg_ctl", *self._start)

    def stop(self) -> None:
        """Stop it as a crash does: open connections are cut."""
        self._run("pg_ctl", "stop", "--wait", "--mode", "immediate")

    def restart(self) -> None:
        """Stop and start it."""
        self.stop()
        self.start()

    def url(self, database: str) -> str:
        """The SQLAlchemy URL of a database."""
        address = URL.create("postgresql+psycopg2", USER, PASSWORD, "127.0.0.1", self.port, database)
        return address.render_as_string(hide_password=False)

    def create(self, database: str) -> str:
        """The URL of a database that is made."""
        engine = create_engine(self.url("postgres"), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.exec_driver_sql(f'CREATE DATABASE "{database}"')
        engine.dispose()
        return self.url(database)

    def _run(self, program: str, *arguments: str) -> None:
        as_who = ["runuser", "-u", "postgres", "--"] if os.getuid() == 0 else []
        command = [*as_who, str(self.programs / program), "--pgdata", str(self.data), *arguments]
        done = subprocess.run(command, cwd="/", capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A running PostgreSQL, empty."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if not found:
        lacking("PostgreSQL (Debian's postgresql)")
    with tempfile.TemporaryDirectory(prefix="postgres-") as folder:  # not pytest's own, which is root's alone
        server = Postgres(found[-1].parent, Path(folder))
        try:
            yield server
        finally:
            server.stop()
