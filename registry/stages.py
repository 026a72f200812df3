"""MLflow's stages and the aliases of the same names, read and written as one: all that changes when stages go."""

import warnings
from dataclasses import dataclass

from mlflow import MlflowClient

PRODUCTION, STAGING, ARCHIVED = "Production", "Staging", "Archived"
HELD = (PRODUCTION, STAGING)  # by one version at a time, with an alias

Held = dict[str, str | None]


@dataclass(frozen=True)
class Seen:
    """What MLflow shows: the version that each stage and each alias names."""

    stages: dict[str, tuple[str, ...]]
    """By stage its versions, more than one where somebody moved them by hand; empty where MLflow has no stages."""
    aliases: Held

    def shows(self, held: Held) -> bool:
        """Whether stages and aliases are these and nothing else."""
        versions = {stage: () if number is None else (number,) for stage, number in held.items()}
        return self.aliases == held and self.stages in ({}, versions)


def has_stages() -> bool:
    """Whether this MLflow still has stages."""
    return hasattr(MlflowClient, "transition_model_version_stage")


def seen(client: MlflowClient, task: str) -> Seen:
    """What MLflow shows of a registered task now."""
    aliases = client.get_registered_model(task).aliases
    found: dict[str, tuple[str, ...]] = {}
    if has_stages():
        versions = client.search_model_versions(f"name = '{task}'")
        ordered = sorted((int(one.version), one.current_stage) for one in versions)
        found = {stage: tuple(str(number) for number, at in ordered if at == stage) for stage in HELD}
    named = {stage: aliases.get(stage.lower()) for stage in HELD}
    return Seen(found, {stage: None if number is None else str(number) for stage, number in named.items()})


def show(client: MlflowClient, task: str, now: Seen, held: Held) -> None:
    """Have stages and aliases, seen as they are `now`, name the versions that are held.

    A stage changes hands in one write, so that none is ever empty or held twice in between.
    """
    inside = {number: stage for stage, numbers in now.stages.items() for number in numbers}
    for stage in now.stages:
        number = held[stage]
        others = [one for one, at in inside.items() if at == stage and one != number]
        if number is not None and (others or inside.get(number) != stage):
            _transition(client, task, number, stage)
            inside |= dict.fromkeys(others, ARCHIVED) | {number: stage}
        elif number is None:
            for one in others:
                if one not in held.values():
                    _transition(client, task, one, ARCHIVED)
    for stage, number in held.items():
        if number is None and now.aliases[stage] is not None:
            client.delete_registered_model_alias(task, stage.lower())
        elif number != now.aliases[stage]:
            client.set_registered_model_alias(task, stage.lower(), str(number))


def _transition(client: MlflowClient, task: str, version: str, stage: str) -> None:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "``mlflow.*transition_model_version_stage", FutureWarning)
        client.transition_model_version_stage(task, version, stage, archive_existing_versions=stage in HELD)
