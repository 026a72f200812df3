"""The servers that are measured, and how each is started."""

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.serving.load import Body

FAMILIES = ("logistic", "mlp")
OURS, MLFLOW, TWO, GRAPH, NAIVE, ECHO = (
    "this server",
    "MLflow, native model",
    "MLflow, native model, 2 workers",
    "MLflow, same graph",
    "Flask, pickle, gunicorn",
    "echo",
)
WORKERS = 2
HOST = "127.0.0.1"
TASK = "flights"
ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Models:
    """What the servers are started with, and what they are asked."""

    registry: str
    """The tracking URI of the project's registry."""
    versions: dict[str, str]
    """The number of each family's newest version there."""
    registries: dict[str, str]
    """Tracking URIs of copies of it, each with that version of a family in Production."""
    store: str
    """The tracking URI of a store of the native models alone, each named after its family, version 1."""
    pickles: dict[str, Path]
    """Of the families that are scikit-learn pipelines."""
    classes: tuple[str, ...]
    bodies: dict[tuple[str, int], Body]
    """By layout (split, records, parquet) and rows."""


@dataclass(frozen=True)
class Server:
    """One server of the table; `{port}` in its command is where it is to listen."""

    name: str
    family: str
    """Empty for the floor, which has no model."""
    command: tuple[str, ...]
    env: dict[str, str] = field(default_factory=dict)
    path: str = "/invocations"
    layouts: tuple[str, ...] = ("split", "parquet")
    many_rows: bool = True
    """Whether requests of very many rows are measured too."""
    tries: int = 1
    """Slices of which the best counts, where all connections may land on one of several workers."""

    def __str__(self) -> str:
        return f"{self.name} ({self.family})" if self.family else self.name


def prepare(folder: Path) -> Models:
    """Models and requests; for a process that ends before servers start, with whose libraries it would share memory."""
    from benchmarks.serving import models

    return models.prepare(TASK, folder)


def uvicorn(app: str) -> tuple[str, ...]:
    """The command of an ASGI application under uvicorn as this project runs it."""
    options = ("--loop", "uvloop", "--http", "httptools", "--ws", "none", "--lifespan", "off", "--workers", "1")
    quiet = ("--no-access-log", "--log-level", "warning", "--no-server-header", "--no-date-header")
    return (sys.executable, "-m", "uvicorn", app, "--host", HOST, "--port", "{port}", *options, *quiet)


def of(models: Models) -> Iterator[Server]:
    """All servers, the floor first."""
    yield Server(ECHO, "", uvicorn("benchmarks.serving.echo:app"), layouts=("split",))
    project, natives = ({"MLFLOW_TRACKING_URI": uri} for uri in (models.registry, models.store))
    for family in FAMILIES:
        version = f"{TASK}/{models.versions[family]}"
        ours = ("-m", "serving", "--default", f"{TASK}/Production", "--port", "{port}", "--workers", "1")
        yield Server(OURS, family, (sys.executable, *ours), {"MLFLOW_TRACKING_URI": models.registries[family]})
        yield Server(MLFLOW, family, _mlflow(f"models:/{family}/1", 1), natives)
        yield Server(TWO, family, _mlflow(f"models:/{family}/1", WORKERS), natives, many_rows=False, tries=2)
        yield Server(GRAPH, family, _mlflow(f"models:/{version}", 1), project)
        if family in models.pickles:
            options = ("--bind", HOST + ":{port}", "--workers", str(WORKERS), "benchmarks.serving.naive:app")
            env = {"MODEL": str(models.pickles[family])}
            yield Server(NAIVE, family, (sys.executable, "-m", "gunicorn", *options), env, "/predict", ("records",))


def _mlflow(uri: str, workers: int) -> tuple[str, ...]:
    address = ("--host", HOST, "--port", "{port}", "--workers", str(workers))
    return (sys.executable, "-m", "mlflow", "models", "serve", "-m", uri, "--env-manager", "local", *address)


def environment(server: Server) -> dict[str, str]:
    """The variables that a server is started with, wherever; MLflow looks for this Python's uvicorn in the path."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    always = {"PATH": path, "PYTHONPATH": str(ROOT), "MLFLOW_DISABLE_TELEMETRY": "true"}
    return {**os.environ, **always, **server.env}
