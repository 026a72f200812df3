"""What has changed in a source since its contract was made: reasons to stop before training."""

from dataclasses import dataclass

from data import typed
from data.agree import Agreement
from data.infer import Decision
from data.params import Task
from data.table import Table

MISSING = 0.6  # share of missing values from which on a column is as good as gone
RISE = 0.2
READ = 0.5  # share of the values that must still be read as the contract says
NUMBERS = 0.95
AT_ONCE = 40


@dataclass(frozen=True)
class Change:
    """A column that is not what it was; only some changes stop."""

    column: str
    before: str
    now: str
    stops: bool = True


def found(table: Table, before: Agreement, task: Task) -> list[Change]:
    """The changes of a table against the contract from before.

    Args:
        table: the rows as they are now; a view `rows` is not needed.
        before: what held until now.
        task: the declaration.
    """
    used = [one for one in before.columns if one.role in ("input", "target", "split")]
    changes = [Change(one.name, _was(one), "vanished") for one in used if one.name not in table.names]
    known = {one.name for one in before.columns}
    changes += [Change(name, "none", "new, not used", False) for name in table.names if name not in known]
    gone = [one.name for one in before.columns if one.role == "dropped" and one.name not in table.names]
    changes += [Change(name, "dropped", "vanished", False) for name in gone]
    there = [one for one in used if one.name in table.names]
    for start in range(0, len(there), AT_ONCE):
        changes += _compared(table, there[start : start + AT_ONCE])
    return changes


def _compared(table: Table, columns: list[Decision]) -> list[Change]:
    terms = []
    for one in columns:
        column, raw = f"c{table.place(one.name)}", table.types[table.place(one.name)]
        kind = one.kind or "category"
        looks = "category" if not typed.is_flat(raw) else kind
        read = typed.value(column, raw, looks, one.form)
        absent = typed.marked(column, raw) if kind in ("number", "boolean", "time") else "false"
        worded = kind == "category" and (raw == "VARCHAR" or typed.is_number(raw))
        numbers = typed.value(column, raw, "number") if worded else "NULL"
        terms += [f"count({column}) - count(*) FILTER (WHERE {absent})", f"count({read})", f"count({numbers})"]
    answer = table.one(f"SELECT count(*), {', '.join(terms)} FROM everything")
    rows, counts = int(answer[0]), list(answer[1:])
    changes = []
    for at, one in enumerate(columns):
        present, fits, numeric = (int(count) for count in counts[3 * at : 3 * at + 3])
        missing = 1 - present / max(rows, 1)
        raw = table.types[table.place(one.name)]
        tensor = one.kind in ("image", "sequence")
        if tensor != (not typed.is_flat(raw)):
            changes.append(Change(one.name, _was(one), f"{raw} values"))
        elif present and fits < READ * present:
            written = f" written like {one.form or typed.PLAIN}" if raw == "VARCHAR" and one.kind == "number" else ""
            now = f"{1 - fits / present:.0%} of the values are no {one.kind}{written}"
            changes.append(Change(one.name, _was(one), now))
        elif one.kind == "category" and not one.numeric and present and numeric >= NUMBERS * present:
            changes.append(Change(one.name, _was(one), "numbers"))
        elif missing >= MISSING and missing - one.missing >= RISE:
            changes.append(Change(one.name, f"{one.missing:.1%} missing", f"{missing:.1%} missing"))
        elif missing - one.missing >= RISE:
            changes.append(Change(one.name, f"{one.missing:.1%} missing", f"{missing:.1%} missing", False))
    return changes


def _was(one: Decision) -> str:
    return f"{one.role}, {one.kind}" if one.kind else one.role
