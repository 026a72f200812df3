"""Suspicions that the inputs tell the target: raised, never acted on in silence."""

from typing import Any

import numpy as np
import pandas as pd

SAMPLE = 20_000  # rows that columns are tried on
ERRORS_SAVED = 0.95  # share of the baseline's errors that a column alone avoids
AUC = 0.995
LEAST_ERRORS = 5  # of the baseline, below which nothing can be said
REPEATED = 0.01  # share of validation or test rows that repeat a training row, from which on it is a suspicion
BEYOND = 3  # standard deviations above what chance explains


def columns(rows: pd.DataFrame, codes: np.ndarray, numeric: set[str], seed: int) -> dict[str, str]:
    """The columns that alone predict the target almost perfectly, with how well.

    Half of the rows say which class each value goes with, the other half is predicted by it.

    Args:
        rows: a sample of typed rows.
        codes: their classes.
        numeric: the columns whose order means something.
        seed: of the halving.
    """
    half = np.random.default_rng(seed).permutation(len(rows)) % 2 == 0
    count = int(codes.max()) + 1 if len(codes) else 0
    found: dict[str, str] = {}
    for name in rows:
        values = rows[name]
        saved = _errors_saved(_groups(values, name in numeric), codes, half, count)
        if saved is not None and saved >= ERRORS_SAVED:
            found[str(name)] = f"it alone avoids {saved:.0%} of the errors of guessing the most frequent class"
        elif count == 2 and name in numeric and (auc := _auc(values, codes)) >= AUC:
            found[str(name)] = f"it alone ranks the rows with AUC {auc:.3f}"
    return found


def repeats(hashes: np.ndarray, parts: np.ndarray, names: tuple[str, ...]) -> dict[str, tuple[int, int]]:
    """For each split but the first, how many of its rows have the same inputs as a row of the first, and its rows."""
    known = np.unique(hashes[parts == 0])
    counts = {}
    for place, name in enumerate(names[1:], start=1):
        own = hashes[parts == place]
        counts[name] = (int(np.isin(own, known).sum()), len(own))
    return counts


def chance(inputs: pd.DataFrame, texts: set[str], known: int) -> float:
    """The share of rows that have the same inputs as one of `known` others by chance, if columns are independent.

    Args:
        inputs: a sample of typed rows; of a text, whether it is missing, as 1 or 0.
        texts: the columns of texts, of which two are equal by chance only where both are missing.
        known: how many rows a row might repeat.
    """
    pairs = len(inputs) * (len(inputs) - 1)
    same = 1.0 if pairs else 0.0
    for name in inputs:
        counts = inputs[name].value_counts(dropna=False)
        alike = counts[counts.index == 1] if name in texts else counts
        same *= float((alike * (alike - 1)).sum()) / max(pairs, 1)
    return float(-np.expm1(-known * same))


def _groups(values: pd.Series, ordered: bool) -> np.ndarray:
    if not ordered:
        return np.asarray(pd.factorize(values)[0]) + 1
    bins = int(np.clip(len(values) / 40, 10, 200))
    if values.nunique() <= bins:
        return np.asarray(pd.factorize(values)[0]) + 1
    return np.asarray(pd.qcut(values.rank(method="average"), bins, labels=False, duplicates="drop").fillna(-1)) + 1


def _errors_saved(groups: np.ndarray, codes: np.ndarray, half: np.ndarray, count: int) -> float | None:
    groups = groups.astype(np.int64)
    table = np.zeros((int(groups.max(initial=0)) + 1, count), dtype=np.int64)
    np.add.at(table, (groups[half], codes[half]), 1)
    usual = int(np.bincount(codes[half], minlength=count).argmax())
    guess = np.where(table.sum(axis=1) > 0, table.argmax(axis=1), usual)
    baseline = int((codes[~half] != usual).sum())
    if baseline < LEAST_ERRORS:
        return None
    return 1 - float((guess[groups[~half]] != codes[~half]).sum()) / baseline


def _auc(values: pd.Series, codes: np.ndarray) -> float:
    known = values.notna().to_numpy()
    ones, zeros = int((codes[known] == 1).sum()), int((codes[known] == 0).sum())
    if min(ones, zeros) < LEAST_ERRORS or known.mean() < 0.5:
        return 0.5
    ranks = values[known].rank().to_numpy()
    auc = (ranks[codes[known] == 1].sum() - ones * (ones + 1) / 2) / (ones * zeros)
    return float(max(auc, 1 - auc))


def warnings(
    rows: pd.DataFrame,
    codes: np.ndarray,
    numeric: set[str],
    identifiers: dict[str, str],
    order: str,
    repeated: dict[str, tuple[int, int]],
    by_chance: float,
    seed: int,
) -> list[dict[str, Any]]:
    """What to warn of: `about` (a column, the order of rows, or a split), `leak` and `words`.

    Args:
        rows: a sample of typed rows; besides inputs, the dropped `identifiers` and the rows' number, `order`.
        codes: their classes.
        numeric: the columns whose order means something.
        identifiers: dropped columns, with why.
        order: the column that has the rows' number.
        repeated: what `repeats` gave.
        by_chance: what `chance` gave.
        seed: of the halving.
    """
    found: list[dict[str, Any]] = []
    for name, how in columns(rows, codes, numeric, seed).items():
        if name == order:
            words = f"the rows are sorted by the target: {how}; whatever counts rows tells it"
            found.append({"about": "order of rows", "leak": False, "words": words})
        elif name in identifiers:
            words = f"{name!r} ({identifiers[name]}) sorts with the target: {how}; it is no input"
            found.append({"about": name, "leak": False, "words": words})
        else:
            words = f"{name!r} predicts the target almost perfectly: {how}; is it known before the target is?"
            found.append({"about": name, "leak": True, "words": words})
    for name, (count, total) in repeated.items():
        if count:
            words = f"{count:,} of {total:,} {name} rows ({count / total:.1%}) have the same inputs as a training row"
            explained = by_chance * total
            beyond = count > max(1, explained + BEYOND * explained**0.5)
            if not beyond and explained >= 1:
                words += f"; chance explains {explained:,.0f}, as the inputs have so few different values"
            found.append({"about": name, "leak": beyond and count >= REPEATED * total, "words": words})
    return found
