"""The pages `/models`: what is live, since when, and from what it was made."""

import math
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from serving.contract import Column, Contract
from serving.describe import seen
from serving.describe.answer import json
from serving.describe.seen import Place
from serving.live import Slot
from serving.protocol.errors import Refused
from serving.pyfunc.served import Pyfunc
from serving.pyfunc.signature import Signature
from serving.served import Served


async def listed(request: Request) -> Response:
    """`GET /models`: each live version, with its addresses."""
    sight = seen.visible(request)
    default = seen.default(request, sight)
    return json([live(served, found, default) for served, found in seen.by_version(seen.places(request, sight))])


async def model(request: Request) -> Response:
    """`GET /models/{name}`: the live versions of one model, and the numbers of all of them."""
    name = request.path_params["name"]
    sight = seen.visible(request)
    default = seen.default(request, sight)
    found = [place for place in seen.places(request, sight) if place.slot.name == name]
    numbers = seen.numbers(request, sight, name)
    if not found and not numbers:
        if not sight.may(name, "*"):
            raise seen.forbidden()
        raise Refused(404, "RESOURCE_DOES_NOT_EXIST", f"no model is {name!r}; GET /models lists what is live")
    versions = [live(served, of_version, default) for served, of_version in seen.by_version(found)]
    return json({"name": name, "versions": numbers, "live": versions})


async def version(request: Request) -> Response:
    """`GET /models/{name}/{reference}`: one version, with its contract and the example it was registered with."""
    name, reference = request.path_params["name"], request.path_params["reference"]
    sight = seen.visible(request)
    served, slot = await seen.one(request, sight, name, reference)
    found = [place for place in seen.places(request, sight) if place.served is served]
    content = live(served, found, seen.default(request, sight))
    content["address"] = address(slot or str(served.version), slot)
    return json(content | contract(served.contract) | {"example": served.example})


def contract(found: Contract | Signature) -> dict[str, Any]:
    """What requests have to be like; for a model that is no graph of this project it is MLflow's signature."""
    if isinstance(found, Signature):
        return {"signature": found}
    columns = [column(one) for one in found.columns]
    return {"contract": {"task": found.task, "target": found.target, "columns": columns, "classes": found.classes}}


def live(served: Served | Pyfunc, found: list[Place], default: str) -> dict[str, Any]:
    """What a list says of a version."""
    tags = served.version.tags
    graph = None if isinstance(served, Pyfunc) else served
    return {
        "name": served.version.name,
        "version": served.version.number,
        "stage": served.version.stage or None,
        "references": [place.slot.reference for place in found],
        "addresses": [address(place.slot, place.slot) for place in found],
        "since": seen.moment(min((place.slot.since for place in found), default=0)),
        "default": default in {str(place.slot) for place in found} | {str(served.version)},
        "family": tags.get("family"),
        "model": tags.get("model"),
        "graph_digest": graph and served.version.digest,
        "data_digest": tags.get("data.digest"),
        "git_commit": tags.get("git.commit"),
        "run_id": served.version.run_id,
        "target": graph and graph.contract.target,
        "classes": graph and graph.contract.classes,
    }


def address(name: object, slot: Slot | None) -> dict[str, Any]:
    """Where a version is asked."""
    reference = str(name).rpartition("/")[2]
    return {"reference": reference, "path": f"/models/{name}", "since": seen.moment(slot.since) if slot else None}


def column(one: Column) -> dict[str, Any]:
    """A column of a contract; `shape` and range only where it has them."""
    content: dict[str, Any] = {"name": one.name, "kind": one.kind}
    if one.shape:
        content["shape"] = one.shape
    ends = {"low": one.low, "high": one.high}
    return content | {name: value for name, value in ends.items() if math.isfinite(value)}
