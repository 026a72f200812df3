"""Some of the rows, each class in its share."""

import numpy as np


def stratified(codes: np.ndarray, most: int, random: np.random.Generator) -> np.ndarray:
    """Places of at most `most` rows, in their order; every class has one, if there are no more classes than that.

    Args:
        codes: classes of the rows, int, shape (rows,).
        most: how many rows to take at most.
        random: what draws them.
    """
    turn = np.empty(len(codes))
    for code in np.unique(codes):
        rows = np.flatnonzero(codes == code)
        turn[random.permutation(rows)] = np.arange(len(rows)) / len(rows)
    return np.sort(np.argsort(turn, kind="stable")[:most])
