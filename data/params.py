"""`params.yaml`, read and checked once, with messages that name the key."""

import re
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import ruamel.yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from data.errors import InputError

PARAMS = Path("params.yaml")
SECTIONS = ("seed", "tasks", "models", "ensembles", "gate")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")

Kind = Literal["number", "boolean", "category", "time", "text", "image", "sequence"]
T = TypeVar("T", bound=BaseModel)


class Strict(BaseModel):
    """A part of `params.yaml`: frozen, and without unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Source(Strict):
    """Where a task's rows come from: a .csv or .parquet file, or a .py file with `read()`."""

    path: Path


class Tensor(Strict):
    """An image or a sequence: nested lists of one shape, with values from `low` to `high`."""

    kind: Literal["image", "sequence"]
    shape: Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(min_length=2, max_length=3)]
    low: float
    high: float


class TimeSplit(Strict):
    """Validation and test are the rows from these moments on."""

    by: Literal["time"]
    column: str
    validation: str
    test: str

    @field_validator("validation", "test", mode="before")
    @classmethod
    def _dates_unquoted_in_yaml(cls, value: object) -> str:
        return str(value)


class RandomSplit(Strict):
    """Validation and test are shares of the rows, drawn at random within each class."""

    by: Literal["random"] = "random"
    validation: Annotated[float, Field(gt=0, lt=0.5)] = 0.1
    test: Annotated[float, Field(gt=0, lt=0.5)] = 0.2


class GroupSplit(Strict):
    """Validation and test are the rows of whole groups, such as persons: named ones, or a share of all groups."""

    by: Literal["group"]
    column: str
    validation: Annotated[float, Field(gt=0, lt=0.5)] | list[str] = 0.1
    test: Annotated[float, Field(gt=0, lt=0.5)] | list[str] = 0.2

    @field_validator("validation", "test", mode="before")
    @classmethod
    def _groups_may_be_numbers(cls, value: object) -> object:
        return [str(name) for name in value] if isinstance(value, list) else value


class Task(Strict):
    """One prediction problem, as declared under `tasks:`."""

    source: Source
    target: str
    positive: str | None = None
    columns: Annotated[dict[str, Kind | Tensor], Field(min_length=1)] | None = None
    split: Annotated[TimeSplit | GroupSplit | RandomSplit, Field(discriminator="by")] = RandomSplit()

    @field_validator("target", "positive", mode="before")
    @classmethod
    def _numbers_are_names_too(cls, value: object) -> object:
        return str(value) if isinstance(value, int | float) else value

    @field_validator("split", mode="before")
    @classmethod
    def _random_by_default(cls, value: object) -> object:
        return {"by": "random", **value} if isinstance(value, dict) else value


def load(path: Path = PARAMS) -> dict[str, Any]:
    """The sections of `params.yaml` as plain values; the ensembles stand among the models, too.

    Raises:
        InputError: the file is missing, is no YAML, repeats a key or has an unknown section.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InputError(f"{path} is not in this folder; run the command in the repository's root") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: no UTF-8 text ({error.reason}, byte {error.start}); save it as UTF-8") from None
    try:
        content = ruamel.yaml.YAML(typ="safe", pure=True).load(text)
    except ruamel.yaml.reader.ReaderError as error:
        raise InputError(f"{path}: a character in it is none of YAML's (#x{error.character:02x}); remove it") from None
    except ruamel.yaml.constructor.DuplicateKeyError as error:
        line = error.problem_mark.line + 1
        name = re.search(r'"(.*?)"', str(error.problem))
        raise InputError(
            f"{path}, line {line}: the name {name.group(1) if name else '?'} is declared twice; rename one"
        ) from None
    except ruamel.yaml.error.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else "?"
        raise InputError(f"{path}, line {line}: not valid YAML ({error.problem}); fix that line") from None
    if not isinstance(content, dict):
        raise InputError(f"{path}: expected the sections {', '.join(SECTIONS)}, found none")
    for section in content:
        if section not in SECTIONS:
            raise InputError(f"{path}: unknown section {section!r}; the sections are {', '.join(SECTIONS)}")
    content.setdefault("ensembles", {})
    for section in ("tasks", "models", "ensembles"):
        if not isinstance(content.get(section), dict) or not (content[section] or section == "ensembles"):
            raise InputError(f"{path}: section {section} must declare at least one name")
        content[section] = {str(name): value for name, value in content[section].items()}  # YAML reads 2024 as a number
        for name in content[section]:
            if not NAME.fullmatch(name):
                raise InputError(
                    f"{path}: {section}.{name}: a name may have letters, digits, '-' and '_' only; rename it"
                )
    for name in content["ensembles"]:
        if name in content["models"]:
            raise InputError(f"{path}: ensembles.{name}: a model has the same name; rename one")
    content["models"] |= content["ensembles"]
    seed = content.get("seed", "nothing")
    if not isinstance(seed, int) or isinstance(seed, bool) or not 0 <= seed < 2**32:
        raise InputError(f"{path}: seed: {seed!r} was given; expected a whole number from 0 to 4294967295")
    return content


def parse(model: type[T], value: object, key: str, path: Path = PARAMS) -> T:
    """`value` as a `model`; every fault is named by its key in `params.yaml`.

    Raises:
        InputError: a key is unknown, missing or has a wrong value.
    """
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise InputError(f"{path}: " + "; ".join(_fault(model, key, e) for e in error.errors())) from None


def task(content: dict[str, Any], name: str) -> Task:
    """The declared task `name`.

    Raises:
        InputError: no task has this name, or its declaration is wrong.
    """
    if name not in content["tasks"]:
        raise InputError(f"{PARAMS}: no task {name!r} under tasks; declared are {', '.join(content['tasks'])}")
    return parse(Task, content["tasks"][name], f"tasks.{name}")


def _fault(model: type[BaseModel], key: str, error: Any) -> str:
    loc = [part for part in error["loc"] if part != "[key]"]
    if loc[:1] == ["split"] and loc[1:2] in (["time"], ["group"], ["random"]):
        del loc[1]  # pydantic's name of the variant, no key
    place = ".".join([key, *map(str, loc)])
    if error["type"] == "extra_forbidden":
        known = ", ".join(model.model_fields) if len(error["loc"]) == 1 else ""
        return f"{place}: unknown key" + (f"; known are {known}" if known else "; remove it")
    if error["type"] == "missing":
        return f"{place}: missing; add it"
    return f"{place}: {error['input']!r} was given; {error['msg'][0].lower()}{error['msg'][1:]}"
