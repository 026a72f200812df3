"""A raw column as its contract's type, in SQL: one expression that counts, checks and converts alike."""

from dataclasses import dataclass

from data.params import Kind

MISSING = ("na", "n/a", "#n/a", "nan", "null", "none", "nil", "-", "--", "?", ".")
"""What people write into number, boolean and time columns where a value is missing, in lower case."""
SIGNS = "€$£¥%"
BLANKS = " \u00a0\u202f"
_AROUND = f"[{SIGNS}{BLANKS}]*"


@dataclass(frozen=True)
class Form:
    """A way of writing numbers: what separates thousands, and the decimal mark."""

    thousands: str
    decimal: str

    @property
    def pattern(self) -> str:
        """The regular expression of such a number; in brackets, it is a negative one, as accountants write it."""
        group = f"[{self.thousands}]" if self.thousands else "never"
        mark = "\\" + self.decimal
        number = rf"{_AROUND}(\d{{1,3}}({group}\d{{3}})+|\d+)({mark}\d*)?{_AROUND}"
        return rf"^({_AROUND}[+-]?{number}|{_AROUND}\({number}\){_AROUND})$"

    def number(self, text: str) -> str:
        """The number in `text`, as SQL."""
        removed = "".join(dict.fromkeys(self.thousands + SIGNS + BLANKS + ")")).replace("'", "''")
        bare = f"replace(replace(translate({text}, '{removed}', ''), '{self.decimal}', '.'), '(', '-')"
        pattern = self.pattern.replace("'", "''")
        return f"CASE WHEN regexp_matches({text}, '{pattern}') THEN try_cast({bare} AS DOUBLE) END"


PLAIN = "1234.5"
NUMBERS = {
    "1,234.5": Form(",", "."),
    "1 234.5": Form(BLANKS, "."),
    "1'234.5": Form("'\u2019", "."),
    "1234,5": Form("", ","),
    "1.234,5": Form(".", ","),
    "1 234,5": Form(BLANKS, ","),
}
ISO = "ISO 8601"
_DAYS = ("%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y", "%d.%m.%y", "%d/%m/%y", "%m/%d/%y")
_NAMED = ("%d %b %Y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y", "%b %d %Y", "%B %d %Y", "%d-%b-%Y", "%a, %d %b %Y")
_CLOCKS = ("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p")
BARE = {"%Y%m%d": r"(19|20)\d{6}", "%Y-%m": r"(19|20)\d\d-\d\d", "%m/%Y": r"\d\d/(19|20)\d\d"}
"""Forms of time that other numbers and codes have too, and the years for which they are taken for one."""
TIMES = (*(day + clock for day in (*_DAYS, *_NAMED) for clock in _CLOCKS), "%b %Y", "%B %Y", *BARE)
CLOCK = "12:30"
"""A time of day or a duration, which is a number of hours."""
TRUE, FALSE = ("true", "t", "yes", "y", "1"), ("false", "f", "no", "n", "0")


def raw_text(column: str, kind: str, whole: bool = False) -> str:
    """A raw value as text; `whole` numbers that are kept as floats without the ".0"."""
    if kind == "VARCHAR":
        return column
    if kind == "BOOLEAN":
        return f"CASE WHEN {column} THEN 'True' WHEN NOT {column} THEN 'False' END"
    if whole and kind in ("FLOAT", "DOUBLE"):
        return f"try_cast({column} AS HUGEINT)::VARCHAR"
    return f"{column}::VARCHAR"


def is_time(kind: str) -> bool:
    """Whether a DuckDB type is a date or a moment."""
    return kind == "DATE" or kind.startswith("TIMESTAMP")


def is_number(kind: str) -> bool:
    """Whether a DuckDB type is a number."""
    return kind.startswith(("DECIMAL", "DOUBLE", "FLOAT")) or kind.endswith("INT") or kind.endswith("INTEGER")


def is_flat(kind: str) -> bool:
    """Whether a DuckDB type is one value, no list, structure or bytes."""
    return not kind.endswith("]") and not kind.startswith(("STRUCT", "MAP", "BLOB", "UNION", "LIST"))


def marked(column: str, kind: str) -> str:
    """Whether a raw value is text that says "missing"."""
    if kind != "VARCHAR":
        return "false"
    return f"coalesce(lower(trim({column})) IN ({_list(MISSING)}), false)"


def value(column: str, raw: str, kind: Kind, form: str = "") -> str:
    """A typed value, NULL where it is missing or does not fit.

    Args:
        column: its name in SQL.
        raw: DuckDB's type of the column.
        kind: the contract's kind; numbers become DOUBLE, booleans 1 or 0, times microseconds since 1970 (UTC).
        form: how numbers or times are written, or "whole".
    """
    if kind in ("image", "sequence"):
        return column
    if kind in ("category", "text"):
        return raw_text(column, raw, form == "whole")
    return {"number": _number, "boolean": _boolean, "time": _time}[kind](column, raw, form)


def _number(column: str, raw: str, form: str) -> str:
    if is_number(raw):
        return f"{column}::DOUBLE"
    if raw == "BOOLEAN":
        return f"{column}::INTEGER::DOUBLE"
    if raw != "VARCHAR":
        return "NULL::DOUBLE"
    if form == CLOCK:
        parts = f"string_split(trim({column}), ':')"
        hours = " + ".join(f"coalesce(try_cast({parts}[{at + 1}] AS DOUBLE), 0) / {60**at}" for at in range(3))
        return (
            f"CASE WHEN regexp_full_match(trim({column}), '\\d{{1,3}}:[0-5]\\d(:[0-5]\\d(\\.\\d*)?)?') THEN {hours} END"
        )
    if form in NUMBERS:
        return NUMBERS[form].number(column)
    return f"nullif(try_cast(replace({column}, '_', '?') AS DOUBLE), 'nan'::DOUBLE)"  # 1_000 is no number


def _boolean(column: str, raw: str, form: str) -> str:
    if raw == "BOOLEAN":
        return f"{column}::INTEGER::DOUBLE"
    text = f"lower(trim({column}))" if raw == "VARCHAR" else f"{column}::BIGINT::VARCHAR" if is_number(raw) else "NULL"
    return f"CASE WHEN {text} IN ({_list(TRUE)}) THEN 1.0 WHEN {text} IN ({_list(FALSE)}) THEN 0.0 END::DOUBLE"


def _time(column: str, raw: str, form: str) -> str:
    if is_time(raw):
        return f"epoch_us({column}::{'TIMESTAMPTZ' if 'ZONE' in raw else 'TIMESTAMP'})"
    if raw != "VARCHAR" and not (form and is_number(raw)):
        return "NULL::BIGINT"
    if form and form != ISO:
        quoted = form.replace("'", "''")
        return f"epoch_us(try_strptime(trim({raw_text(column, raw, whole=True)}), '{quoted}'))"
    iso = r"^\s*\d{4}[-/]\d\d?[-/]\d\d?([T ]\d\d?:\d\d[0-9:.,]*\s*(Z|[+-]\d\d(:?\d\d)?)?)?\s*$"
    return f"CASE WHEN regexp_matches({column}, '{iso}') THEN epoch_us(try_cast({column} AS TIMESTAMPTZ)) END"


def faults(
    column: str, raw: str, kind: Kind, form: str, shape: tuple[int, ...], low: float, high: float
) -> list[tuple[str, str]]:
    """What may be wrong with a value: pairs of a condition in SQL and its words."""
    typed = value(column, raw, kind, form)
    present = f"{column} IS NOT NULL AND NOT {marked(column, raw)}"
    if kind == "number":
        such = "" if form in ("", PLAIN) else f" such as {form}"
        return [
            (f"{present} AND NOT coalesce(isfinite(try_cast(({typed}) AS FLOAT)), false)", f"no finite number{such}")
        ]
    if kind == "boolean":
        return [(f"{present} AND ({typed}) IS NULL", "neither true nor false")]
    if kind == "time":
        return [(f"{present} AND ({typed}) IS NULL", f"no time of the form {form or ISO}")]
    if kind in ("image", "sequence"):
        count = 1
        for side in shape:
            count *= side
        outside = f"NOT (list_min({column}) >= '{low!r}'::DOUBLE AND list_max({column}) <= '{high!r}'::DOUBLE)"
        return [
            (f"{column} IS NULL OR len({column}) <> {count}", f"not of the shape {shape}"),
            (f"len({column}) = {count} AND ({outside})", f"outside {low:g} to {high:g}"),
        ]
    return []


def _list(words: tuple[str, ...]) -> str:
    return ", ".join("'" + word.replace("'", "''") + "'" for word in words)
