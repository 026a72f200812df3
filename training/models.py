"""The declared models: which task, which family, which parameters."""

import importlib
import pkgutil
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from pydantic import Field

from data import params
from data.errors import InputError
from training import families


class Declaration(params.Strict):
    """An entry of `models:` in `params.yaml`."""

    task: str
    family: str
    params: dict[str, Any] = Field(default_factory=dict)


@dataclass(frozen=True)
class Model:
    """A declared model with its family's module and its checked parameters, and what its task declares."""

    name: str
    task: str
    of: params.Task
    family: ModuleType
    params: params.Strict

    @property
    def family_name(self) -> str:
        """The family, as it stands in `params.yaml`."""
        return self.family.__name__.rpartition(".")[2]

    @property
    def weighted(self) -> bool:
        """Whether it is fitted with class weights, so that its probabilities are no shares of rows."""
        return getattr(self.params, "class_weight", None) is not None


def known_families() -> list[str]:
    """The families that exist, one module each."""
    return sorted(module.name for module in pkgutil.iter_modules(families.__path__))


def declared(content: dict[str, Any], name: str) -> Model:
    """The declared model `name`, fully checked.

    Raises:
        InputError: no such model, task or family, or a parameter that the family does not take.
    """
    if name not in content["models"]:
        names = ", ".join(content["models"])
        raise InputError(f"{params.PARAMS}: no model {name!r} under models; declared are {names}")
    key = f"models.{name}"
    entry = params.parse(Declaration, content["models"][name], key)
    if entry.task not in content["tasks"]:
        tasks = ", ".join(content["tasks"])
        raise InputError(f"{params.PARAMS}: {key}.task: no task {entry.task!r}; declared are {tasks}")
    if entry.family not in known_families():
        raise InputError(
            f"{params.PARAMS}: {key}.family: no family {entry.family!r}; known are {', '.join(known_families())}"
        )
    family = importlib.import_module(f"training.families.{entry.family}")
    parameters = params.parse(family.Params, entry.params, f"{key}.params")
    return Model(name, entry.task, params.task(content, entry.task), family, parameters)


def of_task(content: dict[str, Any], task: str) -> list[str]:
    """The names of the models that are declared for a task, in their order.

    Raises:
        InputError: a model's declaration is wrong.
    """
    return [name for name in content["models"] if declared(content, name).task == task]
