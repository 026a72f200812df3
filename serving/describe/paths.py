"""Scoring as operations: every address in each protocol, with the schemas of its contract."""

from typing import Any, NamedTuple
from urllib.parse import quote

from serving.describe import examples, shared
from serving.describe.own import INFERENCE, page, parameter
from serving.describe.shared import CSV, JSON, PARQUET, SCORING, answered, ref, refusals
from serving.served import Served

Schema = dict[str, Any]


class Typed(NamedTuple):
    """A version with the names of its contract's schemas, all of which begin with `prefix`."""

    served: Served
    prefix: str


class Model(NamedTuple):
    """A model: what answers for each of its stages and aliases, and the numbers that it can be asked by."""

    name: str
    live: dict[str, Typed]
    numbers: list[int]


def invocations(where: str, tag: str, found: list[Typed], secured: bool, parameters: tuple[Schema, ...] = ()) -> Schema:
    """MLflow's protocol at one path."""
    content: Schema = {JSON: {"schema": either(found, "Invocations"), **shown(examples.invocations(found[0].served))}}
    if text := examples.comma_separated(found[0].served):
        content[CSV] = {"schema": {"type": "string"}, "example": text}
        content[PARQUET] = {"schema": {"type": "string", "contentMediaType": PARQUET}}
    return post("Score as MLflow does", where, tag, content, either(found, "Predictions"), secured, parameters)


def plain(where: str, tag: str, found: list[Typed], secured: bool, parameters: tuple[Schema, ...] = ()) -> Schema:
    """The plain API at one path."""
    content = {JSON: {"schema": either(found, "Predict"), **shown(examples.plain(found[0].served))}}
    return post(
        "Score rows in the contract's order", where, tag, content, either(found, "Prediction"), secured, parameters
    )


def infer(where: str, found: list[Typed], secured: bool, parameters: tuple[Schema, ...] = ()) -> Schema:
    """The Open Inference Protocol at one path."""
    request: Schema = {"schema": either(found, "Infer")}
    if example := examples.infer(found[0].served):
        request["example"] = example
    return post("Score tensors", where, INFERENCE, {JSON: request}, either(found, "Inferred"), secured, parameters)


def either(found: list[Typed], word: str) -> Schema:
    """The schema of one of some contracts."""
    names = sorted({f"{typed.prefix}.{word}" for typed in found})
    return ref(names[0]) if len(names) == 1 else {"anyOf": [ref(name) for name in names]}


def shown(found: dict[str, Any]) -> Schema:
    """Examples by name."""
    return {"examples": {name: {"value": value} for name, value in found.items()}} if found else {}


def post(
    summary: str, where: str, tag: str, content: Schema, good: Schema, secured: bool, parameters: tuple[Schema, ...]
) -> Schema:
    """A path with a POST."""
    of = shared.INFERENCE if tag == INFERENCE else ""
    return {
        "post": {
            "tags": [tag],
            "summary": summary,
            "operationId": f"{summary}: {where}",
            "parameters": list(parameters),
            "requestBody": {"required": True, "content": content},
            "responses": {"200": answered(good, by=True)} | refusals(*SCORING, secured=secured, of=of),
        }
    }


def of_default(typed: Typed, secured: bool) -> dict[str, Schema]:
    """The paths that name no version."""
    return {
        "/invocations": invocations("/invocations", "default", [typed], secured),
        "/predict": plain("/predict", "default", [typed], secured),
        "/api/predict": plain("/api/predict", "default", [typed], secured),
    }


def of_model(model: Model, secured: bool) -> dict[str, Schema]:
    """The paths of a model: those of what is live one by one, those of all numbers as one."""
    root = f"/models/{quote(model.name)}"
    found: dict[str, Schema] = {}
    for reference, typed in model.live.items():
        path = f"{root}/{quote(reference, safe='@')}"
        found[f"{path}/invocations"] = invocations(path, model.name, [typed], secured)
        found[f"{path}/predict"] = plain(path, model.name, [typed], secured)
    if model.numbers and model.live:
        every = list(model.live.values())
        example = next((one.served.version.number for one in every if one.served.version.number in model.numbers), None)
        version = parameter("version", {"type": "integer", "enum": model.numbers}, "its number", example)
        path = f"{root}/{{version}}"
        found[f"{path}/invocations"] = invocations(path, model.name, every, secured, (version,))
        found[f"{path}/predict"] = plain(path, model.name, every, secured, (version,))
    return found


def of_inference(model: Model, production: Typed | None, secured: bool) -> dict[str, Schema]:
    """The paths of a model in the Open Inference Protocol."""
    root = f"/v2/models/{quote(model.name)}"
    found: dict[str, Schema] = {}
    if production is not None:
        found |= _pages(root, secured)
        found[f"{root}/infer"] = infer(root, [production], secured)
    if model.live:
        named = [*model.live, *map(str, model.numbers)]
        version = parameter("version", {"type": "string", "enum": named}, "a stage, an alias or a number", named[0])
        path = f"{root}/versions/{{version}}"
        found |= _pages(path, secured, (version,))
        found[f"{path}/infer"] = infer(path, list(model.live.values()), secured, (version,))
    return found


def _pages(root: str, secured: bool, parameters: tuple[Schema, ...] = ()) -> dict[str, Schema]:
    metadata = page(
        "Inputs and outputs",
        answered(ref("Metadata")),
        *(401, 403, 404, 503),
        secured=secured,
        parameters=parameters,
        tag=INFERENCE,
    )
    ready = page(
        "Whether it is loaded",
        answered(ref("ModelReady")),
        *(401, 403, 404),
        secured=secured,
        parameters=parameters,
        tag=INFERENCE,
    )
    ready["get"]["responses"]["503"] = answered(ref("ModelReady"), "It is not.")
    for one in (metadata, ready):
        one["get"]["operationId"] += f": {root}"
    return {root: metadata, f"{root}/ready": ready}
