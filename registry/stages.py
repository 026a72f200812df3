"""Stages and the aliases of the same names, set together: all that changes when MLflow drops stages."""

import warnings

from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion

PRODUCTION, STAGING = "Production", "Staging"
HELD = (PRODUCTION, STAGING)  # by one version at a time, with an alias


def current(client: MlflowClient, task: str, stage: str) -> ModelVersion | None:
    """The version in a stage, or None."""
    held = [version for version in client.search_model_versions(f"name = '{task}'") if version.current_stage == stage]
    return max(held, key=lambda version: int(version.version), default=None)


def put(client: MlflowClient, task: str, version: str, stage: str) -> None:
    """Put a version into Production or Staging; what was there before is archived."""
    _transition(client, task, version, stage)
    reconcile(client, task)


def reconcile(client: MlflowClient, task: str) -> None:
    """Have each alias name the version that is in its stage, as after a process that was killed in between."""
    aliases = client.get_registered_model(task).aliases
    for stage in HELD:
        alias, version = stage.lower(), current(client, task, stage)
        if version is None and alias in aliases:
            client.delete_registered_model_alias(task, alias)
        elif version is not None and str(aliases.get(alias)) != str(version.version):
            client.set_registered_model_alias(task, alias, version.version)


def _transition(client: MlflowClient, task: str, version: str, stage: str) -> None:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "``mlflow.*transition_model_version_stage", FutureWarning)
        client.transition_model_version_stage(task, version, stage, archive_existing_versions=True)
