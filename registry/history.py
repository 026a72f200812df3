"""The history of a task's stages: moves that are only ever appended, kept in MLflow, from which the stages follow.

It is a run of the experiment `stage history`, one for each task. Each move is a parameter of that run, named by its
number: MLflow never changes a parameter, so that of two writers of one number the first wins, whatever the backend.
"""

import json
import os
import socket
import time
import uuid
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import LifecycleStage, Run, ViewType
from mlflow.exceptions import MlflowException

from data.errors import InputError
from registry.stages import HELD, PRODUCTION, STAGING, Held
from training import tracking

EXPERIMENT = "stage history"
DONE = "moves.done"
WHO = "REGISTRY_WHO"
GATE, PROMOTION, ROLLBACK, OUTSIDE = "gate", "promotion", "rollback", "outside"
LONGEST_WHY = 1000
NOTE = "Every move of a stage of this task, oldest first, as `python -m registry history` lists it. Do not edit."

Changes = dict[str, tuple[str | None, str | None]]


def who() -> str:
    """Who moves a stage: `REGISTRY_WHO`, or user and host."""
    return os.environ.get(WHO) or f"{tracking.user()}@{socket.gethostname()}"


@dataclass(frozen=True)
class Move:
    """Stages that change together, and why."""

    kind: str
    """gate, promotion, rollback, or outside: made without this program."""
    version: str
    """The version it is about."""
    changes: Changes
    """By stage the version from before and the one from then on; None is no version."""
    why: str
    verdict: str = ""
    """What the gate says of the version: better, not better, or nothing."""
    who: str = field(default_factory=who)
    when: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    process: str = field(default_factory=lambda: f"{socket.gethostname()} {os.getpid()}")
    id: str = field(default_factory=lambda: uuid.uuid4().hex)

    @property
    def abandoned(self) -> bool:
        """Whether the process that began it is known to be at it no more."""
        host, _, process = self.process.rpartition(" ")
        if host != socket.gethostname():
            return False
        if int(process) == os.getpid():
            return True
        try:
            os.kill(int(process), 0)
        except ProcessLookupError:
            return True
        except PermissionError:
            return False
        return False

    @classmethod
    def from_json(cls, text: str) -> "Move":
        """The move that a parameter of the history's run says."""
        content: dict[str, Any] = json.loads(text)
        changes = {stage: (old, new) for stage, (old, new) in content.pop("changes").items()}
        return cls(changes=changes, **content)


@dataclass(frozen=True)
class State:
    """What a history says after its last move."""

    moves: tuple[Move, ...]
    done: int
    """How many of the moves MLflow's stages and aliases are known to show."""
    held: Held
    before: tuple[str, ...]
    """What `rollback` goes back to, the nearest last."""

    @classmethod
    def after(cls, moves: tuple[Move, ...], done: int) -> "State":
        """Where the stages stand after these moves."""
        held: Held = dict.fromkeys(HELD)
        before: list[str] = []
        for move in moves:
            for stage, (old, new) in move.changes.items():
                held[stage] = new
                if stage != PRODUCTION or old == new:
                    continue
                if move.kind == ROLLBACK:
                    while before and before.pop() != new:
                        pass
                elif old is not None:
                    before.append(old)
        return cls(moves, done, held, tuple(before))

    def then(self, move: Move) -> "State":
        """Where the stages stand after one move more."""
        return State.after((*self.moves, move), self.done)

    @property
    def production(self) -> str | None:
        """The number of the version in Production."""
        return self.held[PRODUCTION]

    @property
    def staging(self) -> str | None:
        """The number of the version in Staging."""
        return self.held[STAGING]

    def stage(self, version: str) -> str:
        """Production or Staging, Archived for a version that was there, or nothing."""
        for stage in HELD:
            if self.held[stage] == version:
                return stage
        was = any(version in change for move in self.moves for change in move.changes.values())
        return "Archived" if was else ""

    def changes(self, wanted: dict[str, str | None]) -> Changes:
        """What changes where stages hold what is wanted; a version leaves the stage that it was in."""
        taken = set(wanted.values()) - {None}
        after = {stage: None if self.held[stage] in taken else self.held[stage] for stage in HELD} | wanted
        return {stage: (self.held[stage], after[stage]) for stage in HELD if self.held[stage] != after[stage]}

    def by_gate(self, version: str) -> Move | None:
        """The move that followed from the verdict on a version."""
        return next((move for move in self.moves if move.kind == GATE and move.version == version), None)


class History:
    """A task's history in MLflow."""

    def __init__(self, client: MlflowClient, task: str) -> None:
        """Find the history of a task; without one it is empty until the first move."""
        self.client, self.task = client, task
        self._run: str | None = None

    def state(self) -> State:
        """All moves so far."""
        run = self.client.get_run(self._run) if self._run else self._found()
        if run is None:
            return State.after((), 0)
        moves = tuple(Move.from_json(text) for _, text in sorted(run.data.params.items()))
        return State.after(moves, int(run.data.tags.get(DONE, 0)))

    def append(self, number: int, move: Move) -> bool:
        """Write the move with this number; False if another process was first.

        Raises:
            InputError: the reason is too long to keep.
        """
        if len(move.why) > LONGEST_WHY:
            raise InputError(f"the reason has {len(move.why)} letters; give at most {LONGEST_WHY}")
        text = json.dumps(asdict(move), ensure_ascii=False)
        run = self.run()
        try:
            self.client.log_param(run, f"{number:06}", text)
        except MlflowException as error:
            if error.error_code == "INVALID_PARAMETER_VALUE" and "Changing param values" in str(error):
                return False
            raise
        return True

    def mark_done(self, number: int) -> None:
        """Note that MLflow's stages and aliases show all moves up to this one."""
        self.client.set_tag(self.run(), DONE, str(number))

    def run(self) -> str:
        """The id of the run that keeps the history, made if there is none."""
        if self._run is None and self._found() is None:
            folder = tracking.experiment(self.client, EXPERIMENT, "Every move of every stage, a run for each task.")
            made = self.client.create_run(
                folder,
                run_name=self.task,
                start_time=int(time.time() * 1000),
                tags={"task": self.task, "mlflow.note.content": NOTE},
            )
            self.client.set_terminated(made.info.run_id)
            self._found()
        return str(self._run)

    def _found(self) -> Run | None:
        experiment = self.client.get_experiment_by_name(EXPERIMENT)
        if experiment is None:
            return None
        runs = self.client.search_runs(
            [experiment.experiment_id],
            f"tags.task = '{self.task}'",
            run_view_type=ViewType.ALL,
            order_by=["attributes.start_time ASC"],
        )
        first = min(runs, key=lambda run: (run.info.start_time, run.info.run_id), default=None)
        if first is not None:
            self._run = first.info.run_id
            if first.info.lifecycle_stage == LifecycleStage.DELETED:
                self.client.restore_run(self._run)
        return first
