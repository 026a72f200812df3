"""The parameter `class_weight`: how much a row of each class counts in fitting."""

from typing import Annotated, Literal

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


Given = Literal["balanced"] | dict[str, float] | None


def by_code(given: Given, contract: Contract) -> dict[int, float] | Literal["balanced"] | None:
    """The weights as scikit-learn takes them, classes as codes.

    Raises:
        InputError: the task has no such class.
    """
    if not isinstance(given, dict):
        return given
    if unknown := [name for name in given if name not in contract.classes]:
        raise InputError(
            f"{PARAMS}: class_weight: {contract.target!r} has no class {', '.join(map(repr, unknown))}; "
            f"it has {', '.join(map(repr, contract.classes))}"
        )
    return {code: given.get(name, 1.0) for code, name in enumerate(contract.classes)}


def of_classes(given: Given, contract: Contract, codes: np.ndarray) -> np.ndarray:
    """The weight of each class, float64, shape (classes,).

    Args:
        given: the parameter.
        contract: names the classes.
        codes: the training rows' classes, which `balanced` makes weigh the same in total.

    Raises:
        InputError: the task has no such class.
    """
    named = by_code(given, contract)
    count = len(contract.classes)
    if named == "balanced":
        return len(codes) / (count * np.maximum(np.bincount(codes, minlength=count), 1))
    return np.array([named.get(code, 1.0) if isinstance(named, dict) else 1.0 for code in range(count)])
