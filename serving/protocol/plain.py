"""The plain API: rows in the contract's order, and a list of labels back."""

import math
from typing import Any

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from serving.contract import Column, Contract
from serving.protocol import tensors
from serving.protocol.answers import encode
from serving.protocol.errors import Refused, bad_request
from serving.protocol.fast import Table
from serving.protocol.question import Question
from serving.served import Served
from serving.together import Scores

FORM = '{"features": [[…], …]} or {"input_data": [[…], …]}, and "probabilities": true if they are wanted'


class Body(Struct, forbid_unknown_fields=True):
    """A request."""

    features: Raw | UnsetType = UNSET
    input_data: Raw | UnsetType = UNSET
    probabilities: bool = False


def read(served: Served, body: bytes, content_type: bytes | None) -> Question:
    """The rows of a request: lists in the contract's order, one flat list, or texts or images where they are the input.

    Raises:
        Refused: the body is another, or a value is none that its column allows.
    """
    if content_type is not None and content_type.partition(b";")[0].strip() != b"application/json":
        raise Refused(415, "UNSUPPORTED_MEDIA_TYPE", "expected Content-Type: application/json")
    try:
        request = msgspec.json.decode(body, type=Body)
        given = request.features if request.input_data is UNSET else request.input_data
        if given is UNSET or (request.features is not UNSET and request.input_data is not UNSET):
            raise bad_request(f"expected {FORM}")
        if isinstance(served.reader, Table) and (rows := served.reader.bare_rows(given)):
            return Question(len(rows), rows, options=request.probabilities)
        values = msgspec.json.decode(given)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise bad_request(f"the body is not as expected: {_told(error)}; expected {FORM}") from None
    feeds = _feeds(values, served.contract)
    return Question(len(next(iter(feeds.values()))), feeds=feeds, options=request.probabilities)


def _told(error: Exception) -> str:
    """What is wrong, without the caller's values."""
    if isinstance(error, msgspec.ValidationError) and "unknown field" in str(error):
        return "a field is not known"
    if isinstance(error, msgspec.ValidationError):
        return str(error)
    return "too deeply nested" if isinstance(error, RecursionError) else "no valid JSON"


def _feeds(values: Any, contract: Contract) -> dict[str, Any]:
    if column := contract.tensor:
        return {column.name: tensors.tensor(_cells(values, column), column, flat=True)}
    rows = _rows(values, contract)
    return tensors.feeds({name: [row[place] for row in rows] for place, name in enumerate(contract.names)}, contract)


def _rows(values: Any, contract: Contract) -> list[list[Any]]:
    names = contract.names
    if isinstance(values, str) and len(names) == 1:
        values = [values]
    if not isinstance(values, list) or not values:
        raise bad_request(f"expected a list of rows, each a list of {len(names)} values: {', '.join(names)}")
    if not any(isinstance(value, list | dict) for value in values):
        values = [[value] for value in values] if len(names) == 1 else [values]
    for row, cells in enumerate(values):
        if isinstance(cells, dict) and set(cells) >= set(names):
            values[row] = [cells[name] for name in names]
        elif not isinstance(cells, list) or len(cells) != len(names):
            found = f"{len(cells)} values" if isinstance(cells, list | dict) else "no list"
            raise bad_request(f"row {row} has {found}, expected {len(names)}: {', '.join(names)}")
    return values


def _cells(values: Any, column: Column) -> list[Any]:
    """A batch of images or sequences; one alone is a batch of one."""
    depth, inner = 0, values
    while isinstance(inner, list) and inner:
        depth, inner = depth + 1, inner[0]
    alone = depth == len(column.shape) or (depth == 1 and len(values) == math.prod(column.shape))
    while len(column.shape) + 1 < depth and len(values) == 1:
        values, depth = values[0], depth - 1  # a row of one cell
    if not isinstance(values, list) or not values:
        raise bad_request(f"expected nested lists of numbers of the shape {list(column.shape)}, one or a list of them")
    return [values] if alone else values


def write(served: Served, question: Question, scores: Scores) -> bytes:
    """The answer's body."""
    labels, probabilities = scores
    if not question.options:
        return encode({"prediction": labels})
    classes = served.contract.classes
    return encode(
        {"prediction": labels, "probabilities": [dict(zip(classes, row, strict=True)) for row in probabilities]}
    )


def refuse(refused: Refused) -> bytes:
    """The body of a refusal."""
    return refused.body()
