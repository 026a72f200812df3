"""The contract for a table: inferred, or the one from before as long as the declaration is the same."""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from data import infer, typed
from data.contract import ANSWER, TENSORS, Column, Contract
from data.errors import InputError
from data.infer import Decision, listed
from data.params import Task
from data.table import SMALL, Table

COLUMNS = "columns.json"
SHOWN = 5  # classes quoted in a message
MOST_CLASSES = 1000


@dataclass(frozen=True)
class Agreement:
    """What holds for a table: its contract, what was decided for each column, and whether it is from before."""

    contract: Contract
    columns: tuple[Decision, ...]
    declaration: str
    """SHA-256 of what the declaration says about columns."""
    held: bool = False

    def decision(self, name: str) -> Decision:
        """What was decided for a column."""
        return next(one for one in self.columns if one.name == name)

    def to_json(self) -> str:
        """Everything but the contract, which has a file of its own."""
        content = {"declaration": self.declaration, "columns": [asdict(one) for one in self.columns]}
        return json.dumps(content, indent=1, ensure_ascii=False)

    @classmethod
    def load(cls, folder: Path) -> "Agreement | None":
        """What held when a folder was prepared; None where that is not known."""
        try:
            content: dict[str, Any] = json.loads((folder / COLUMNS).read_text(encoding="utf-8"))
            columns = tuple(
                Decision(**one | {"examples": tuple(one["examples"]), "shape": tuple(one["shape"])})
                for one in content["columns"]
            )
            return cls(Contract.load(folder), columns, content["declaration"], held=True)
        except (FileNotFoundError, ValueError, KeyError, TypeError):  # none, or of an older form
            return None


def digest(task: Task) -> str:
    """SHA-256 of what a declaration says about columns and classes: not where rows come from or how they are cut."""
    said = task.model_dump(mode="json", include={"target", "positive", "columns", "override"})
    said["split"] = getattr(task.split, "column", None)
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()


def with_target(table: Table, task: Task, key: str) -> int:
    """Make the view `rows` of those that have a target; return how many have none.

    Raises:
        InputError: there is no such column, or it has no value.
    """
    if task.target not in table.names:
        raise InputError(
            f"params.yaml: {key}.target: the source has no column {task.target!r}; it has {listed(table.names)}"
        )
    column = f"c{table.place(task.target)}"
    present = int(table.one(f"SELECT count({column}) FROM everything")[0])
    if not present:
        raise InputError(f"params.yaml: {key}.target: every value of {task.target!r} is missing; choose another target")
    form = "TEMP TABLE" if table.rows * len(table.names) <= SMALL else "VIEW"
    table.connection.execute(f"CREATE OR REPLACE {form} rows AS SELECT * FROM everything WHERE {column} IS NOT NULL")
    return table.rows - present


def anew(table: Table, task: Task, name: str) -> Agreement:
    """The agreement as the table is now, from its view `rows`.

    Raises:
        InputError: the target has one class only, or lacks the positive one; an input is unusable, or there is none.
    """
    key = f"tasks.{name}"
    decisions = infer.decide(table, task, key)
    target = next(one for one in decisions if one.role == "target")
    classes = _classes(table, task, target, key)
    columns = tuple(
        Column(one.name, one.kind, one.shape, one.low, one.high) if one.shape else Column(one.name, one.kind)
        for one in decisions
        if one.role == "input" and one.kind
    )
    if not columns:
        why = "; ".join(f"{one.name!r}: {one.why}" for one in decisions if one.role == "dropped")
        raise InputError(
            f"params.yaml: {key}.target: the source has no usable column besides {task.target!r}"
            + (f" ({why}); name inputs under {key}.override" if why else "; choose another")
        )
    for column in columns:
        if column.name in ANSWER:
            raise InputError(
                f"params.yaml: {key}: an input cannot be called {column.name!r}, as the answer is; rename it in the "
                f"source, or leave it out by {key}.override: {{{column.name}: drop}}"
            )
    if len(columns) > 1 and any(column.kind in TENSORS for column in columns):
        raise InputError(
            f"params.yaml: {key}.columns: an image or a sequence must be the only input; remove the others"
        )
    return Agreement(Contract(name, task.target, columns, classes), tuple(decisions), digest(task))


def target_text(table: Table, target: Decision) -> str:
    """The class of a row as text, in SQL."""
    place = table.place(target.name)
    return typed.raw_text(f"c{place}", table.types[place], target.form == "whole")


def _classes(table: Table, task: Task, target: Decision, key: str) -> tuple[str, ...]:
    place = table.place(target.name)
    if not typed.is_flat(table.types[place]):
        raise InputError(
            f"params.yaml: {key}.target: each value of {target.name!r} is a {table.types[place]}; choose a column "
            "of single values"
        )
    found = table.all(f"SELECT DISTINCT {target_text(table, target)} FROM rows LIMIT {MOST_CLASSES + 1}")
    classes = sorted(str(row[0]) for row in found)
    if len(classes) > MOST_CLASSES:
        raise InputError(
            f"params.yaml: {key}.target: {target.name!r} has more than {MOST_CLASSES:,} classes ({quoted(classes)}); "
            "expected a few, choose another target or make classes of it in the source"
        )
    if len(classes) < 2:
        raise InputError(
            f"params.yaml: {key}.target: {target.name!r} has one class only ({quoted(classes)}); "
            "expected two or more, choose another target or source"
        )
    if task.positive is None:
        return tuple(classes)
    if task.positive not in classes:
        raise InputError(
            f"params.yaml: {key}.positive: {target.name!r} has no class {task.positive!r}; it has {quoted(classes)}"
        )
    return (*(name for name in classes if name != task.positive), task.positive)


def quoted(values: list[str]) -> str:
    """A few values for a message."""
    return ", ".join(values[:SHOWN]) + (", …" if len(values) > SHOWN else "")
