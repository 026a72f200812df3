"""What a person decides: putting a version into a stage whatever the gate said, and going back."""

import tempfile
from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion

from data.errors import InputError
from registry import moves, verdicts, versions
from registry.history import PROMOTION, ROLLBACK, Move, State
from registry.stages import PRODUCTION, STAGING
from registry.verdicts import BETTER, VERDICT_TAG


def promote(client: MlflowClient, version: ModelVersion, stage: str, why: str) -> State:
    """Put a version into a stage; what was in Production is archived.

    Raises:
        InputError: its graph was altered, there is no reason, or Production would be left empty.
    """
    task, number = version.name, str(version.version)
    _check(version, why)
    verdict, evidence = version.tags.get(VERDICT_TAG, ""), verdicts.evidence(client, version)
    against = evidence.champion if evidence else "what was there"

    def overrides(state: State) -> str:
        holder = verdicts.name(state.production)
        if stage == STAGING or (verdict == BETTER and against == holder):
            return ""
        said = f"better than {against}, not than {holder}" if verdict == BETTER else verdict or "nothing"
        return f" (overrides: the gate said {said})"

    def plan(state: State) -> Move:
        if stage == STAGING and state.production == number:
            raise InputError(
                f"{task}: version {number} is in Production, which this would leave empty; put another version "
                f'there first: python -m registry promote {task} VERSION --to Production --why "…"'
            )
        return Move(PROMOTION, number, state.changes({stage: number}), why + overrides(state), verdict)

    return moves.make(client, task, plan)


def rollback(client: MlflowClient, task: str, known: list[ModelVersion], why: str) -> str:
    """Put what was in Production before back; the number of the version that is there then.

    Versions that were deleted since are passed over.

    Raises:
        InputError: nothing was in Production before, its graph was altered, or there is no reason.
    """
    by_number = {str(version.version): version for version in known}

    def plan(state: State) -> Move:
        number = next((one for one in reversed(state.before) if one in by_number), None)
        if number is None:
            raise InputError(
                f"{task}: nothing that is still registered was in Production before "
                f"{'version ' + state.production if state.production else 'now'}; "
                f'put a version there: python -m registry promote {task} VERSION --to {PRODUCTION} --why "…"'
            )
        _check(by_number[number], why)
        verdict = by_number[number].tags.get(VERDICT_TAG, "")
        return Move(ROLLBACK, number, state.changes({PRODUCTION: number}), why, verdict)

    return str(moves.make(client, task, plan).production)


def _check(version: ModelVersion, why: str) -> None:
    if not why.strip():
        raise InputError('--why is empty; say why, as the history keeps it: --why "…"')
    with tempfile.TemporaryDirectory() as folder:
        versions.graph(version, Path(folder))
