"""Raw columns as the plain features that a native model is fitted on; `inputs_graph` computes the same in ONNX."""

from typing import Literal

import numpy as np
import pandas as pd

from data.contract import Column, Contract
from training.features.summary import summary

Plain = Literal["number", "category", "text"]

TIME_PARTS = ("year", "month", "day", "weekday", "hour")
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
    """Images as their pixels, sequences as a summary; float32, shape (rows, features)."""
    values = tensor(rows, column)
    return values.reshape(len(values), -1) if column.kind == "image" else summary(values, column)


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
