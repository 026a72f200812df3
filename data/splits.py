"""Training, validation and test rows, and folds of the training rows."""

import numpy as np

from data.errors import InputError
from data.params import GroupSplit, RandomSplit, TimeSplit

SPLITS = ("train", "validation", "test")
TRAIN, VALIDATION, TEST, NONE = range(4)
Split = TimeSplit | GroupSplit | RandomSplit


def assign(
    labels: np.ndarray,
    classes: tuple[str, ...],
    split: Split,
    values: np.ndarray | None,
    groups: list[str],
    seed: int,
    key: str,
) -> np.ndarray:
    """The split of each row as its place in `SPLITS`, uint8, shape (rows,).

    Args:
        labels: each row's class, as its place in `classes`.
        classes: the class names.
        split: where to cut.
        values: of a split by time each row's moment, in microseconds since 1970 (UTC); of a split by group each
            row's place in `groups`; else None.
        groups: the groups' names, in order.
        seed: of the random draw.
        key: the task's place in `params.yaml`, for messages.

    Raises:
        InputError: a cut is no date, a group does not exist, or a split has no row of some class.
    """
    if isinstance(split, TimeSplit) and values is not None:
        parts = _by_time(values, split, key)
    elif isinstance(split, GroupSplit) and values is not None:
        parts = _by_group(values, groups, split, seed, key)
    elif isinstance(split, RandomSplit):
        parts = _at_random(labels, classes, split, seed, key)
    for place, name in enumerate(SPLITS):
        counts = np.bincount(labels[parts == place], minlength=len(classes))
        if not counts.all():
            label = classes[int(counts.argmin())]
            rows = int((labels == counts.argmin()).sum())
            raise InputError(
                f"params.yaml: {key}.split: no row of class {label!r} falls into {name}; it has {_rows(rows)} in all; "
                "move the cut or bring more rows of that class"
            )
    return parts


def folds(
    labels: np.ndarray, classes: tuple[str, ...], split: Split, values: np.ndarray | None, seed: int, key: str
) -> np.ndarray:
    """The fold of each training row, from 0 to `split.folds` - 1, int8.

    Folds keep the shares of the classes; by group, a group is in one fold; by time, folds are blocks in order.

    Raises:
        InputError: there are fewer rows of a class, or fewer groups, than folds.
    """
    count = split.folds or 1
    random = np.random.default_rng(seed)
    fold = np.zeros(len(labels), dtype=np.int8)
    if isinstance(split, TimeSplit) and values is not None:
        fold[np.argsort(values, kind="stable")] = np.arange(len(labels)) * count // len(labels)
        return fold
    if isinstance(split, GroupSplit) and values is not None:
        found, member = np.unique(values, return_inverse=True)
        if len(found) < count:
            raise InputError(
                f"params.yaml: {key}.split.folds: {count} were given, but the training rows have {len(found)} groups; "
                "give fewer"
            )
        sizes, filled, of_group = np.bincount(member), np.zeros(count), np.zeros(len(found), dtype=np.int8)
        shuffled = random.permutation(len(found))
        for group in shuffled[np.argsort(-sizes[shuffled], kind="stable")]:
            of_group[group] = filled.argmin()
            filled[of_group[group]] += sizes[group]
        return of_group[member]
    for code, name in enumerate(classes):
        rows = random.permutation(np.flatnonzero(labels == code))
        if len(rows) < count:
            raise InputError(
                f"params.yaml: {key}.split.folds: {count} were given, but class {name!r} has {len(rows)} training "
                "rows, so that a fold would have none; give fewer, or bring more rows of that class"
            )
        fold[rows] = (np.arange(len(rows)) + code) % count
    return fold


def cuts(split: TimeSplit, key: str) -> tuple[int, int]:
    """The moments from which on rows are validation and test rows, in microseconds since 1970 (UTC).

    Raises:
        InputError: a cut is no date, or they are in the wrong order.
    """
    import pandas as pd

    moments = []
    for name in SPLITS[1:]:
        moment = pd.to_datetime(getattr(split, name), utc=True, errors="coerce")
        if pd.isna(moment):
            raise InputError(
                f"params.yaml: {key}.split.{name}: {getattr(split, name)!r} is no date; expected one like 2013-10-01"
            )
        moments.append(round(moment.timestamp() * 1_000_000))
    if moments[0] >= moments[1]:
        raise InputError(f"params.yaml: {key}.split: validation must begin before test; exchange the dates")
    return moments[0], moments[1]


def _by_time(values: np.ndarray, split: TimeSplit, key: str) -> np.ndarray:
    validation, test = cuts(split, key)
    return ((values >= validation).astype(np.uint8) + (values >= test)).astype(np.uint8)


def _by_group(values: np.ndarray, groups: list[str], split: GroupSplit, seed: int, key: str) -> np.ndarray:
    free = list(np.random.default_rng(seed).permutation(np.array(groups, dtype=object)))
    total = len(free)
    of_group = dict.fromkeys(groups, TRAIN)
    for place in (TEST, VALIDATION):
        chosen = getattr(split, SPLITS[place])
        if isinstance(chosen, float):
            chosen = free[: max(1, round(total * chosen))]
        if unknown := sorted(set(chosen) - set(free)):
            raise InputError(
                f"params.yaml: {key}.split.{SPLITS[place]}: {split.column!r} has no group {', '.join(unknown)} left; "
                f"left are {', '.join(sorted(free)[:20])}"
            )
        free = [group for group in free if group not in chosen]
        of_group |= dict.fromkeys(chosen, place)
    return np.array([of_group[group] for group in groups], dtype=np.uint8)[values]


def _at_random(labels: np.ndarray, classes: tuple[str, ...], split: RandomSplit, seed: int, key: str) -> np.ndarray:
    random = np.random.default_rng(seed)
    parts = np.zeros(len(labels), dtype=np.uint8)
    for code, name in sorted(enumerate(classes), key=lambda one: one[1]):
        rows = np.flatnonzero(labels == code)
        if len(rows) < len(SPLITS):
            raise InputError(
                f"params.yaml: {key}.target: class {name!r} has {_rows(len(rows))}, "
                "but each split needs one of it, so three at least; bring more of them, or leave them out of the source"
            )
        shuffled = random.permutation(rows)
        test = max(1, round(len(rows) * split.test))
        validation = max(1, round(len(rows) * split.validation))
        parts[shuffled[:test]] = TEST
        parts[shuffled[test : test + validation]] = VALIDATION
    return parts


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count:,} rows"
