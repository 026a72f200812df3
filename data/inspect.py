"""The contract that a source would get, shown without writing anything."""

from typing import Any

from data import faults, params, report, splits
from data.errors import InputError
from data.fetch import fetch
from data.prepare import PREPARED, agreement, leaks
from data.table import opened


def inspect(content: dict[str, Any], name: str) -> None:
    """Print a task's contract, what is suspicious, and the YAML to decide otherwise.

    Raises:
        InputError: the declaration or the source is unusable.
    """
    task = params.task(content, name)
    key = f"tasks.{name}"
    fetch(content, name)
    with opened(name, key) as table:
        agreed = agreement(table, task, name, PREPARED / name)
        report.contract(name, agreed, table.rows)
        checked = faults.check(table, agreed, task, key)
        try:
            faults.stop(table, checked, key)
        except InputError as error:
            print(f"{name}: bad rows: {error}")
        good = checked.faults == 0
        values = None if checked.values is None else checked.values[good]
        classes, seed = agreed.contract.classes, content["seed"]
        parts = splits.assign(checked.labels[good], classes, task.split, values, checked.groups, seed, key)
        report.warnings(name, leaks(table, agreed, checked, parts, seed))
