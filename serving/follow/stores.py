"""MLflow's registry, read without importing MLflow, which takes seconds and hundreds of megabytes."""

import os
from typing import Protocol

from serving.follow.state import Version

WANTED = ("graph.digest", "family", "model", "data.digest", "git.commit")
DEFAULT = "sqlite:///mlflow.db"


class Unreachable(Exception):
    """The registry gives no answer; the message is one line."""


class Store(Protocol):
    """A registry that can be asked again and again."""

    def versions(self) -> tuple[Version, ...]:
        """All versions of all registered models.

        Raises:
            Unreachable: there is no answer.
        """


def address() -> str:
    """The registry that MLflow itself would use: MLFLOW_REGISTRY_URI, MLFLOW_TRACKING_URI or ./mlflow.db."""
    return os.environ.get("MLFLOW_REGISTRY_URI") or os.environ.get("MLFLOW_TRACKING_URI") or DEFAULT


def at(registry: str) -> Store:
    """The store behind a registry's address.

    Raises:
        ValueError: MLflow's form of address is none that has a registry.
    """
    scheme = registry.partition(":")[0].partition("+")[0]
    if scheme in ("http", "https"):
        from serving.follow.server import TrackingServer

        return TrackingServer(registry)
    if scheme in ("sqlite", "postgresql", "postgres", "mysql", "mssql"):
        from serving.follow.database import Database

        return Database(registry)
    raise ValueError(
        f"registry {registry!r} has no scheme that is known; expected sqlite:///…, postgresql://…, mysql://…, "
        "mssql://…, http://… or https://…; set MLFLOW_TRACKING_URI"
    )
