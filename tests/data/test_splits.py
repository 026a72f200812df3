import numpy as np
import pandas as pd
import pytest

from data.errors import InputError
from data.params import RandomSplit, TimeSplit
from data.splits import SPLITS, assign

ROWS = 1000


def by_time(validation: str = "2020-01-03", test: str = "2020-01-05T12:00", column: str = "when") -> TimeSplit:
    return TimeSplit(by="time", column=column, validation=validation, test=test)


def refusal(table: pd.DataFrame, split: TimeSplit | RandomSplit) -> str:
    with pytest.raises(InputError) as caught:
        assign(table, split, "y", 0, "tasks.t")
    message = str(caught.value)
    assert message.startswith("params.yaml: tasks.t.split")
    assert "\n" not in message
    return message


@pytest.fixture
def moments() -> pd.DataFrame:
    when = [
        *("2020-01-01", "2020-01-02", "2020-01-02T23:59:59.999999999"),
        *("2020-01-03", "2020-01-04", "2020-01-05T11:59:59.999999999"),
        *("2020-01-05T12:00", "2020-01-05T13:00+01:00", "2020-01-06"),
    ]
    table = pd.DataFrame({"when": pd.to_datetime(when, format="ISO8601", utc=True)})
    return table.assign(y=["a", "b", "a"] * 3)


@pytest.fixture
def unequal() -> pd.DataFrame:
    return pd.DataFrame({"y": np.repeat(["rare", "common"], [50, ROWS - 50])})


def test_a_row_at_the_cut_belongs_to_the_later_split(moments: pd.DataFrame) -> None:
    names = assign(moments, by_time(), "y", 0, "tasks.t")
    assert names.tolist() == ["train"] * 3 + ["validation"] * 3 + ["test"] * 3


def test_times_as_text_are_cut_like_times(moments: pd.DataFrame) -> None:
    days = moments["when"].dt.strftime("%Y-%m-%d")
    names = assign(moments.assign(when=days), by_time(test="2020-01-05"), "y", 0, "tasks.t")
    assert names.tolist() == ["train"] * 3 + ["validation"] * 2 + ["test"] * 4


def test_swapped_cuts_are_refused(moments: pd.DataFrame) -> None:
    for validation in ("2020-01-06", "2020-01-05T12:00"):
        assert "validation must begin before test" in refusal(moments, by_time(validation))


@pytest.mark.parametrize("cut", ["validation", "test"])
def test_a_cut_that_is_no_date_is_named(moments: pd.DataFrame, cut: str) -> None:
    assert f"tasks.t.split.{cut}: 'soon' is no date" in refusal(moments, by_time(**{cut: "soon"}))


@pytest.mark.filterwarnings("error")
def test_values_that_are_no_times_are_counted(moments: pd.DataFrame) -> None:
    words = moments["when"].astype(object).where(moments.index > 1, "soon")
    assert "tasks.t.split.column: 2 values of 'when' are no times" in refusal(moments.assign(when=words), by_time())


def test_a_missing_time_column_lists_those_that_exist(moments: pd.DataFrame) -> None:
    message = refusal(moments, by_time(column="date"))
    assert "tasks.t.split.column: the source has no column 'date'; it has when, y" in message


@pytest.mark.parametrize(
    ("rows", "split"), [(slice(0, 3), "train"), (slice(3, 6), "validation"), (slice(6, 9), "test")]
)
def test_a_split_without_a_class_is_refused(moments: pd.DataFrame, rows: slice, split: str) -> None:
    moments.loc[moments.index[rows], "y"] = "a"
    assert f"no row of class 'b' falls into {split}" in refusal(moments, by_time())


def test_a_random_split_keeps_the_shares_of_classes(unequal: pd.DataFrame) -> None:
    names = assign(unequal, RandomSplit(validation=0.1, test=0.2), "y", 0, "tasks.t")
    counts = pd.crosstab(names, unequal["y"])
    assert counts.loc[list(SPLITS), "rare"].tolist() == [35, 5, 10]
    assert counts.loc[list(SPLITS), "common"].tolist() == [665, 95, 190]


def test_a_random_split_depends_on_the_seed_alone(unequal: pd.DataFrame) -> None:
    first, again, other = (assign(unequal, RandomSplit(), "y", seed, "tasks.t") for seed in (1, 1, 2))
    assert first.equals(again)
    assert not first.equals(other)


def test_a_random_split_does_not_take_rows_in_their_order(unequal: pd.DataFrame) -> None:
    names = assign(unequal, RandomSplit(), "y", 0, "tasks.t")
    places = np.flatnonzero(names.eq("test"))
    assert places.max() - places.min() > ROWS / 2


def test_a_random_split_of_three_rows_has_every_class_everywhere() -> None:
    table = pd.DataFrame({"y": ["a", "b"] * 3})
    names = assign(table, RandomSplit(validation=0.01, test=0.01), "y", 0, "tasks.t")
    assert pd.crosstab(names, table["y"]).to_numpy().tolist() == [[1, 1]] * 3


def test_a_class_too_rare_for_every_split_is_refused() -> None:
    table = pd.DataFrame({"y": ["a"] * 10 + ["b"] * 2})
    assert "no row of class 'b' falls into train" in refusal(table, RandomSplit())
