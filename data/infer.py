"""What each column is taken for, and why."""

import re
from dataclasses import dataclass, replace
from typing import Literal

from data import profile, typed
from data.errors import InputError
from data.params import Kind, Task, Tensor, Time
from data.profile import Profile
from data.table import Table

Role = Literal["input", "target", "split", "dropped"]

FEW_CODES = 50  # different values that integers named like a code may have, or one in twenty values
FREE_WORDS = 3.0  # words of a value, on average, from which on a column is free text
MANY_CATEGORIES = 200
LONGEST = 2.0**53  # whole numbers beyond it are no quantities
ENOUGH_ROWS = 10  # below that, values that all differ say nothing
CODES = {"code", "zip", "zipcode", "plz", "postcode", "postal", "id", "type", "class", "category", "cat", "kind"}
CODES |= {"group", "region", "area", "sector", "segment", "status", "branch", "store", "shop", "department", "dept"}
CODES |= {"channel", "model", "grade", "level", "zone"}
IDENTIFIERS = {"id", "uuid", "guid", "index", "key", "number", "nr", "no", "row", "rowid", "unnamed", "pk"}
WORD = re.compile(r"[A-Z]?[a-zà-ÿ]+|[A-Z]+(?![a-z])|\d+")


@dataclass(frozen=True)
class Decision:
    """What a column is taken for."""

    name: str
    role: Role
    kind: Kind | None
    form: str
    """How its numbers or times are written, for `typed.value`."""
    why: str
    type: str
    """The type in the source, by DuckDB's name."""
    missing: float
    distinct: int
    numeric: bool
    """Whether its values look like numbers."""
    exact: bool = True
    """Whether `distinct` was counted, not estimated."""
    examples: tuple[str, ...] = ()
    shape: tuple[int, ...] = ()
    low: float = 0.0
    high: float = 0.0


def decide(table: Table, task: Task, key: str) -> list[Decision]:
    """A decision for each column, in the order of the table; declared ones come first and in their order.

    Args:
        table: the rows, with a view `rows` of those that have a target.
        task: the declaration.
        key: its place in `params.yaml`, for messages.

    Raises:
        InputError: a declared column does not exist, or cannot be what it is declared to be.
    """
    _exist(table, task, key)
    known = {one.name: one for one in profile.profiles(table, "rows", range(len(table.names)))}
    split = getattr(task.split, "column", None)
    target = known[task.target]
    decided: dict[str, Decision] = {}
    for name in [*(task.columns or {}), *(name for name in table.names if name not in (task.columns or {}))]:
        one = known[name]
        declared = (task.columns or task.override).get(name)
        if name == task.target:
            decided[name] = _made(one, "target", "category", "whole" if one.whole else "", "declared; kept as written")
        elif declared == "drop":
            decided[name] = _dropped(one, "declared")
        elif declared is not None:
            decided[name] = _declared(one, declared, table, f"{key}.{'columns' if task.columns else 'override'}.{name}")
        elif task.columns:
            decided[name] = _dropped(one, "not among `columns`")
        elif name == split:
            decided[name] = _dropped(one, "rows are split by it")
        else:
            decided[name] = _inferred(one, table)
    if not task.columns:
        _drop_duplicates(decided, known, target, task)
    if split and decided[split].role == "dropped":
        decided[split] = replace(decided[split], role="split")
    return list(decided.values())


def _exist(table: Table, task: Task, key: str) -> None:
    places = {
        "columns": list(task.columns or {}),
        "override": list(task.override),
        "split.column": [column] if (column := getattr(task.split, "column", None)) else [],
    }
    for place, names in places.items():
        for name in names:
            if name not in table.names:
                raise InputError(
                    f"params.yaml: {key}.{place}: the source has no column {name!r}; it has {listed(table.names)}"
                )
        if task.target in names and place != "split.column":
            raise InputError(f"params.yaml: {key}.{place}: the target {task.target!r} cannot be an input; remove it")


def _made(one: Profile, role: Role, kind: Kind | None, form: str, why: str) -> Decision:
    worded = kind in ("number", "boolean", "time") and one.guess != "category"
    absent = one.missing if worded else one.rows - one.present
    return Decision(
        one.name,
        role,
        kind,
        form,
        why,
        one.type,
        round(absent / max(one.rows, 1), 6),
        one.distinct,
        one.guess == "number",
        one.exact,
        tuple(value if len(value) <= 40 else value[:39] + "…" for value in one.examples[:3]),
    )


def _dropped(one: Profile, why: str) -> Decision:
    form = one.form if one.guess in ("number", "time") else ""
    return _made(one, "dropped", one.guess if typed.is_flat(one.type) else None, form, why)


def _declared(one: Profile, declared: Kind | Tensor | Time, table: Table, key: str) -> Decision:
    if isinstance(declared, Tensor):
        if not one.type.endswith("]"):
            raise InputError(
                f"params.yaml: {key}: declared {declared.kind}, but the source has {one.type} there; expected nested "
                "lists of numbers"
            )
        made = _made(one, "input", declared.kind, "", "declared")
        return replace(made, shape=declared.shape, low=declared.low, high=declared.high)
    if isinstance(declared, Time):
        return _made(one, "input", "time", declared.format, "declared")
    if not typed.is_flat(one.type):
        raise InputError(
            f"params.yaml: {key}: declared {declared}, but each value is a {one.type}; declare an image or a sequence "
            "with its shape, or leave it out"
        )
    form = one.form if one.guess == declared else ""
    if declared in ("number", "time") and one.guess != declared and one.type == "VARCHAR":
        form = profile.best_form(table, one, declared)
    if declared in ("category", "text") and one.whole:
        form = "whole"
    return _made(one, "input", declared, form, "declared" + _written(declared, form))


def _inferred(one: Profile, table: Table) -> Decision:
    if not one.present - one.marked:
        return _dropped(one, "empty")
    if not typed.is_flat(one.type):
        return _dropped(one, f"each value is a {one.type}: declare it an image or a sequence with its shape")
    if one.constant:
        if not one.missing:
            return _dropped(one, "constant: every value is the same")
        return _made(one, "input", "category", "whole" if one.whole else "", "one value or none: which, is what counts")
    if one.mixed:
        return _dropped(one, f"times in several forms ({one.mixed}): write them in one, or declare it a category")
    if reason := _identifier(one):
        return _dropped(one, reason)
    if one.guess == "boolean":
        return _made(one, "input", "boolean", "", "true or false")
    if one.guess == "time":
        return _made(one, "input", "time", one.form, _time_words(one))
    if one.guess == "number":
        return _number(one)
    if one.words >= FREE_WORDS and one.distinct >= profile.HALF * one.present:
        return _made(one, "input", "text", "", f"free text: {one.words:.0f} words a value, mostly different")
    why = f"{counted(one)} different values"
    if one.distinct > MANY_CATEGORIES:
        why += ": many, so that models may put the rarest together"
    return _made(one, "input", "category", "", why)


def _identifier(one: Profile) -> str:
    """Why a column only names its row, or nothing."""
    if one.missing or one.rows < ENOUGH_ROWS:
        return ""
    named = bool(IDENTIFIERS & _tokens(one.name)) or not one.name.strip()
    if one.distinct < one.rows:
        if (
            named
            and one.distinct > profile.HALF * one.rows
            and one.guess != "time"
            and (one.whole or one.guess == "category")
        ):
            return f"identifier: so named, and {one.distinct / one.rows:.0%} of its values differ"
        return ""
    if one.guess == "number" and one.whole and one.low is not None and one.high is not None:
        if one.high - one.low == one.rows - 1 and (one.type != "VARCHAR" or one.form == typed.PLAIN):
            return "identifier: whole numbers without gap or repetition"
        return "identifier: so named, and every value differs" if named else ""
    if one.guess != "category":
        return ""
    if one.uuids:
        return "identifier: universally unique (UUID)"
    if named:
        return "identifier: so named, and every value differs"
    return "identifier: every value differs, and none is a longer text" if one.words < FREE_WORDS else ""


def _number(one: Profile) -> Decision:
    codes = bool(CODES & _tokens(one.name))
    few = one.distinct <= max(FEW_CODES, profile.SOME * one.present)
    if one.zeros:
        why = f"a code: {one.zeros:,} values are written with a leading zero"
        return _made(one, "input", "category", "", why)
    if one.whole and max(abs(one.low or 0), abs(one.high or 0)) > LONGEST and one.type not in ("FLOAT", "DOUBLE"):
        return _made(
            one, "input", "category", "", f"a code: whole numbers too long to count with, {counted(one)} different"
        )
    if one.whole and codes and few:
        why = f"a code: so named, whole numbers, {counted(one)} different"
        return _made(one, "input", "category", "whole", why)
    stored = " stored as text" if one.type == "VARCHAR" and one.form != typed.PLAIN else ""
    why = ("whole numbers" if one.whole else "numbers") + stored + _written("number", one.form)
    if one.form == typed.CLOCK:
        why = "times of day or durations, as hours: 12:30 is 12.5"
    if one.also:
        why += f" ({one.also} would fit as well)"
    if one.marked:
        why += f"; {one.marked:,} values such as NA or - are missing ones"
    if wrong := one.present - one.marked - one.fits:
        why += f"; {wrong:,} values are none"
    return _made(one, "input", "number", one.form, why)


def _time_words(one: Profile) -> str:
    why = "times" + _written("time", one.form)
    if one.also:
        why += f"; {one.also} would fit as well: declare the format if that is meant"
    if wrong := one.present - one.marked - one.fits:
        why += f"; {wrong:,} values are none"
    return why


def _written(kind: Kind, form: str) -> str:
    return f" written like {form}" if kind in ("number", "time") and form not in ("", typed.PLAIN, "whole") else ""


def _drop_duplicates(decided: dict[str, Decision], known: dict[str, Profile], target: Profile, task: Task) -> None:
    """Drop each inferred input that repeats the target or an input before it."""
    seen = {(target.digest, target.present): target.name}
    inputs = [name for name, one in decided.items() if one.role == "input"]
    for name in sorted(inputs, key=lambda name: name not in task.override):
        one = known[name]
        if not typed.is_flat(one.type):
            continue
        first = seen.setdefault((one.digest, one.present), name)
        if first != name and name not in task.override:
            what = "the target" if first == task.target else repr(first)
            decided[name] = _dropped(one, f"a copy of {what}")


def counted(one: Profile | Decision) -> str:
    """How many different values a column has, for a person; an estimate with the digits that it is good for."""
    return f"{one.distinct:,}" if one.exact else f"~{float(f'{one.distinct:.2g}'):,.0f}"


def _tokens(name: str) -> set[str]:
    return {word.lower() for word in WORD.findall(name)}


def listed(names: list[str]) -> str:
    """Names for a message, the first forty of many."""
    return ", ".join(names[:40]) + (f" … ({len(names):,} in all)" if len(names) > 40 else "")
