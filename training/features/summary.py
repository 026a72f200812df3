"""A sequence as a row of numbers that do not depend on when a movement began; `summary_graph` does the same in ONNX."""

import math

import numpy as np

from data.contract import Column

MOST_FREQUENCIES = 12
FAINT = 1e-5
"""Strength of a wave, as a share of the sequence's range, that is added before its logarithm."""
QUIET = 1e-4
"""Deviation, as a share of the range, that a channel is taken to have at least when it is correlated."""
MOST_CHANNELS = 32
"""Most channels that are correlated, as the number of pairs grows by the square."""


def summary(values: np.ndarray, column: Column) -> np.ndarray:
    """The features of sequences, float32, shape (rows, features).

    Of each channel: mean, standard deviation, least and largest value, mean size of a step, and logarithms of the
    strength of its slowest waves. Of each two: their correlation, and each with each a tenth of the sequence later.
    Where a step has rows of numbers, such as x, y and z of a sensor, the length of each row is a channel too.

    It is added up in float64, so that NumPy and the graph give the same float32: a tree's question may hang on the
    last bit.

    Args:
        values: shape (rows, *column.shape).
        column: of the sequence.
    """
    wide = values.astype(np.float64)
    given = wide.reshape(len(wide), column.shape[0], -1)
    if has_rows(column):
        given = np.concatenate([given, np.sqrt((wide**2).sum(axis=3))], axis=2)
    steps, channels, later = sizes(column)
    mean = given.mean(axis=1, keepdims=True)
    centred = given - mean
    spread = np.sqrt((centred**2).sum(axis=1, keepdims=True))
    moved = np.abs(given[:, 1:] - given[:, :-1]).sum(axis=1) / steps
    parts = [mean, spread / np.sqrt(steps), given.min(axis=1), given.max(axis=1), moved]
    if frequencies(steps):
        cosine, sine = (centred.transpose(0, 2, 1) @ wave for wave in waves(steps))
        parts.append(np.log(np.sqrt(cosine**2 + sine**2) + share(FAINT, column)))
    if channels <= MOST_CHANNELS:
        each = centred / np.maximum(spread, share(QUIET, column) * np.sqrt(steps))
        turned = each.transpose(0, 2, 1)
        first, second = pairs(channels)
        parts.append((turned @ each)[:, first, second])
        parts.append(turned[:, :, later:] @ each[:, : steps - later])
    return np.concatenate([part.reshape(len(wide), -1) for part in parts], axis=1).astype(np.float32)


def has_rows(column: Column) -> bool:
    """Whether a step of the sequence has rows of numbers."""
    return len(column.shape) == 3


def sizes(column: Column) -> tuple[int, int, int]:
    """The sequence's steps, its channels with the lengths of rows, and how many steps later they are compared."""
    steps, *step = column.shape
    return steps, math.prod(step) + (step[0] if has_rows(column) else 0), math.ceil((steps - 1) / 10)


def share(of_range: float, column: Column) -> np.float64:
    """A share of the sequence's range."""
    return np.float64(of_range * (column.high - column.low))


def frequencies(steps: int) -> int:
    """How many waves are measured: those with one full turn in the sequence, two, …"""
    return min(MOST_FREQUENCIES, steps // 2)


def waves(steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Cosine and sine of each wave, over the number of steps; float64, shape (steps, frequencies)."""
    angle = 2 * np.pi * np.outer(np.arange(steps), np.arange(1, frequencies(steps) + 1)) / steps
    return np.cos(angle) / steps, np.sin(angle) / steps


def pairs(channels: int) -> tuple[np.ndarray, np.ndarray]:
    """The first and the second of each two channels."""
    return np.triu_indices(channels, 1)
