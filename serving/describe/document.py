"""The pages `/openapi.json`: every operation, with the types of the contracts that are live."""

import contextlib
import re
from collections import OrderedDict
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from serving.contract import Contract
from serving.describe import own, paths, schema, seen, shared
from serving.describe.inference import PRODUCTION
from serving.describe.older import older
from serving.describe.paths import Model, Typed
from serving.protocol.errors import Refused
from serving.served import Served

KEPT = 8  # documents, of keys that see different parts
ABOUT = (
    "Answers of every registered model and stage. Each address answers with the version that the registry names at "
    "that moment, and says in `X-Model-Version` which that was."
)


async def page(request: Request) -> Response:
    """`GET /openapi.json`: OpenAPI 3.1."""
    return _answer((await _documents(request))[0])


async def older_page(request: Request) -> Response:
    """`GET /docs/openapi.json`: the same as OpenAPI 3.0, which is all that the pages at `/docs` read."""
    return _answer((await _documents(request))[1])


def _answer(content: bytes) -> Response:
    return Response(content, headers={"cache-control": "no-store"}, media_type="application/json")


async def _documents(request: Request) -> tuple[bytes, bytes]:
    sight = seen.visible(request)
    models: dict[str, tuple[dict[str, Served], list[int]]] = {}
    for place in seen.places(request, sight):
        if not isinstance(place.served, Served):
            continue  # its page under /models has its signature
        live, _ = models.setdefault(place.slot.name, ({}, seen.numbers(request, sight, place.slot.name)))
        live[place.slot.reference] = place.served
    default = None
    if address := seen.default(request, sight):
        with contextlib.suppress(Refused):  # then its paths answer nothing either
            found, _ = await seen.one(request, sight, *address.split("/", 1))
            default = found if isinstance(found, Served) else None
    secured = sight is not seen.ANYONE
    key = repr(
        [
            (name, [(ref, one.name, one.version.digest) for ref, one in live.items()], n)
            for name, (live, n) in models.items()
        ]
        + [default and default.name, secured]
    )
    kept: OrderedDict[str, tuple[bytes, bytes]] = request.app.state.documents
    if key not in kept:
        content = build(models, default, secured)
        kept[key] = msgspec.json.encode(content), msgspec.json.encode(older(content))
        while len(kept) > KEPT:
            kept.popitem(last=False)
    kept.move_to_end(key)
    return kept[key]


def build(
    models: dict[str, tuple[dict[str, Served], list[int]]], default: Served | None, secured: bool
) -> dict[str, Any]:
    """The document.

    Args:
        models: by name what answers for each reference, and the numbers that can be asked.
        default: what answers where a path names no version.
        secured: whether keys are in force.
    """
    prefixes: dict[tuple[str, Contract], str] = {}

    def typed(served: Served) -> Typed:
        return Typed(served, _prefix(served, prefixes))

    operations: dict[str, Any] = {}
    if default is not None:
        operations |= paths.of_default(typed(default), secured)
    inference: dict[str, Any] = {}
    for name, (live, numbers) in models.items():
        model = Model(name, {reference: typed(served) for reference, served in live.items()}, numbers)
        operations |= paths.of_model(model, secured)
        inference |= paths.of_inference(model, model.live.get(PRODUCTION), secured)
    operations |= own.paths(secured, list(models)) | inference
    schemas = dict(own.SCHEMAS)
    for (_, contract), prefix in prefixes.items():
        schemas |= schema.schemas(contract, prefix)
    components: dict[str, Any] = {"schemas": schemas, "responses": shared.responses()}
    content: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {"title": "Serving", "version": "1", "description": ABOUT},
        "paths": operations,
        "components": components,
    }
    if secured:
        components["securitySchemes"] = shared.KEYS
        content["security"] = [{name: []} for name in shared.KEYS]
    return content


def _prefix(served: Served, prefixes: dict[tuple[str, Contract], str]) -> str:
    """What the schemas of a version's contract are called by: its model, with the number too if that has several."""
    key = (served.version.name, served.contract)
    if key not in prefixes:
        name = re.sub(r"[^A-Za-z0-9_-]", "_", served.version.name)
        if name in prefixes.values() or name in own.SCHEMAS:
            name = f"{name}_{served.number}"
        while name in prefixes.values():  # of names that differ in other letters
            name += "_"
        prefixes[key] = name
    return prefixes[key]
