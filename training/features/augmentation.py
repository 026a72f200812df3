"""Changed copies of a sequence's training rows: seen in a mirror, and turned in space."""

from typing import Literal

import numpy as np
import pandas as pd
from pydantic import Field

from data.contract import Contract
from data.errors import InputError
from data.params import Strict
from training.features import inputs


class Augmentation(Strict):
    """Which copies a model is trained on beside a sequence's rows."""

    mirror: list[Literal[1, -1]] | None = Field(
        None,
        description="1 or -1 for each channel, by which a mirrored copy's is multiplied; one such copy of each row",
    )
    rotate: float = Field(
        0.0,
        ge=0,
        le=180,
        description="degrees, as a standard deviation, that a turned copy's vectors of x, y and z are all turned by, "
        "about an axis drawn at random",
    )
    copies: int = Field(1, ge=1, le=100, description="turned copies of each row and of each mirrored one")


def augmented(
    params: Augmentation | None, table: pd.DataFrame, codes: np.ndarray, contract: Contract, random: np.random.Generator
) -> tuple[pd.DataFrame, np.ndarray]:
    """Rows and their classes, the copies behind the rows as they are.

    Args:
        params: which copies; None for none.
        table: training rows.
        codes: their classes, shape (rows,).
        contract: of the task.
        random: what angles and axes are drawn from.

    Raises:
        InputError: the task has no sequence, or one whose steps these copies do not go with.
    """
    if params is None:
        return table, codes
    column = contract.tensor
    if column is None or column.kind != "sequence":
        raise InputError(f"augmentation changes a sequence, but {contract.task} has none; remove augmentation")
    shape = list(column.shape)
    values = inputs.tensor(table, column)
    parts = [values]
    if params.mirror:
        channels = int(np.prod(shape[1:]))
        if len(params.mirror) != channels:
            raise InputError(
                f"augmentation.mirror: {len(params.mirror)} signs were given, but a step of {column.name!r} has "
                f"{channels} channels; give one for each"
            )
        parts.append(values * np.array(params.mirror, np.float32).reshape(shape[1:]))
    if params.rotate:
        if len(shape) != 3 or shape[2] != 3:
            raise InputError(
                f"augmentation.rotate turns rows of x, y and z, but {column.name!r} has the shape {shape}; "
                f"declare one such as [{shape[0]}, 2, 3] or remove rotate"
            )
        parts += [_turned(part, params.rotate, random) for _ in range(params.copies) for part in parts]
    rows = np.concatenate(parts)
    return pd.DataFrame({column.name: list(rows.reshape(len(rows), -1))}), np.tile(codes, len(parts))


def _turned(values: np.ndarray, degrees: float, random: np.random.Generator) -> np.ndarray:
    """Each row's vectors turned by one rotation, of another angle and axis for each row."""
    from scipy.spatial.transform import Rotation

    axes = random.normal(size=(len(values), 3))
    axes /= np.linalg.norm(axes, axis=1, keepdims=True)
    angles = np.deg2rad(degrees) * random.normal(size=(len(values), 1))
    turns = Rotation.from_rotvec(axes * angles).as_matrix().astype(np.float32)
    return np.einsum("rsvi,rij->rsvj", values, turns)
