"""Training rows of a sequence twice: as they are, and as a mirror shows them."""

from dataclasses import replace
from typing import Annotated, Literal

import numpy as np
import pandas as pd
from pydantic import Field

from data.errors import InputError
from training.families import Rows
from training.features import inputs

Signs = (
    Annotated[
        list[Literal[1, -1]],
        Field(
            min_length=1,
            description="of a sequence: train on each row also with its channels times these, 1 or -1, as where a "
            "left arm moves like a mirrored right one",
        ),
    ]
    | None
)


def twice(rows: Rows, signs: Signs) -> Rows:
    """The rows with a mirrored copy of each training row behind them; without signs, the rows as they are.

    Raises:
        InputError: the task has no sequence, or one of another number of channels.
    """
    if signs is None:
        return rows
    column = rows.contract.tensor
    if column is None or column.kind != "sequence":
        raise InputError(f"mirror changes the channels of a sequence, but {rows.contract.task} has none; remove mirror")
    if len(signs) != column.shape[-1]:
        raise InputError(
            f"mirror: {len(signs)} signs were given, but a step of {column.name!r} has {column.shape[-1]} channels; "
            "give one for each"
        )
    mirrored = inputs.tensor(rows.train, column) * np.array(signs, np.float32)
    copy = pd.DataFrame({column.name: list(mirrored.reshape(len(mirrored), -1))})
    return replace(
        rows,
        train=pd.concat([rows.train, copy], ignore_index=True),
        train_codes=np.concatenate([rows.train_codes, rows.train_codes]),
    )
