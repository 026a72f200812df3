"""Requests to `/invocations` in every form that MLflow's scoring server takes."""

import json
from collections.abc import Callable
from typing import Any

from serving.contract import Contract
from serving.protocol import csv_table, layouts
from serving.protocol.errors import Refused, bad_request, invalid
from serving.runtime.session import Feeds

CSV = "text/csv"
JSON = "application/json"
PARQUET = "application/vnd.apache.parquet"
LAYOUTS: dict[str, Callable[[Any, Contract], Feeds]] = {
    "dataframe_records": layouts.records,
    "dataframe_split": layouts.split,
    "inputs": layouts.inputs,
    "instances": layouts.instances,
}
FOR_LANGUAGE_MODELS = ("messages", "prompt", "input")


def parse(body: bytes, content_type: str | None, contract: Contract) -> Feeds:
    """The graph's inputs from the body of a request.

    Args:
        body: JSON in one of MLflow's four layouts, CSV with a header, or Parquet.
        content_type: the header of that name, which says which.
        contract: columns, and the shape and range of an image or a sequence.

    Returns:
        Each column: numbers and booleans float32, categories and texts object or `Texts`, times float64 seconds, all
        of shape (rows, 1); images and sequences float32 of shape (rows, ...).

    Raises:
        Refused: the body cannot be read, or is not what the contract wants.
    """
    kind = _media_type(content_type)
    if kind == CSV:
        return csv_table.parse(body, contract)
    if kind == PARQUET:
        from serving.protocol import parquet  # not on every machine, and slow to import

        return parquet.parse(body, contract)
    document = _document(body)
    if any(name in document for name in FOR_LANGUAGE_MODELS):
        raise invalid("requests with messages, prompt or input are for language models; use dataframe_split or inputs")
    given = [name for name in LAYOUTS if name in document]
    if len(given) != 1:
        raise bad_request(
            f"expected an object with exactly one of {', '.join(LAYOUTS)}; found {' and '.join(given) or 'none'}"
        )
    try:
        return LAYOUTS[given[0]](document[given[0]], contract)
    except RecursionError:
        raise bad_request("lists and objects are nested too deeply") from None


def _media_type(content_type: str | None) -> str:
    """What the body is, by the header, which may have a charset of UTF-8 and nothing else."""
    kind, *rest = (part.strip() for part in (content_type or "").split(";"))
    parameters = {name: value for name, _, value in (part.partition("=") for part in rest)}
    if parameters.pop("charset", "utf-8").lower() != "utf-8":
        raise _unsupported("The scoring server only supports UTF-8")
    if parameters:
        raise _unsupported("Content-Type: expected no parameter but charset")
    if kind not in (CSV, JSON, PARQUET):
        raise _unsupported(f"Content-Type: expected {JSON}, {CSV} or {PARQUET}")
    return kind


def _unsupported(message: str) -> Refused:
    return Refused(415, "UNSUPPORTED_MEDIA_TYPE", message, plain=True)


def decoded(body: bytes) -> Any:
    """What a body of JSON holds, NaN and Infinity included.

    Raises:
        Refused: it is no JSON, or more than Python reads.
    """
    try:
        return json.loads(body)
    except json.JSONDecodeError as error:
        raise bad_request(f"the body is no JSON: {error.msg} at line {error.lineno}, column {error.colno}") from None
    except UnicodeDecodeError as error:
        raise bad_request(f"the body is no UTF-8: byte {error.start} cannot be decoded") from None
    except ValueError:  # Python's limit of digits
        raise bad_request("the body has a whole number of too many digits") from None
    except RecursionError:
        raise bad_request("the body has lists and objects that are nested too deeply") from None


def _document(body: bytes) -> dict[str, Any]:
    document = decoded(body)
    if not isinstance(document, dict):
        raise bad_request(f"expected an object with exactly one of {', '.join(LAYOUTS)}")
    return document
