"""Requests of each protocol as requests of MLflow's, and MLflow's answers as answers of each protocol."""

import json
from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from serving.follow.state import Version
from serving.protocol.errors import Refused, bad_request, invalid
from serving.protocol.loose import decoded
from serving.pyfunc import inference
from serving.pyfunc.asked import JSON, Asked
from serving.pyfunc.signature import Signature

encode = msgspec.json.Encoder().encode


class Protocol(NamedTuple):
    """How a protocol's requests become MLflow's, and its answers are made of MLflow's."""

    read: Callable[[bytes, bytes | None, Signature], Asked]
    write: Callable[[bytes, Asked, Version], bytes]


class _Split(Struct):
    data: list[Raw]


class _Layouts(Struct):
    dataframe_split: _Split | UnsetType = UNSET
    dataframe_records: list[Raw] | UnsetType = UNSET
    instances: list[Raw] | UnsetType = UNSET
    inputs: Raw | UnsetType = UNSET


class _Plain(Struct):
    features: Any = UNSET
    input_data: Any = UNSET
    params: dict[str, Any] | UnsetType = UNSET
    probabilities: bool = False


class _Answer(Struct):
    predictions: Raw


_layouts = msgspec.json.Decoder(_Layouts).decode
_plain = msgspec.json.Decoder(_Plain).decode
_answer = msgspec.json.Decoder(_Answer).decode
_list = msgspec.json.Decoder(list[Raw]).decode
_object = msgspec.json.Decoder(dict[str, Raw]).decode


def from_invocations(body: bytes, content_type: bytes | None, _: Signature) -> Asked:
    """A request of MLflow's own protocol, which passes as it is once it is found to be readable.

    Raises:
        Refused: it has no content type, or is no JSON.
    """
    if content_type is None:
        raise unsupported()
    if content_type.partition(b";")[0].strip() != JSON:
        return Asked(body, content_type, None)
    try:
        found = _layouts(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        decoded(body)  # NaN, and what MLflow will refuse
        return Asked(body, content_type, None)
    for rows in (found.dataframe_split, found.dataframe_records, found.instances):
        if not isinstance(rows, UnsetType):
            return Asked(body, content_type, len(rows.data if isinstance(rows, _Split) else rows))
    return Asked(body, content_type, _rows_of(found.inputs) if not isinstance(found.inputs, UnsetType) else None)


def _rows_of(inputs: Raw) -> int | None:
    try:
        return len(_list(inputs))
    except (msgspec.MsgspecError, RecursionError):
        pass
    try:
        return max((len(_list(one)) for one in _object(inputs).values()), default=None)
    except (msgspec.MsgspecError, RecursionError):
        return None


def from_plain(body: bytes, _: bytes | None, signature: Signature) -> Asked:
    """A request of the plain API: `features` or `input_data`, rows in the order of the signature, or one flat row.

    Raises:
        Refused: it is none, or a row has another number of values than the signature.
    """
    try:
        found = _plain(body)
    except msgspec.ValidationError:
        raise bad_request(
            'expected {"features": [[…], …]} or {"input_data": …}, and params as an object if any'
        ) from None
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        decoded(body)
        raise bad_request("the body is no JSON that the standard has, such as NaN; send null instead") from None
    if (found.features is UNSET) == (found.input_data is UNSET):
        raise bad_request(f"expected features or input_data, one of them; the values of a row are {signature.expected}")
    if found.probabilities:
        raise invalid("the model tells no probabilities; ask without them")
    rows = found.input_data if found.features is UNSET else found.features
    rows = _as_rows(rows, signature)
    asked = _tensors(rows, signature) if signature.tensors else _split(rows, signature)
    if not isinstance(found.params, UnsetType):
        asked["params"] = found.params
    return Asked(encode(asked), JSON, len(rows))


def _as_rows(given: Any, signature: Signature) -> list[Any]:
    """A list of rows; one flat row becomes a list of itself."""
    if not isinstance(given, list):
        given = [given]
    if not given:
        raise invalid(f"there is no row; the values of a row are {signature.expected}")
    if signature.tensors and len(signature.inputs) == 1:
        depth, first = 0, given
        while isinstance(first, list) and first:
            depth, first = depth + 1, first[0]
        return [given] if depth == len(signature.inputs[0].shape) - 1 else given
    if not any(isinstance(row, list | dict) for row in given):
        return [[value] for value in given] if len(signature.inputs) == 1 else [given]
    rows = [_ordered(row, signature) if isinstance(row, dict) else row for row in given]
    if not all(isinstance(row, list) for row in rows):
        raise invalid(f"a row is no list; the values of a row are {signature.expected}")
    return rows


def _ordered(row: dict[str, Any], signature: Signature) -> list[Any]:
    if missing := [one.name for one in signature.inputs if one.required and one.name not in row]:
        raise invalid(f"columns are missing: {', '.join(missing)}; expected {signature.expected}")
    return [row.get(name) for name in signature.names]


def _split(rows: list[Any], signature: Signature) -> dict[str, Any]:
    names = signature.names
    if not names:
        return {"dataframe_split": {"data": rows}}
    lengths = set(map(len, rows))
    length = lengths.pop()
    least = max((place for place, one in enumerate(signature.inputs, 1) if one.required), default=1)
    if lengths or not least <= length <= len(names):
        wanted = str(len(names)) if least == len(names) else f"{least} to {len(names)}"
        raise invalid(f"expected rows of {wanted} values, in this order: {signature.expected}")
    split: dict[str, Any] = {"data": rows}
    if names[0]:
        split["columns"] = names[:length]
    return {"dataframe_split": split}


def _tensors(rows: list[Any], signature: Signature) -> dict[str, Any]:
    names = signature.names
    if len(names) == 1:
        return {"inputs": {names[0]: rows} if names[0] else rows}
    if not all(isinstance(row, list) and len(row) == len(names) for row in rows):
        raise invalid(f"expected rows of {len(names)} tensors, in this order: {signature.expected}")
    return {"inputs": {name: [row[place] for row in rows] for place, name in enumerate(names)}}


def to_invocations(content: bytes, _: Asked, __: Version) -> bytes:
    """MLflow's answer as it is."""
    return content


def to_plain(content: bytes, _: Asked, __: Version) -> bytes:
    """MLflow's answer as `{"prediction": …}`."""
    try:
        return encode({"prediction": _answer(content).predictions})
    except msgspec.MsgspecError:  # NaN, which MLflow writes although JSON has none
        return json.dumps({"prediction": json.loads(content).get("predictions")}, separators=(",", ":")).encode()


def rows_of(content: bytes) -> int:
    """How many rows MLflow's answer has; 1 where it is no list."""
    try:
        return len(_list(_answer(content).predictions))
    except msgspec.MsgspecError:
        pass
    try:
        found = json.loads(content)["predictions"]
    except (ValueError, KeyError, TypeError):
        return 1
    return len(found) if isinstance(found, list) else 1


def unsupported() -> Refused:
    """A content type that MLflow does not take."""
    expected = "application/json, text/csv or application/vnd.apache.parquet, with no parameter but charset=utf-8"
    return Refused(415, "UNSUPPORTED_MEDIA_TYPE", f"Content-Type: expected {expected}", plain=True)


def lacking(asked: Asked, signature: Signature) -> str:
    """What MLflow found wrong with a request, told anew, as its own message quotes what was sent.

    Raises:
        Refused: it is no JSON.
    """
    given = None
    if asked.content_type.partition(b";")[0].strip() == JSON:
        given = _columns(decoded(asked.body))
    missing = [one.name for one in signature.inputs if one.required and given is not None and one.name not in given]
    if missing and signature.names[0]:
        return f"columns are missing: {', '.join(missing)}; expected {signature.expected}"
    return f"the request is none that the model takes; expected {signature.expected}"


def _columns(document: Any) -> set[str] | None:
    """The names of a request's columns; None if it has none."""
    if not isinstance(document, dict):
        return None
    split, inputs = document.get("dataframe_split"), document.get("inputs")
    records = document.get("dataframe_records") or document.get("instances")
    if isinstance(split, dict) and isinstance(split.get("columns"), list):
        return {str(name) for name in split["columns"]}
    if isinstance(inputs, dict):
        return set(inputs)
    if isinstance(records, list) and records and isinstance(records[0], dict):
        return set(records[0])
    return None


PROTOCOLS = {
    "invocations": Protocol(from_invocations, to_invocations),
    "predict": Protocol(from_plain, to_plain),
    "infer": Protocol(inference.read, inference.write),
}
"""By the last part of a path."""
