"""What is in each column: a guess from a sample, verified on all values."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from data import typed
from data.params import Kind
from data.table import Table

SAMPLE = 5000  # rows that the guess is made from
EXAMPLE_ROWS, EXAMPLES = 200, 5
ENOUGH = 50  # values of a sample, from which on a form that none of them has is out of the question
AT_ONCE = 40  # columns in one query
FEW = 10_000  # up to this many, and near each limit, distinct values are counted exactly
SOME, HALF = 0.05, 0.5  # distinct values as a share of all, which decisions hang on
LIMITS = (SOME, HALF, 1.0)
NEAR = 0.2  # of a limit: within it an estimate may be on the wrong side, at five times its deviation
MOSTLY = 0.95  # share of values that must fit a guess
DAY = "%Y%m%d"
UUID = re.compile(r"[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}", re.IGNORECASE)


@dataclass(frozen=True)
class Profile:
    """A column's values, counted over all rows that have a target."""

    name: str
    place: int
    type: str
    rows: int
    present: int = 0
    marked: int = 0
    """Values that say "missing" in words; counted where the values look like numbers, booleans or times."""
    distinct: int = 0
    exact: bool = True
    """Whether `distinct` was counted, not estimated."""
    constant: bool = False
    digest: int = 0
    """Equal for columns with the same values in the same rows."""
    guess: Kind = "category"
    form: str = ""
    also: str = ""
    """Another form that fits every value just as well and reads others."""
    mixed: str = ""
    """The forms of time of which each value has another."""
    fits: int = 0
    """Values that are what the guess says."""
    low: float | None = None
    high: float | None = None
    whole: bool = False
    zeros: int = 0
    """Numbers written with a leading zero."""
    words: float = 0.0
    """Words of a value, on average."""
    examples: tuple[str, ...] = ()

    @property
    def column(self) -> str:
        """Its name in SQL."""
        return f"c{self.place}"

    @property
    def uuids(self) -> bool:
        """Whether the examples are universally unique identifiers."""
        return bool(self.examples) and all(UUID.fullmatch(value) for value in self.examples)

    @property
    def missing(self) -> int:
        """Rows without a value."""
        return self.rows - self.present + self.marked


def profiles(table: Table, view: str, places: Sequence[int]) -> list[Profile]:
    """The profiles of some columns of a view.

    Args:
        table: the rows.
        view: their name in SQL.
        places: which columns.
    """
    rows = int(table.one(f"SELECT count(*) FROM {view}")[0])
    some = f"SELECT * FROM {view} WHERE place % {_step(table)} = 0"
    table.connection.execute(f"CREATE OR REPLACE TEMP TABLE sampled AS {some}")
    start = [Profile(table.names[place], place, table.types[place], rows) for place in places]
    flat = [one for one in start if typed.is_flat(one.type)]
    guessed = {one.place: one for part in _parts(flat) for one in _guess(table, part)}
    counted = {one.place: one for part in _parts(list(guessed.values())) for one in _verify(table, view, part)}
    nested = {one.place: _nested(table, view, one) for one in start if one.place not in counted}
    return [(counted | nested)[place] for place in places]


def _parts(columns: list[Profile]) -> Iterator[list[Profile]]:
    for start in range(0, len(columns), AT_ONCE):
        yield columns[start : start + AT_ONCE]


def _asked(table: Table, source: str, columns: list[Profile], *questions: Any) -> list[list[Any]]:
    """The answers to the same questions about each column, in one query."""
    terms = [question(column) for column in columns for question in questions]
    answer = table.one(f"SELECT {', '.join(terms)} FROM {source}")
    width = len(questions)
    return [list(answer[start : start + width]) for start in range(0, len(answer), width)]


def _guess(table: Table, columns: list[Profile]) -> list[Profile]:
    """The kind of each column that most of the sample's values fit."""
    examples = _examples(table, columns)
    shown = _asked(
        table,
        "sampled",
        columns,
        lambda one: f"count({one.column}) - count(*) FILTER (WHERE {typed.marked(one.column, one.type)})",
        lambda one: f"count({typed.value(one.column, one.type, 'number')})",
        lambda one: f"count({typed.value(one.column, one.type, 'time')})",
        lambda one: f"count(*) FILTER (WHERE lower(trim({_text(one)})) IN ('true', 'false'))",
        lambda one: (
            f"coalesce({_whole(one)}, false)" if typed.is_number(one.type) or one.type == "VARCHAR" else "false"
        ),
    )
    guessed = []
    for one, (present, numbers, times, booleans, whole) in zip(columns, shown, strict=True):
        known = replace(one, examples=examples[one.place], whole=whole)
        enough = max(1, MOSTLY * present)
        if one.type == "BOOLEAN" or booleans >= enough:
            guessed.append(replace(known, guess="boolean"))
        elif typed.is_time(one.type) or times >= enough:
            guessed.append(replace(known, guess="time", form=typed.ISO))
        elif typed.is_number(one.type):
            days = whole and _days(table, known, enough)
            guessed.append(replace(known, guess="time", form=DAY) if days else replace(known, guess="number"))
        elif one.type == "VARCHAR" and present:
            guessed.append(_written(table, known, present, numbers))
        else:
            guessed.append(known)
    return guessed


def _examples(table: Table, columns: list[Profile]) -> dict[int, tuple[str, ...]]:
    """The first few different values of each column."""
    terms = ", ".join(f"{_text(one)}" for one in columns)
    rows = table.all(f"SELECT {terms} FROM sampled ORDER BY place LIMIT {EXAMPLE_ROWS}")
    least = table.one("SELECT " + ", ".join(f"min({_text(one)})" for one in columns) + " FROM sampled")
    found = {}
    for at, one in enumerate(columns):
        values = dict.fromkeys(row[at] for row in rows if row[at] is not None)
        found[one.place] = tuple(list(values)[:EXAMPLES]) or (() if least[at] is None else (least[at],))
    return found


def _written(table: Table, one: Profile, present: int, plain: int) -> Profile:
    """How the numbers or times in a text column are written, if that is what they are."""
    if not any(character.isdigit() for value in one.examples for character in value):
        return one
    enough = max(1, MOSTLY * present)
    forms = {typed.PLAIN: plain}
    if plain < present or table.decimal == ",":
        forms |= _counts(table, one, "number", [*typed.NUMBERS, typed.CLOCK])
    first = [form for form in forms if form.endswith(table.decimal + "5")]
    best = max([*first, *(form for form in forms if form not in first)], key=lambda form: forms[form])
    if forms[best] >= enough and not (best == typed.PLAIN and _days(table, one, enough)):
        rivals = [form for form in typed.NUMBERS if best != typed.PLAIN and forms[form] == forms[best]]
        return replace(one, guess="number", form=best, also=_other_reading(table, one, best, rivals))
    times = _counts(table, one, "time", [typed.ISO, *typed.TIMES])
    latest = max(times, key=lambda form: times[form])
    if times[latest] >= enough:
        also = [form for form in times if form != latest and times[form] == times[latest]]
        return replace(one, guess="time", form=latest, also=also[0] if also else "")
    if sum(times.values()) >= enough:
        any_form = ", ".join(typed.value(one.column, one.type, "time", form) for form in times)
        if table.one(f"SELECT count(coalesce({any_form})) FROM sampled")[0] >= enough:
            return replace(one, mixed=", ".join(sorted(times, key=lambda form: -times[form])[:3]))
    return one


def _days(table: Table, one: Profile, enough: float) -> bool:
    """Whether whole numbers are days such as 20240525."""
    likely = any(value.startswith(("19", "20")) and len(value) >= len("20240525") for value in one.examples)
    return likely and _counts(table, one, "time", [DAY])[DAY] >= enough


def _other_reading(table: Table, one: Profile, form: str, rivals: list[str]) -> str:
    """The first of some forms of number that reads another number somewhere."""
    value, *others = (typed.value(one.column, one.type, "number", rival) for rival in [form, *rivals])
    terms = ", ".join(f"count(*) FILTER (WHERE {value} <> {other})" for other in others)
    differ = table.one(f"SELECT {terms} FROM sampled") if rivals else ()
    return next((rival for rival, count in zip(rivals, differ, strict=True) if count), "")


def best_form(table: Table, one: Profile, kind: Kind) -> str:
    """How the numbers or times of a text column are written, by the form that most values of the sample fit."""
    plain = typed.PLAIN if kind == "number" else typed.ISO
    forms = [plain, *([*typed.NUMBERS, typed.CLOCK] if kind == "number" else typed.TIMES)]
    counts = _counts(table, one, kind, forms)
    return max(forms, key=lambda form: counts[form])


def _counts(table: Table, one: Profile, kind: Kind, forms: list[str]) -> dict[str, int]:
    """How many values of the sample have each form; none, where none of some values spread over the sample has it."""
    terms = {}
    for form in forms:
        value = typed.value(one.column, one.type, kind, form)
        if form in typed.BARE:
            text = typed.raw_text(one.column, one.type, whole=True)
            value = f"CASE WHEN regexp_full_match(trim({text}), '{typed.BARE[form]}') THEN {value} END"
        terms[form] = f"count({value})"
    spread = _step(table) * max(1, min(table.rows, SAMPLE) // EXAMPLE_ROWS)
    asked = f"SELECT count({one.column}), {', '.join(terms.values())} FROM sampled WHERE place % {spread} = 0"
    present, *few = table.one(asked)
    likely = [form for form, count in zip(forms, few, strict=True) if count or present < ENOUGH]
    whole = table.one(f"SELECT {', '.join(terms[form] for form in likely)} FROM sampled") if likely else ()
    return dict.fromkeys(forms, 0) | dict(zip(likely, whole, strict=True))


def _step(table: Table) -> int:
    """One of how many rows is in the sample."""
    return max(1, table.rows // SAMPLE)


def _verify(table: Table, view: str, columns: list[Profile]) -> list[Profile]:
    counted = _asked(
        table,
        view,
        columns,
        lambda one: f"count({one.column})",
        lambda one: f"approx_count_distinct({one.column})",
        lambda one: f"coalesce(min({one.column}) = max({one.column}), false)",
        lambda one: f"coalesce(bit_xor(hash(hash(place, {_text(one)}))), 0)",
        lambda one: f"count({_value(one)})" if one.guess != "category" else f"count({one.column})",
        lambda one: f"min({_value(one)})" if _counts_rows(one) else "NULL",
        lambda one: f"max({_value(one)})" if _counts_rows(one) else "NULL",
        lambda one: f"coalesce({_whole(one)}, false)" if _counts_rows(one) else "false",
        lambda one: f"count(*) FILTER (WHERE {_zero(one)})" if _counts_rows(one) and one.type == "VARCHAR" else "0",
        lambda one: f"coalesce(avg({_words(one)}), 0)" if one.guess == "category" and one.type == "VARCHAR" else "0",
    )
    names = ("present", "distinct", "constant", "digest", "fits", "low", "high", "whole", "zeros", "words")
    known = [replace(one, **dict(zip(names, row, strict=True))) for one, row in zip(columns, counted, strict=True)]
    known = [_other_time(table, view, one) if one.guess == "time" and one.also else one for one in known]
    known = [_unfitting(table, view, one) for one in known]
    few = [one for one in known if one.distinct <= FEW]
    exact = _asked(table, view, few, lambda one: f"count(DISTINCT {one.column})") if few else []
    counts = {one.place: int(answer[0]) for one, answer in zip(few, exact, strict=True)}
    return [
        replace(one, distinct=counts[one.place]) if one.place in counts else _near(table, view, one) for one in known
    ]


def _unfitting(table: Table, view: str, one: Profile) -> Profile:
    """The values that are not what the guess says: words for missing ones, or too many for the guess to hold."""
    if one.guess == "category" or one.fits == one.present:
        return one
    condition = f"({_value(one)}) IS NULL AND {typed.marked(one.column, one.type)}"
    marked = int(table.one(f"SELECT count(*) FILTER (WHERE {condition}) FROM {view}")[0])
    if one.fits < MOSTLY * (one.present - marked):
        return replace(one, guess="category", form="", also="", whole=False, zeros=0)
    return replace(one, marked=marked)


def _other_time(table: Table, view: str, one: Profile) -> Profile:
    """The form of time that more of all the values fit, where the sample could not tell."""
    other = replace(one, form=one.also, also=one.form)
    fits = int(table.one(f"SELECT count({_value(other)}) FROM {view}")[0])
    if fits == one.fits:
        return one
    return replace(other, fits=fits, also="") if fits > one.fits else replace(one, also="")


def _near(table: Table, view: str, one: Profile) -> Profile:
    """The profile with its distinct values counted, if their estimate does not tell on which side of a limit it is."""
    if all(abs(one.distinct - limit * one.present) > NEAR * limit * one.present for limit in LIMITS):
        return replace(one, exact=False)
    return replace(one, distinct=int(table.one(f"SELECT count(DISTINCT {one.column}) FROM {view}")[0]))


def _nested(table: Table, view: str, one: Profile) -> Profile:
    present, example = table.one(f"SELECT count({one.column}), any_value({one.column})::VARCHAR FROM {view}")
    shown = () if example is None else (example if len(example) <= 40 else example[:39] + "…",)
    return replace(one, present=int(present), fits=int(present), examples=shown)


def _text(one: Profile) -> str:
    return typed.raw_text(one.column, one.type)


def _value(one: Profile) -> str:
    return typed.value(one.column, one.type, one.guess, one.form)


def _whole(one: Profile) -> str:
    if one.type == "VARCHAR":
        bare = f"regexp_full_match(trim({one.column}), '[+-]?\\d+') OR {typed.marked(one.column, one.type)}"
        return f"bool_and(CASE WHEN contains({one.column}, '.') THEN {one.column} = '.' ELSE {bare} END)"
    return f"bool_and({one.column} = trunc({one.column}))"


def _counts_rows(one: Profile) -> bool:
    """Whether the numbers of the sample are whole, so that they may be codes or count rows."""
    return one.guess == "number" and one.whole


def _zero(one: Profile) -> str:
    return f"CASE WHEN starts_with({one.column}, '0') THEN regexp_full_match({one.column}, '\\d\\d+') END"


def _words(one: Profile) -> str:
    return f"length({one.column}) - length(replace({one.column}, ' ', '')) + 1"
