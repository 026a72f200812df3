"""The parameter `class_weight`: how much a row of each class counts in fitting."""

from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BeforeValidator, Field

from data.contract import Contract
from data.errors import InputError
from data.params import PARAMS


def _named(value: object) -> object:
    """Class names that YAML reads as numbers or booleans, as text."""
    return {str(name): weight for name, weight in value.items()} if isinstance(value, dict) else value


ClassWeight = Annotated[
    Literal["balanced"] | dict[str, Annotated[float, Field(gt=0)]] | None,
    BeforeValidator(_named),
    Field(description="weight of each class: balanced, or by name (1 for those left out); without, all the same"),
]


def by_code(
    given: "str | dict[str, float] | None", contract: Contract
) -> dict[int, float] | Literal["balanced"] | None:
    """The weights as scikit-learn takes them, classes as codes.

    Raises:
        InputError: the task has no such class.
    """
    if given is None or given == "balanced":
        return given
    if unknown := [name for name in given if name not in contract.classes]:
        raise InputError(
            f"{PARAMS}: class_weight: {contract.target!r} has no class {', '.join(map(repr, unknown))}; "
            f"it has {', '.join(map(repr, contract.classes))}"
        )
    return {code: given.get(name, 1.0) for code, name in enumerate(contract.classes)}


def of_rows(given: Any, contract: Contract, codes: np.ndarray) -> np.ndarray:
    """One weight per row, float64, shape (rows,).

    Raises:
        InputError: the task has no such class.
    """
    from sklearn.utils import compute_sample_weight

    return compute_sample_weight(by_code(given, contract), codes)
