"""Moving stages: a move is decided by its entry in the history, then shown by MLflow's stages and aliases.

A process that dies in between leaves an entry that MLflow does not show yet; the next command shows it. What somebody
changed in MLflow itself is taken over and noted as made outside.
"""

from collections.abc import Callable

from mlflow import MlflowClient
from tenacity import Retrying, retry_if_result, stop_after_delay, wait_random_exponential

from registry import page, stages
from registry.history import OUTSIDE, History, Move, State, who
from registry.stages import HELD, STAGING, Held, Seen

LEASE = 10.0  # seconds that a process may take to show its move before others do it
PAUSE = wait_random_exponential(0.1, max=1)  # seconds between two looks

Plan = Callable[[State], Move | None]


def settle(client: MlflowClient, task: str) -> State:
    """Where a task's stages stand, once MLflow and the history say the same.

    The move of a process that died is finished, what was changed in MLflow by hand becomes a move of its own.
    """
    return _settled(History(client, task))[0]


def make(client: MlflowClient, task: str, plan: Plan) -> State:
    """Make the move that `plan` gives for where the stages stand; of several processes one after the other.

    Args:
        client: of the registry.
        task: whose stages move.
        plan: asked again where another process was first; None, or no change, moves nothing.
    """
    history = History(client, task)
    while True:
        state, now = _settled(history)
        move = plan(state)
        if move is None or not move.changes:
            return state
        if history.append(len(state.moves) + 1, move):
            return _show(history, state.then(move), now)


def _settled(history: History) -> tuple[State, Seen]:
    while True:
        state = history.state()
        if state.done < len(state.moves):
            _await(history, state)
            continue
        now = stages.seen(history.client, history.task)
        if now.shows(state.held):
            return state, now
        outside = _outside(state, now)
        if history.append(len(state.moves) + 1, outside):
            _show(history, state.then(outside), now)


def _await(history: History, state: State) -> None:
    """Wait for the process that is about to show its move; do it in its place if it died or takes too long."""

    def waiting() -> bool:
        if state.moves[-1].abandoned:
            return False
        return history.state().done < len(state.moves)

    patience = Retrying(
        retry=retry_if_result(bool),
        wait=PAUSE,
        stop=stop_after_delay(LEASE),
        retry_error_callback=lambda _: None,
    )
    patience(waiting)
    if history.state().done >= len(state.moves):
        return
    now = stages.seen(history.client, history.task)
    if _explained(state, now):
        _show(history, state, now)
    else:
        history.mark_done(len(state.moves))


def _show(history: History, state: State, now: Seen) -> State:
    """Have MLflow show the last move; again where others moved on meanwhile, so that no older one stays."""
    while True:
        stages.show(history.client, history.task, now, state.held)
        page.write(history.client, history.task, state)
        history.mark_done(len(state.moves))
        latest = history.state()
        if len(latest.moves) == len(state.moves):
            return state
        state, now = latest, stages.seen(history.client, history.task)


def _explained(state: State, now: Seen) -> bool:
    """Whether all that MLflow shows is from before or after the last move, so that nobody changed it since."""
    last = state.moves[-1].changes
    for stage in HELD:
        old, new = last.get(stage, (state.held[stage],) * 2)
        known = {old, new}
        if now.aliases[stage] not in known | {None} or not {*now.stages.get(stage, ())} <= known:
            return False
    return True


def _outside(state: State, now: Seen) -> Move:
    """The move that somebody made in MLflow itself, or what has to be set back of it."""
    wanted: Held = {}
    refused: list[str] = []
    for stage in HELD:
        held, alias = state.held[stage], now.aliases[stage]
        at = now.stages.get(stage, () if alias is None else (alias,))
        others = [number for number in at if number != held] if now.stages else []
        if others:
            wanted[stage] = others[-1]
        elif held is not None and held not in at and (now.stages or alias is None):
            wanted[stage] = None
        elif alias == held:
            continue
        elif alias is None or (stage == STAGING and alias == state.production):
            refused.append(stage)
        else:
            wanted[stage] = alias
    changes = state.changes(wanted)
    if changes:
        parts = [f"{stage} was set to {_named(new)} in MLflow" for stage, (_, new) in changes.items()]
    else:
        changes = {stage: (state.held[stage],) * 2 for stage in refused}
        parts = [
            f"the alias {stage.lower()} was set to {_named(now.aliases[stage])} in MLflow and is back"
            for stage in refused
        ]
    about = [number for change in changes.values() for number in reversed(change) if number]
    return Move(OUTSIDE, about[0], changes, ", ".join(parts), who=f"unknown, noticed by {who()}")


def _named(number: str | None) -> str:
    return f"version {number}" if number else "no version"
