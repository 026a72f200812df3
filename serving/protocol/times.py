"""ISO 8601 moments, in the forms that pandas reads, as seconds since 1970."""

import contextlib
import re
from collections.abc import Sequence
from datetime import date

import numpy as np

from serving.protocol.errors import invalid

EXPECTED = "expected times like 2013-10-01T12:00:00Z, or null"
MISSING = frozenset(("", "NaT", "nat", "NAT", "nan", "NaN", "NAN"))
SECOND = 1_000_000  # in the unit of a moment, microseconds
ERA = 400  # years after which the calendar repeats itself
ERA_DAYS = 146_097
EPOCH_DAY = date(1970, 1, 1).toordinal()
NANOSECONDS = (-9_223_372_036_854_775, 9_223_372_036_854_775)  # pandas' range of moments that fine, in microseconds

COMMON = re.compile(r"(?:[12]\d{3}-\d\d-\d\d[T ]\d\d:\d\d:\d\dZ?\n)*", re.ASCII)
ANY = re.compile(
    r"\s*(?P<sign>-?)(?P<year>\d{4})"
    r"(?:(?P<sep>[-./\\ ])(?P<month>\d\d?)(?:(?P=sep)(?P<day>\d\d?))?|(?P<bare_month>\d\d)(?P<bare_day>\d\d))?"
    r"(?P<clock>[T ](?:(?P<hour>\d\d)(?P<bare_minute>\d\d)(?:(?P<bare_second>\d\d)(?:\.(?P<bare_fraction>\d*))?)?"
    r"|(?P<lone_hour>\d\d)"
    r"|(?P<short_hour>\d\d?):(?P<minute>\d\d?)(?::(?P<second>\d\d?)(?:\.(?P<fraction>\d*))?)?)"
    r"\s*(?:Z\s*|(?P<offset>[-+])(?P<offset_hour>\d\d?+)(?:(?P<offset_minute>:?\d\d?)\s*)?)?)?",
    re.ASCII,
)
DIGITS = 18  # of a fraction of a second
MICROSECOND_DIGITS = 6


def times(values: Sequence[str | None], name: str = "time") -> np.ndarray:
    """Seconds since 1970 (UTC), float64, shape (rows,); NaN for missing. Moments without a zone are UTC.

    Raises:
        Refused: a value is no time; `name` is the column that the message speaks of.
    """
    try:
        joined = "\n".join(values) + "\n"  # type: ignore[arg-type]
    except TypeError:
        joined = ""
    if joined and COMMON.fullmatch(joined):
        lines = joined.replace("Z", "").split("\n")[:-1]
        with contextlib.suppress(ValueError):  # such as for the 30th of February, which is told with its row below
            if len(lines) == len(values):
                return np.array(lines, dtype="M8[s]").astype(np.float64)
    moments, fine = np.zeros(len(values), dtype=np.int64), False
    missing = np.zeros(len(values), dtype=bool)
    for row, value in enumerate(values):
        if value is None or value in MISSING:
            missing[row] = True
        elif (found := ANY.fullmatch(value)) and (moment := _microseconds(found)) is not None:
            moments[row] = moment
            fine = fine or len(found["fraction"] or found["bare_fraction"] or "") > MICROSECOND_DIGITS
        else:
            raise invalid(f"{name}, row {row}: a value is no time in ISO 8601; {EXPECTED}")
    if fine and ((moments < NANOSECONDS[0]) | (moments > NANOSECONDS[1])).any():
        raise invalid(f"{name}: times with nanoseconds lie between 1678 and 2262")
    done = seconds(moments)
    done[missing] = np.nan
    return done


def seconds(microseconds: np.ndarray) -> np.ndarray:
    """Whole microseconds, int64, as seconds, float64, the way that pandas rounds them."""
    whole, rest = np.divmod(microseconds, SECOND)
    return whole + rest / SECOND


def _microseconds(found: re.Match[str]) -> int | None:
    """Microseconds since 1970 of what `ANY` found, if there is such a moment."""
    part = found.groupdict(default="0")
    year = int(part["year"]) * (-1 if part["sign"] else 1)
    month, day = (int(found[name] or found[f"bare_{name}"] or 1) for name in ("month", "day"))
    hour = int(found["hour"] or found["lone_hour"] or found["short_hour"] or 0)
    minute, second = (int(found[name] or found[f"bare_{name}"] or 0) for name in ("minute", "second"))
    ahead_hours, ahead_minutes = int(part["offset_hour"]), int(part["offset_minute"].lstrip(":"))
    fraction = found["fraction"] or found["bare_fraction"] or ""
    if part["clock"] != "0" and not (found["day"] or found["bare_day"]):
        return None
    if max(hour, ahead_hours) > 23 or max(minute, second, ahead_minutes) > 59 or len(fraction) > DIGITS:
        return None
    eras, year_of_era = divmod(year - 1, ERA)
    try:
        days = date(year_of_era + 1, month, day).toordinal() - EPOCH_DAY + eras * ERA_DAYS
    except ValueError:
        return None
    ahead = (ahead_hours * 60 + ahead_minutes) * (-1 if part["offset"] == "-" else 1)
    seconds = ((days * 24 + hour) * 60 + minute - ahead) * 60 + second
    return seconds * SECOND + int(fraction[:MICROSECOND_DIGITS].ljust(MICROSECOND_DIGITS, "0"))
