"""The Open Inference Protocol for models that are no graphs: one tensor for each input of the signature."""

import json
import math
from typing import Any

import msgspec
import numpy as np

from serving.follow.state import Version
from serving.protocol import open_inference
from serving.protocol.answers import encode
from serving.protocol.errors import Refused, bad_request, invalid
from serving.protocol.open_inference import Tensor
from serving.pyfunc.asked import JSON, Asked
from serving.pyfunc.signature import Input, Signature

ALONE = "predictions"  # the output of a model that names none


class Options(msgspec.Struct, frozen=True):
    """What the answer repeats, and how an output is called that has no name."""

    id: str
    outputs: tuple[str, ...]
    alone: str


def read(body: bytes, content_type: bytes | None, signature: Signature) -> Asked:
    """An inference request as MLflow's scoring application takes it.

    Raises:
        Refused: it is none, or its inputs are not those of the signature.
    """
    if content_type is not None and content_type.partition(b";")[0].strip() != JSON:
        raise Refused(415, "UNSUPPORTED_MEDIA_TYPE", "expected application/json; tensors as binary data are not read")
    if not signature.known:
        raise invalid("the model was registered without a signature, so that its inputs have no names; ask by /predict")
    try:
        request = open_inference.decode(body)
    except (msgspec.MsgspecError, RecursionError) as error:
        told = str(error) if isinstance(error, msgspec.ValidationError) else "it is no valid JSON"
        raise bad_request(f"the body is no inference request: {told}") from None
    given = _by_input(request.inputs, signature)
    if signature.tensors:
        nested = {name: _nested(tensor).tolist() for name, tensor in given.items()}
        rows = len(next(iter(nested.values())))
        asked: dict[str, Any] = {"inputs": nested if signature.names[0] else next(iter(nested.values()))}
    else:
        columns = {name: _column(name, tensor) for name, tensor in given.items()}
        lengths = set(map(len, columns.values()))
        if len(lengths) != 1:
            raise bad_request("the inputs have different numbers of rows")
        rows = lengths.pop()
        data = list(zip(*columns.values(), strict=True))
        asked = {"dataframe_split": {"columns": list(columns), "data": data}}
    if params := {name: value for name, value in request.parameters.items() if name in signature.params}:
        asked["params"] = params
    alone = signature.outputs[0].name if len(signature.outputs) == 1 else ""
    names = tuple(output.name for output in request.outputs)
    return Asked(encode(asked), JSON, rows, Options(request.id, names, alone or ALONE))


def _by_input(given: list[Tensor], signature: Signature) -> dict[str, Tensor]:
    if len(signature.inputs) == len(given) == 1 and not signature.names[0]:
        return {"": given[0]}
    by_name = {tensor.name: tensor for tensor in given}
    missing = [one.name for one in signature.inputs if one.required and one.name not in by_name]
    if missing or not by_name.keys() <= set(signature.names) or len(by_name) != len(given):
        raise invalid(f"expected one input for each of: {signature.expected}")
    return {name: by_name[name] for name in signature.names if name in by_name}


def _nested(tensor: Tensor) -> np.ndarray:
    try:
        values = list(open_inference.flat(tensor.data))
    except RecursionError:
        raise bad_request(f"{tensor.name}: lists are nested too deeply") from None
    if not tensor.shape or min(tensor.shape) < 0 or math.prod(tensor.shape) != len(values) or not values:
        raise bad_request(f"{tensor.name}: there are {len(values)} values, another number than its shape has")
    found = np.empty(len(values), dtype=object)
    found[:] = values
    return found.reshape(tensor.shape)


def _column(name: str, tensor: Tensor) -> list[Any]:
    if len(tensor.shape) not in (1, 2) or tensor.shape[1:] not in ([], [1]):
        raise bad_request(f"{name}: the shape is {tensor.shape[:8]}, expected [-1] with one row or more")
    return list(_nested(tensor).ravel())


def write(content: bytes, asked: Asked, version: Version) -> bytes:
    """MLflow's answer as outputs: one for each name in it.

    Raises:
        Refused: an output is asked for that there is not.
    """
    options: Options = asked.options
    found = _outputs(json.loads(content).get("predictions"), options.alone)
    if unknown := [name for name in options.outputs if name not in found]:
        raise bad_request(f"{len(unknown)} outputs are asked for that there are not; there are {', '.join(found)}")
    answer = {
        "model_name": version.name,
        "model_version": str(version.number),
        "outputs": [_output(name, found[name]) for name in options.outputs or found],
    }
    return encode(answer | ({"id": options.id} if options.id else {}))


def _outputs(predictions: Any, alone: str) -> dict[str, list[Any]]:
    if isinstance(predictions, dict):
        return {name: values if isinstance(values, list) else [values] for name, values in predictions.items()}
    if not isinstance(predictions, list):
        return {alone: [predictions]}
    if predictions and all(isinstance(row, dict) for row in predictions):
        return {name: [row.get(name) for row in predictions] for name in predictions[0]}
    return {alone: predictions}


def _output(name: str, values: list[Any]) -> dict[str, Any]:
    shape: list[int] = []
    cells: list[Any] = values
    while cells and all(isinstance(cell, list) and len(cell) == len(cells[0]) for cell in cells):
        shape.append(len(cells[0]))
        cells = [inner for cell in cells for inner in cell]
    kinds = {type(cell) for cell in cells} - {type(None)}
    datatype = "BYTES"
    if kinds == {bool}:
        datatype = "BOOL"
    elif kinds == {int}:
        datatype = "INT64"
    elif kinds and kinds <= {int, float}:
        datatype = "FP64"
    elif kinds != {str}:
        cells = [json.dumps(cell) for cell in cells]
    return {"name": name, "shape": [len(values), *shape], "datatype": datatype, "data": cells}


def metadata(signature: Signature) -> dict[str, Any]:
    """`inputs` and `outputs` of the model's metadata."""
    return {
        "inputs": [_described(one, "input") for one in signature.inputs],
        "outputs": [_described(one, ALONE) for one in signature.outputs],
    }


DATATYPES = {
    "boolean": "BOOL",
    "bool": "BOOL",
    "integer": "INT32",
    "long": "INT64",
    "float": "FP32",
    "double": "FP64",
} | {
    f"{kind}{bits}": f"{sign}{bits}"
    for kind, sign in (("int", "INT"), ("uint", "UINT"), ("float", "FP"))
    for bits in (8, 16, 32, 64)
}


def _described(one: Input, name: str) -> dict[str, Any]:
    shape = list(one.shape) if one.tensor else [-1]
    return {"name": one.name or name, "datatype": DATATYPES.get(one.type, "BYTES"), "shape": shape}
