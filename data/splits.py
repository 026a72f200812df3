"""Training, validation and test rows."""

import warnings

import numpy as np
import pandas as pd

from data.errors import InputError
from data.params import GroupSplit, RandomSplit, TimeSplit

SPLITS = ("train", "validation", "test")


def assign(
    table: pd.DataFrame, split: TimeSplit | GroupSplit | RandomSplit, target: str, seed: int, key: str
) -> pd.Series:
    """The name of the split that each row belongs to.

    Args:
        table: raw rows with their target.
        split: where to cut.
        target: the column whose classes a random split keeps in proportion.
        seed: of the random draw.
        key: the task's place in `params.yaml`, for messages.

    Raises:
        InputError: the time column is missing or no time, or a split has no row of some class.
    """
    if isinstance(split, TimeSplit):
        names = _by_time(table, split, key)
    elif isinstance(split, GroupSplit):
        names = _by_group(table, split, seed, key)
    else:
        names = _at_random(table, split, target, seed)
    for name in SPLITS:
        for label in table[target].unique():
            if not (names.eq(name) & table[target].eq(label)).any():
                raise InputError(
                    f"params.yaml: {key}.split: no row of class {label!r} falls into {name}; "
                    "move the cut or bring more rows of that class"
                )
    return names


def _by_time(table: pd.DataFrame, split: TimeSplit, key: str) -> pd.Series:
    if split.column not in table:
        raise InputError(
            f"params.yaml: {key}.split.column: the source has no column {split.column!r}; "
            f"it has {', '.join(map(str, table))}"
        )
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Could not infer format", UserWarning)  # what is no time is told below
        moments = pd.to_datetime(table[split.column], utc=True, errors="coerce")
    if moments.isna().any():
        raise InputError(
            f"params.yaml: {key}.split.column: {int(moments.isna().sum())} values of {split.column!r} are no times; "
            "split by another column, or by: random"
        )
    cuts = {name: pd.to_datetime(getattr(split, name), utc=True, errors="coerce") for name in SPLITS[1:]}
    for name, cut in cuts.items():
        if pd.isna(cut):
            raise InputError(
                f"params.yaml: {key}.split.{name}: {getattr(split, name)!r} is no date; expected one like 2013-10-01"
            )
    if cuts["validation"] >= cuts["test"]:
        raise InputError(f"params.yaml: {key}.split: validation must begin before test; exchange the dates")
    names = np.where(moments >= cuts["test"], "test", np.where(moments >= cuts["validation"], "validation", "train"))
    return pd.Series(names, index=table.index)


def _by_group(table: pd.DataFrame, split: GroupSplit, seed: int, key: str) -> pd.Series:
    if split.column not in table:
        raise InputError(
            f"params.yaml: {key}.split.column: the source has no column {split.column!r}; "
            f"it has {', '.join(map(str, table))}"
        )
    groups = table[split.column].astype("str")
    free = list(np.random.default_rng(seed).permutation(np.unique(groups.to_numpy(dtype=object))))
    total = len(free)
    names = pd.Series("train", index=table.index, dtype=object)
    for name in ("test", "validation"):
        chosen = getattr(split, name)
        if isinstance(chosen, float):
            chosen = free[: max(1, round(total * chosen))]
        if unknown := sorted(set(chosen) - set(free)):
            raise InputError(
                f"params.yaml: {key}.split.{name}: {split.column!r} has no group {', '.join(unknown)} left; "
                f"left are {', '.join(sorted(free)[:20])}"
            )
        free = [group for group in free if group not in chosen]
        names[groups.isin(chosen)] = name
    return names


def _at_random(table: pd.DataFrame, split: RandomSplit, target: str, seed: int) -> pd.Series:
    random = np.random.default_rng(seed)
    names = pd.Series("train", index=table.index, dtype=object)
    for _, rows in table.groupby(target, sort=True):
        shuffled = random.permutation(rows.index.to_numpy())
        test = max(1, round(len(rows) * split.test))
        validation = max(1, round(len(rows) * split.validation))
        names.loc[shuffled[:test]] = "test"
        names.loc[shuffled[test : test + validation]] = "validation"
    return names
