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
from training.families import ENSEMBLE


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
    ensembles = content.get("ensembles", {})
    key = f"ensembles.{name}" if name in ensembles else f"models.{name}"
    entry = params.parse(Declaration, content["models"][name], key)
    if entry.task not in content["tasks"]:
        tasks = ", ".join(content["tasks"])
        raise InputError(f"{params.PARAMS}: {key}.task: no task {entry.task!r}; declared are {tasks}")
    if entry.family not in known_families():
        raise InputError(
            f"{params.PARAMS}: {key}.family: no family {entry.family!r}; known are {', '.join(known_families())}"
        )
    family = importlib.import_module(f"training.families.{entry.family}")
    if (entry.family == ENSEMBLE) != (name in ensembles):
        place = "ensembles" if entry.family == ENSEMBLE else "models"
        raise InputError(f"{params.PARAMS}: {key}: a model of the family {entry.family} stands under {place}; move it")
    parameters = params.parse(family.Params, entry.params, f"{key}.params")
    model = Model(name, entry.task, params.task(content, entry.task), family, parameters)
    if name in ensembles:
        _check_members(content, model, f"{key}.params.members")
    return model


def _check_members(content: dict[str, Any], ensemble: Model, key: str) -> None:
    single = [name for name in content["models"] if name not in content["ensembles"]]
    of_task = [name for name in single if declared(content, name).task == ensemble.task]
    for member in ensemble.params.model_dump()["members"]:
        if member not in of_task:
            raise InputError(
                f"{params.PARAMS}: {key}: {ensemble.task} has no model {member!r}; it has {', '.join(of_task)}"
            )


def of_task(content: dict[str, Any], task: str) -> list[str]:
    """The names of the models that are declared for a task, in their order.

    Raises:
        InputError: a model's declaration is wrong.
    """
    return [name for name in content["models"] if declared(content, name).task == task]
