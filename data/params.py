"""`params.yaml`, read and checked once, with messages that name the key."""

import codecs
import re
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import ruamel.yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from data.errors import InputError

PARAMS = Path("params.yaml")
SECTIONS = ("seed", "tasks", "models", "ensembles", "search", "gate", "reproduce")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")

Kind = Literal["number", "boolean", "category", "time", "text", "image", "sequence"]
T = TypeVar("T", bound=BaseModel)


class Strict(BaseModel):
    """A part of `params.yaml`: frozen, and without unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Source(Strict):
    """Where a task's rows come from: files, or a query to a database.

    A path names a text table (.csv, .csv.gz …), a .parquet file or a .py file with `read()`, or is a pattern of
    several files of one kind. What is found out about text tables can be set: separator, decimal mark, encoding.
    """

    path: Path | None = None
    url: str | None = None
    query: str | None = None
    separator: Annotated[str, Field(min_length=1, max_length=1)] | None = None
    decimal: Literal[".", ","] | None = None
    encoding: str | None = None

    @field_validator("encoding")
    @classmethod
    def _known_encoding(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                codecs.lookup(value)
            except LookupError:
                raise PydanticCustomError(
                    "encoding", "no known encoding; expected one such as utf-8 or cp1252"
                ) from None
        return value

    @model_validator(mode="after")
    def _files_or_query(self) -> "Source":
        if (self.path is None) == (self.url is None and self.query is None):
            raise PydanticCustomError("source", "expected either path, or url and query")
        if (self.url is None) != (self.query is None):
            raise PydanticCustomError("source", "url and query go together; give both")
        return self


class Tensor(Strict):
    """An image or a sequence: nested lists of one shape, with values from `low` to `high`."""

    kind: Literal["image", "sequence"]
    shape: Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(min_length=2, max_length=3)]
    low: float
    high: float


class Time(Strict):
    """A time written in a form of its own, such as %d/%m/%Y %H:%M (the codes of `strptime`)."""

    kind: Literal["time"]
    format: str


def _form(value: object) -> str:
    kind = value.get("kind") if isinstance(value, dict) else getattr(value, "kind", None)
    if not isinstance(value, dict | BaseModel):
        return "word"
    return "moment" if kind == "time" else "tensor"


FORMS = ("word", "moment", "tensor")
_NESTED = Annotated[Time, Tag("moment")] | Annotated[Tensor, Tag("tensor")]
Declared = Annotated[Annotated[Kind, Tag("word")] | _NESTED, Discriminator(_form)]
Overridden = Annotated[Annotated[Literal[Kind, "drop"], Tag("word")] | _NESTED, Discriminator(_form)]
Folds = Annotated[int, Field(ge=2, le=100)] | None


class TimeSplit(Strict):
    """Validation and test are the rows from these moments on; folds are consecutive blocks of the training rows."""

    by: Literal["time"]
    column: str
    validation: str
    test: str
    folds: Folds = None

    @field_validator("validation", "test", mode="before")
    @classmethod
    def _dates_unquoted_in_yaml(cls, value: object) -> str:
        return str(value)


class RandomSplit(Strict):
    """Validation and test are shares of the rows, drawn at random within each class, and so are folds."""

    by: Literal["random"] = "random"
    validation: Annotated[float, Field(gt=0, lt=0.5)] = 0.1
    test: Annotated[float, Field(gt=0, lt=0.5)] = 0.2
    folds: Folds = None


class GroupSplit(Strict):
    """Validation and test are the rows of whole groups, such as persons: named ones, or a share of all groups."""

    by: Literal["group"]
    column: str
    validation: Annotated[float, Field(gt=0, lt=0.5)] | list[str] = 0.1
    test: Annotated[float, Field(gt=0, lt=0.5)] | list[str] = 0.2
    folds: Folds = None

    @field_validator("validation", "test", mode="before")
    @classmethod
    def _groups_may_be_numbers(cls, value: object) -> object:
        return [str(name) for name in value] if isinstance(value, list) else value


class Decision(Strict):
    """How a label follows from probabilities: a threshold chosen for an aim, a fixed one, or the least cost.

    `costs` names what each predicted class (inner) costs for each actual class (outer).
    """

    aim: Literal["f1", "cost"] | None = None
    costs: dict[str, dict[str, Annotated[float, Field(allow_inf_nan=False)]]] | None = None
    threshold: Annotated[float, Field(gt=0, lt=1)] | None = None

    @field_validator("costs", mode="before")
    @classmethod
    def _classes_may_be_numbers(cls, value: object) -> object:
        if not isinstance(value, dict):
            return value
        return {
            str(actual): {str(predicted): cost for predicted, cost in row.items()} if isinstance(row, dict) else row
            for actual, row in value.items()
        }

    @model_validator(mode="after")
    def _one_rule(self) -> "Decision":
        if (self.aim is None) == (self.threshold is None) or (self.aim == "cost") != bool(self.costs):
            raise ValueError("expected one of {aim: f1}, {aim: cost, costs: {…}} and {threshold: 0.3}")
        return self


class Task(Strict):
    """One prediction problem, as declared under `tasks:`.

    `columns` names the inputs, exactly these; without it they are inferred, and `override` adjusts single ones.
    """

    source: Source
    target: str
    positive: str | None = None
    columns: Annotated[dict[str, Declared], Field(min_length=1)] | None = None
    override: dict[str, Overridden] = Field(default_factory=dict)
    on_bad_rows: Literal["stop", "drop", "quarantine"] = "stop"
    on_leak: Literal["warn", "stop"] = "warn"
    split: Annotated[TimeSplit | GroupSplit | RandomSplit, Field(discriminator="by")] = RandomSplit()
    decision: Decision | None = None

    @field_validator("target", "positive", mode="before")
    @classmethod
    def _numbers_are_names_too(cls, value: object) -> object:
        return str(value) if isinstance(value, int | float) else value

    @field_validator("override")
    @classmethod
    def _of_what_is_inferred(cls, value: object, info: ValidationInfo) -> object:
        if value and info.data.get("columns"):
            raise PydanticCustomError("override", "`columns` names every input already; use one of the two keys")
        return value

    @field_validator("columns", "override", mode="before")
    @classmethod
    def _names_may_be_numbers(cls, value: object) -> object:
        return {str(name): kind for name, kind in value.items()} if isinstance(value, dict) else value

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
    if loc[:1] in (["columns"], ["override"]):
        loc = loc[:2] + [part for part in loc[2:] if part not in FORMS and "literal[" not in str(part)]
    place = ".".join([key, *map(str, loc)])
    if error["type"] == "extra_forbidden":
        known = ", ".join(model.model_fields) if len(error["loc"]) == 1 else ""
        return f"{place}: unknown key" + (f"; known are {known}" if known else "; remove it")
    if error["type"] == "source":  # without the value, which may hold a password
        return f"{place}: {error['msg']}"
    if error["type"] == "missing":
        return f"{place}: missing; add it"
    return f"{place}: {error['input']!r} was given; {error['msg'][0].lower()}{error['msg'][1:]}"
