"""What a registered model's page in MLflow says: what is in Production and Staging, and the latest moves."""

from mlflow import MlflowClient

from registry.history import Move, State
from registry.markdown import spaced, table, text

MOVES = 8
LONGEST_REASON = 120


def write(client: MlflowClient, task: str, state: State) -> None:
    """Describe a task's registered model as its history stands."""
    client.update_registered_model(task, markdown(task, state))


def markdown(task: str, state: State) -> str:
    """A sentence on each stage, and a table of the latest moves, the last first."""
    rows = [row for move in reversed(state.moves[-MOVES:]) for row in _rows(move)]
    moves = table(("when (UTC)", "stage", "from", "to", "by", "why"), rows, len(rows))
    stages = f"**Production** is {_version(task, state.production)}, **Staging** {_version(task, state.staging)}."
    return f"{stages}\n\n{spaced(moves)}\n\nAll moves: `python -m registry history {task}`."


def _version(task: str, number: str | None) -> str:
    return f"[version {number}](#/models/{task}/versions/{number})" if number else "empty"


def _rows(move: Move) -> list[tuple[str, ...]]:
    when, why = move.when[:16].replace("T", " "), text(f"{move.kind}: {move.why}", LONGEST_REASON)
    return [(when, stage, old or "", new or "", text(move.who), why) for stage, (old, new) in move.changes.items()]
