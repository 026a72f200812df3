"""Raw columns as the plain features that a native model is fitted on; `inputs_graph` computes the same in ONNX."""

import math
from typing import Literal

import numpy as np
import pandas as pd

from data.contract import Column, Contract

Plain = Literal["number", "category", "text"]

TIME_PARTS = ("year", "month", "day", "weekday", "hour")
QUANTILES = (0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0)
MOST_CHANNELS = 32
"""Most channels of a sequence whose correlations are features, as their number grows by the square."""
QUIET = 1e-4
"""Deviation, as a share of a sequence's range, that a channel is taken to have at least for its correlations."""
LOWER = str.maketrans({chr(code): chr(code + 32) for code in range(ord("A"), ord("Z") + 1)})
"""Lower case of ASCII letters; other letters stay, as the graph knows no locale."""


def columns(contract: Contract) -> dict[str, Plain]:
    """The plain columns of a table and their kinds: one for each raw column, but five parts for each time.

    They have names of their own, so that no name of a raw column can clash with a converter's.
    """
    plain: dict[str, Plain] = {}
    for place, column in enumerate(contract.columns):
        if column.kind == "time":
            plain |= {f"c{place}_{part}": "number" for part in TIME_PARTS}
        elif column.kind in ("category", "text"):
            plain[f"c{place}"] = column.kind
        else:
            plain[f"c{place}"] = "number"
    return plain


def table(rows: pd.DataFrame, contract: Contract) -> pd.DataFrame:
    """The plain columns of `rows`: numbers float32, times split into parts, texts in lower case."""
    plain: dict[str, pd.Series | np.ndarray] = {}
    for place, column in enumerate(contract.columns):
        values = rows[column.name]
        if column.kind == "time":
            plain |= {f"c{place}_{part}": value for part, value in _time_parts(values).items()}
        elif column.kind == "text":
            plain[f"c{place}"] = lower(values)
        elif column.kind == "category":
            plain[f"c{place}"] = values
        else:
            plain[f"c{place}"] = values.astype(np.float32)
    return pd.DataFrame(plain, index=rows.index)


def tensor(rows: pd.DataFrame, column: Column) -> np.ndarray:
    """Images or sequences as one array, float32, shape (rows, *column.shape), images scaled to 0…1."""
    values = np.stack(rows[column.name].to_list()).astype(np.float32).reshape(-1, *column.shape)
    if column.kind == "image":
        low, span = scale(column)
        values = (values - low) / span
    return values


def scale(column: Column) -> tuple[np.float32, np.float32]:
    """What to subtract from an image's values and then to divide them by."""
    return np.float32(column.low), np.float32(column.high - column.low)


def flat(rows: pd.DataFrame, column: Column) -> np.ndarray:
    """Images as their pixels, sequences as a summary; float32, shape (rows, features).

    The summary has each channel's mean, standard deviation, mean size of a step and quantiles, and how each two
    channels go together: their correlation at the same step, and each with each a tenth of the sequence later. It is
    added up in float64, so that NumPy and the graph give the same float32: a tree's question may hang on the last bit.
    """
    values = tensor(rows, column)
    if column.kind == "image":
        return values.reshape(len(values), -1)
    steps, channels, later = sizes(column)
    values = values.astype(np.float64).reshape(-1, steps, channels)
    mean = values.mean(axis=1, keepdims=True)
    centred = values - mean
    length = np.sqrt((centred**2).sum(axis=1, keepdims=True))
    moved = np.abs(values[:, 1:] - values[:, :-1]).sum(axis=1) / steps
    ordered = np.sort(values, axis=1)[:, ranks(steps)]
    parts = [mean, length / np.sqrt(steps), moved, ordered]
    if channels <= MOST_CHANNELS:
        each = centred / np.maximum(length, shortest(column))
        turned = each.transpose(0, 2, 1)
        first, second = pairs(channels)
        parts.append((turned @ each)[:, first, second])
        parts.append(turned[:, :, later:] @ each[:, : steps - later])
    return np.concatenate([part.reshape(len(values), -1) for part in parts], axis=1).astype(np.float32)


def sizes(column: Column) -> tuple[int, int, int]:
    """A sequence's steps, its channels, and how many steps later two channels are compared."""
    steps = column.shape[0]
    return steps, int(np.prod(column.shape[1:])), math.ceil((steps - 1) / 10)


def shortest(column: Column) -> np.float64:
    """The length that a sequence's centred channel is taken to have at least."""
    return np.float64(QUIET * (column.high - column.low) * np.sqrt(column.shape[0]))


def ranks(steps: int) -> np.ndarray:
    """Places of the quantiles among a channel's ordered values."""
    return np.array([round(share * (steps - 1)) for share in QUANTILES])


def pairs(channels: int) -> tuple[np.ndarray, np.ndarray]:
    """The first and the second of each two channels."""
    return np.triu_indices(channels, 1)


def lower(values: pd.Series) -> pd.Series:
    """Texts with their ASCII letters in lower case."""
    return pd.Series([text.translate(LOWER) for text in values], index=values.index, dtype=object)


def _time_parts(values: pd.Series) -> dict[str, np.ndarray]:
    moments = values.dt
    hour = moments.hour + moments.minute / 60 + (moments.second + moments.microsecond / 1e6) / 3600
    parts = (moments.year, moments.month, moments.day, moments.day_of_week, hour)
    return {
        name: part.to_numpy(dtype=np.float32, na_value=np.nan) for name, part in zip(TIME_PARTS, parts, strict=True)
    }
