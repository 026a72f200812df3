"""The pages that probes ask: does the process live, can it answer, and what is wrong."""

from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from serving.describe import seen
from serving.describe.answer import json
from serving.live import Live, Slot
from serving.protocol.errors import Refused

JSON = "application/json"  # as MLflow's scoring server says of its empty line and of its version


async def ping(request: Request) -> Response:
    """`GET /ping` and `/health`: 200 if the default can be answered, as MLflow's scoring server has it."""
    return Response("\n", 200 if await answers(seen.application(request).live) else 404, media_type=JSON)


async def version(_: Request) -> Response:
    """`GET /version`: MLflow's."""
    for name in ("mlflow-skinny", "mlflow"):
        try:
            return Response(installed(name), media_type=JSON)
        except PackageNotFoundError:
            continue
    raise Refused(404, "RESOURCE_DOES_NOT_EXIST", "MLflow is not installed beside this server")


async def live(_: Request) -> Response:
    """`GET /live`."""
    return json({"status": "live"})


async def ready(request: Request) -> Response:
    """`GET /ready`: 200 while requests are answered, be it by the last known version; 503 while they are not."""
    status, code = await state(seen.application(request).live)
    try:
        sight = seen.visible(request)
    except Refused:
        return json({"status": status}, code)
    reached = seen.application(request).live.state
    registry: dict[str, Any] = {"reachable": not reached.unreachable, "since": seen.moment(reached.since)}
    if reached.unreachable and sight.admin:
        registry["why"] = reached.unreachable
    addresses = {str(slot): address(slot) for slot in seen.slots(request, sight)}
    content = {"status": status, "default": seen.default(request, sight) or None}
    return json(content | {"registry": registry, "addresses": addresses}, code)


async def state(live: Live) -> tuple[str, int]:
    """A word for the whole, and its HTTP status."""
    if not live.complete:
        return "loading", 503
    if not await answers(live):
        return "unavailable", 503
    if live.state.unreachable or any(slot.fault for slot in live.slots.values()):
        return "degraded", 200
    return "ready", 200


async def answers(live: Live) -> bool:
    """Whether the operator's default can be asked; without one, whether any address can."""
    name, _, reference = live.settings.default.rpartition("/")
    if name and reference.isdecimal():
        try:
            return bool(await live.numbered(name, reference))
        except Refused:
            return False
    slots = list(live.slots.values())
    if name:
        slots = [slot for slot in slots if str(slot) == f"{name}/{reference}"]
    elif not slots:
        return bool(live.state.versions)  # each by its number
    return any(slot.served for slot in slots)


def address(slot: Slot) -> dict[str, Any]:
    """What answers for an address, and what was to answer and cannot."""
    content: dict[str, Any] = {
        "version": slot.served.version.number if slot.served else None,
        "since": seen.moment(slot.since),
    }
    if slot.fault:
        content["refused"] = {"version": slot.refused.number if slot.refused else None, "why": slot.fault}
    return content
