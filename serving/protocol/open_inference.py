"""The Open Inference Protocol, version 2, over REST: one tensor for each column."""

from collections.abc import Iterator
from typing import Any

import msgspec
import numpy as np
from msgspec import Struct

from serving.contract import Column, Contract
from serving.protocol import tensors
from serving.protocol.answers import encode
from serving.protocol.errors import Refused, bad_request
from serving.protocol.question import Question
from serving.served import Served
from serving.together import Scores

WHOLE = frozenset(f"{sign}INT{bits}" for sign in ("", "U") for bits in (8, 16, 32, 64))
NUMBERS = WHOLE | {"FP16", "FP32", "FP64", "BOOL"}
LABEL, PROBABILITIES = "label", "probabilities"


class Tensor(Struct):
    """An input."""

    name: str
    shape: list[int]
    datatype: str
    data: list[Any]
    parameters: dict[str, Any] = {}


class Output(Struct):
    """An output that is asked for."""

    name: str
    parameters: dict[str, Any] = {}


class Request(Struct):
    """An inference request."""

    inputs: list[Tensor]
    id: str = ""
    outputs: list[Output] = []
    parameters: dict[str, Any] = {}


class Options(Struct, frozen=True):
    """What the answer repeats."""

    id: str
    outputs: tuple[str, ...]


decode = msgspec.json.Decoder(Request).decode


def read(served: Served, body: bytes, content_type: bytes | None) -> Question:
    """The rows of an inference request.

    Raises:
        Refused: it is none, or a tensor is not as the model's metadata says.
    """
    if content_type is not None and content_type.partition(b";")[0].strip() != b"application/json":
        raise Refused(415, "UNSUPPORTED_MEDIA_TYPE", "expected application/json; tensors as binary data are not read")
    try:
        request = decode(body)
    except (msgspec.MsgspecError, RecursionError) as error:
        told = str(error) if isinstance(error, msgspec.ValidationError) else "it is no valid JSON"
        raise bad_request(f"the body is no inference request: {told}") from None
    names = tuple(output.name for output in request.outputs) or (LABEL, PROBABILITIES)
    if set(names) - {LABEL, PROBABILITIES}:
        raise bad_request(f"an output is asked for that there is not; outputs are {LABEL} and {PROBABILITIES}")
    feeds = _feeds(request.inputs, served.contract)
    return Question(len(next(iter(feeds.values()))), feeds=feeds, options=Options(request.id, names))


def _feeds(given: list[Tensor], contract: Contract) -> dict[str, np.ndarray]:
    by_name = {tensor.name: tensor for tensor in given}
    tensors.refuse_missing(by_name, contract)
    if len(given) != len(contract.columns):
        raise bad_request(f"expected one input for each of {', '.join(contract.names)}, and no others")
    feeds = {column.name: _feed(by_name[column.name], column) for column in contract.columns}
    if len({len(feed) for feed in feeds.values()}) > 1:
        raise bad_request("the inputs have different numbers of rows")
    return feeds


def _feed(tensor: Tensor, column: Column) -> np.ndarray:
    shape, name = tensor.shape, column.name
    if column.shape:
        expected = [-1, *column.shape]
        fits = len(shape) == len(expected) and tuple(shape[1:]) == column.shape
    else:
        expected = [-1]
        fits = len(shape) == 1 or (len(shape) == 2 and shape[1] == 1)
    if not fits or shape[0] < 1:
        raise bad_request(f"{name}: the shape is {shape[:8]}, expected {expected} with one row or more")
    allowed = {"BYTES"} if column.kind in ("category", "text", "time") else NUMBERS
    if tensor.datatype not in allowed:
        raise bad_request(
            f"{name}: the datatype is not that of a {column.kind}, expected {' or '.join(sorted(allowed))}"
        )
    cells = list(flat(tensor.data))
    count = int(np.prod([float(length) for length in shape]))
    if len(cells) != count:
        raise bad_request(f"{name}: there are {len(cells)} values, but a shape of {count}")
    if not column.shape:
        return tensors.feed(cells, column)
    try:
        array = np.array(cells, dtype=np.float32).reshape(shape)
    except (TypeError, ValueError, OverflowError):
        raise bad_request(f"{name}: a value is no number") from None
    return tensors.in_range(array, column)


def flat(data: list[Any]) -> Iterator[Any]:
    """The values of lists in lists, in order."""
    for value in data:
        if isinstance(value, list):
            yield from flat(value)
        else:
            yield value


def write(served: Served, question: Question, scores: Scores) -> bytes:
    """The answer's body."""
    labels, probabilities = scores
    options: Options = question.options
    found = {
        LABEL: {"name": LABEL, "shape": [len(labels)], "datatype": "BYTES", "data": labels},
        PROBABILITIES: {
            "name": PROBABILITIES,
            "shape": [len(labels), len(served.contract.classes)],
            "datatype": "FP32",
            "data": [value for row in probabilities for value in row],
        },
    }
    answer = {
        "model_name": served.version.name,
        "model_version": served.number,
        "outputs": [found[name] for name in options.outputs],
    }
    return encode(answer | ({"id": options.id} if options.id else {}))


def refuse(refused: Refused) -> bytes:
    """The body of a refusal."""
    return encode({"error": refused.message})
