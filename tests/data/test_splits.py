import numpy as np
import pandas as pd
import pytest

from data.errors import InputError
from data.params import GroupSplit, RandomSplit, TimeSplit
from data.splits import SPLITS, TEST, TRAIN, VALIDATION, Split, assign, folds

ROWS = 1000
CLASSES = ("common", "rare")
LABELS = np.repeat([1, 0], [50, ROWS - 50])


def by_time(validation: str = "2020-01-03", test: str = "2020-01-05T12:00", count: int | None = None) -> TimeSplit:
    return TimeSplit(by="time", column="when", validation=validation, test=test, folds=count)


def by_group(validation: float | list[str], test: float | list[str], count: int | None = None) -> GroupSplit:
    return GroupSplit(by="group", column="who", validation=validation, test=test, folds=count)


def at_random(labels: np.ndarray, split: RandomSplit | None = None, seed: int = 0) -> np.ndarray:
    return assign(labels, CLASSES, split or RandomSplit(), None, [], seed, "tasks.t")


def refusal(labels: np.ndarray, split: Split, values: np.ndarray | None = None, groups: list[str] | None = None) -> str:
    with pytest.raises(InputError) as caught:
        assign(labels, CLASSES, split, values, groups or [], 0, "tasks.t")
    message = str(caught.value)
    assert message.startswith("params.yaml: tasks.t")
    assert "\n" not in message
    return message


@pytest.fixture
def moments() -> np.ndarray:
    when = [
        *("2020-01-01", "2020-01-02", "2020-01-02T23:59:59.999999"),
        *("2020-01-03", "2020-01-04", "2020-01-05T11:59:59.999999"),
        *("2020-01-05T12:00", "2020-01-05T13:00", "2020-01-06"),
    ]
    return pd.to_datetime(when, format="ISO8601").as_unit("us").asi8


THREES = np.array([0, 1, 0] * 3)


def test_a_row_at_the_cut_belongs_to_the_later_split(moments: np.ndarray) -> None:
    parts = assign(THREES, CLASSES, by_time(), moments, [], 0, "tasks.t")
    assert parts.tolist() == [TRAIN] * 3 + [VALIDATION] * 3 + [TEST] * 3


def test_swapped_cuts_are_refused(moments: np.ndarray) -> None:
    for validation in ("2020-01-06", "2020-01-05T12:00"):
        assert "validation must begin before test" in refusal(THREES, by_time(validation), moments)


@pytest.mark.parametrize("cut", ["validation", "test"])
def test_a_cut_that_is_no_date_is_named(moments: np.ndarray, cut: str) -> None:
    assert f"tasks.t.split.{cut}: 'soon' is no date" in refusal(THREES, by_time(**{cut: "soon"}), moments)


@pytest.mark.parametrize(
    ("rows", "split"), [(slice(0, 3), "train"), (slice(3, 6), "validation"), (slice(6, 9), "test")]
)
def test_a_split_without_a_class_is_refused(moments: np.ndarray, rows: slice, split: str) -> None:
    labels = THREES.copy()
    labels[rows] = 0
    assert f"no row of class 'rare' falls into {split}; it has 2 rows in all" in refusal(labels, by_time(), moments)


def test_groups_are_never_torn_apart() -> None:
    groups, values = [f"g{place}" for place in range(20)], np.arange(ROWS) % 20
    labels = np.arange(ROWS) // 20 % 2
    parts = assign(labels, CLASSES, by_group(0.1, ["g3", "g7"]), values, groups, 0, "tasks.t")
    assert all(len(set(parts[values == group])) == 1 for group in range(20))
    assert set(values[parts == TEST]) == {3, 7}
    assert len(set(values[parts == VALIDATION])) == 2


def test_an_unknown_group_lists_those_that_are_left() -> None:
    values = np.arange(ROWS) % 3
    message = refusal(LABELS, by_group(["b"], ["z"]), values, ["a", "b", "c"])
    assert "tasks.t.split.test: 'who' has no group z left; left are a, b, c" in message


def test_a_random_split_keeps_the_shares_of_classes() -> None:
    parts = at_random(LABELS, RandomSplit(validation=0.1, test=0.2))
    assert [int((parts[LABELS == 1] == place).sum()) for place in range(3)] == [35, 5, 10]
    assert [int((parts[LABELS == 0] == place).sum()) for place in range(3)] == [665, 95, 190]


def test_a_random_split_depends_on_the_seed_alone() -> None:
    first, again, other = (at_random(LABELS, seed=seed) for seed in (1, 1, 2))
    assert (first == again).all()
    assert (first != other).any()


def test_a_random_split_does_not_take_rows_in_their_order() -> None:
    places = np.flatnonzero(at_random(LABELS) == TEST)
    assert places.max() - places.min() > ROWS / 2


def test_a_class_of_one_in_a_thousand_is_in_every_split() -> None:
    labels = np.zeros(3000, dtype=np.int64)
    labels[[5, 900, 2500]] = 1
    assert sorted(at_random(labels)[labels == 1]) == [TRAIN, VALIDATION, TEST]


@pytest.mark.parametrize(("rows", "told"), [(1, "has 1 row,"), (2, "has 2 rows,")])
def test_a_class_too_rare_for_every_split_is_refused_with_its_rows(rows: int, told: str) -> None:
    labels = np.repeat([0, 1], [10, rows])
    message = refusal(labels, RandomSplit())
    assert f"tasks.t.target: class 'rare' {told} but each split needs one of it, so three at least" in message


def test_random_folds_have_each_class_in_its_share() -> None:
    fold = folds(LABELS, CLASSES, RandomSplit(folds=5), None, 0, "tasks.t")
    assert fold.dtype == np.int8
    assert np.bincount(fold).tolist() == [200] * 5
    assert np.bincount(fold[LABELS == 1]).tolist() == [10] * 5


def test_a_class_of_fewer_rows_than_folds_is_refused() -> None:
    with pytest.raises(InputError, match=r"split\.folds: 5 were given, but class 'rare' has 4 training rows"):
        folds(np.repeat([0, 1], [20, 4]), CLASSES, RandomSplit(folds=5), None, 0, "tasks.t")


def test_folds_by_group_hold_whole_groups_of_like_size() -> None:
    values = np.repeat(np.arange(9), [300, 200, 100, 100, 100, 50, 50, 50, 50])
    fold = folds(np.zeros(ROWS, np.int64), ("a",), by_group(0.1, 0.1, 3), values, 0, "tasks.t")
    assert all(len(set(fold[values == group])) == 1 for group in range(9))
    assert max(np.bincount(fold)) - min(np.bincount(fold)) <= 100
    with pytest.raises(InputError, match="10 were given, but the training rows have 9 groups"):
        folds(np.zeros(ROWS, np.int64), ("a",), by_group(0.1, 0.1, 10), values, 0, "tasks.t")


def test_folds_by_time_are_blocks_in_the_order_of_time() -> None:
    moments = np.random.default_rng(0).permutation(ROWS)
    fold = folds(LABELS, CLASSES, by_time(count=4), moments, 0, "tasks.t")
    assert [moments[fold == block].max() for block in range(4)] == [249, 499, 749, 999]
    assert np.bincount(fold).tolist() == [250] * 4


def test_the_names_of_splits_are_those_of_the_files() -> None:
    assert SPLITS == ("train", "validation", "test")
