"""What a registered model's page in MLflow says: what is in Production and Staging, and the latest moves."""

from mlflow import MlflowClient

from registry.history import Move, State

MOVES = 8
LONGEST_REASON = 120


def write(client: MlflowClient, task: str, state: State) -> None:
    """Describe a task's registered model as its history stands."""
    client.update_registered_model(task, markdown(task, state))


def markdown(task: str, state: State) -> str:
    """A sentence on each stage, and a table of the latest moves, the last first."""
    lines = [
        f"**Production** is {_version(task, state.production)}, **Staging** {_version(task, state.staging)}.",
        "",
        "| when (UTC) | stage | from | to | by | why |",
        "| --- | --- | --- | --- | --- | --- |",
        *(row for move in reversed(state.moves[-MOVES:]) for row in _rows(move)),
        "",
        f"All moves: `python -m registry history {task}`.",
    ]
    return "\n".join(lines)


def _version(task: str, number: str | None) -> str:
    return f"[version {number}](#/models/{task}/versions/{number})" if number else "empty"


def _rows(move: Move) -> list[str]:
    why = " ".join(f"{move.kind}: {move.why}".split()).replace("|", "\\|")
    short = why if len(why) <= LONGEST_REASON else why[: LONGEST_REASON - 1] + "…"
    when = move.when[:16].replace("T", " ")
    return [
        f"| {when} | {stage} | {old or ''} | {new or ''} | {move.who} | {short} |"
        for stage, (old, new) in move.changes.items()
    ]
