"""The pages of the Open Inference Protocol that tell of the server and its models."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from serving.contract import Column, Contract
from serving.describe import health, seen
from serving.describe.answer import json
from serving.protocol.errors import Refused
from serving.pyfunc import inference
from serving.pyfunc.served import Pyfunc
from serving.served import Served

PRODUCTION = "Production"  # what a model's name alone means
PLATFORM = "onnxruntime_onnx"
TEXTS = frozenset(("category", "text", "time"))


async def server(request: Request) -> Response:
    """`GET /v2`."""
    seen.visible(request)
    return json({"name": "serving", "version": "2", "extensions": []})


async def live(_: Request) -> Response:
    """`GET /v2/health/live`."""
    return json({"live": True})


async def ready(request: Request) -> Response:
    """`GET /v2/health/ready`."""
    _, code = await health.state(seen.application(request).live)
    return json({"ready": code == 200}, code)


async def model(request: Request) -> Response:
    """`GET /v2/models/{name}` and `GET /v2/models/{name}/versions/{version}`: inputs and outputs."""
    sight = seen.visible(request)
    served = await _asked(request, sight)
    numbers = [str(number) for number in seen.numbers(request, sight, served.version.name)]
    return json(metadata(served, numbers))


async def model_ready(request: Request) -> Response:
    """`GET /v2/models/{name}/ready`, the same of a version."""
    try:
        served = await _asked(request, seen.visible(request))
    except Refused as refused:
        if refused.status != 503:
            raise
        return json({"name": request.path_params["name"], "ready": False}, 503)
    return json({"name": served.version.name, "ready": True})


async def _asked(request: Request, sight: seen.Sight) -> Served | Pyfunc:
    served, _ = await seen.one(
        request, sight, request.path_params["name"], request.path_params.get("version", PRODUCTION)
    )
    return served


def metadata(served: Served | Pyfunc, versions: list[str]) -> dict[str, Any]:
    """A model's tensors; -1 is the number of rows."""
    known = {"name": served.version.name, "versions": versions or [served.number]}
    if isinstance(served, Pyfunc):
        return known | {"platform": "mlflow_pyfunc"} | inference.metadata(served.contract)
    return known | {
        "platform": PLATFORM,
        "inputs": [
            {"name": one.name, "datatype": datatype(one), "shape": shape(one)} for one in served.contract.columns
        ],
        "outputs": outputs(served.contract),
    }


def datatype(column: Column) -> str:
    """A column's type; a time is a text, since a 32-bit number has not its seconds."""
    return "BYTES" if column.kind in TEXTS else "FP32"


def shape(column: Column) -> list[int]:
    """A column's shape."""
    return [-1, *(column.shape or (1,))]


def outputs(contract: Contract) -> list[dict[str, Any]]:
    """The label and the class probabilities."""
    return [
        {"name": "label", "datatype": "BYTES", "shape": [-1]},
        {"name": "probabilities", "datatype": "FP32", "shape": [-1, len(contract.classes)]},
    ]
