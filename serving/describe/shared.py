"""What operations of a described API have in common: errors, headers, keys."""

from typing import Any

Schema = dict[str, Any]

JSON, CSV, PARQUET, TEXT = "application/json", "text/csv", "application/vnd.apache.parquet", "text/plain"
ERRORS = {
    400: ("BadRequest", "The body cannot be read, or has values that the contract does not allow."),
    401: ("Unauthenticated", "No valid API key is shown."),
    403: ("Forbidden", "The API key is not for this."),
    404: ("NotFound", "Nothing is there, or nothing is live there."),
    405: ("WrongMethod", "The path takes another method; `Allow` says which."),
    408: ("TooSlow", "The body did not arrive in time."),
    413: ("TooLarge", "The body, or the number of rows, is above the limit."),
    415: ("WrongType", "The content type, or a content encoding, is none that is read."),
    429: ("TooMany", "More requests than this key may make; `Retry-After` says when to try again."),
    503: ("Unavailable", "The version is not loaded, or too many requests are being answered; try again."),
    504: ("Late", "No answer within the time that a request may take."),
}
SCORING = tuple(ERRORS)
KEYS = {
    "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    "bearer": {"type": "http", "scheme": "bearer"},
}
ID = {"X-Request-Id": {"description": "the request's own, or one that was made", "schema": {"type": "string"}}}
MADE_BY = {"X-Model-Version": {"description": "the version that answered", "schema": {"type": "string"}}}
_OURS = {name: {"type": "string"} for name in ("error_code", "message")}
ERROR: Schema = {"type": "object", "properties": _OURS, "required": list(_OURS)}
INFERENCE_ERROR: Schema = {
    "type": "object",
    "properties": _OURS | {"error": {"type": "string"}},
    "required": ["error"],
}
INFERENCE = "Inference"


def responses() -> dict[str, Schema]:
    """All errors, by name; those of the Open Inference Protocol have another shape."""
    found = {}
    for status, (name, text) in ERRORS.items():
        content = {JSON: {"schema": ref("Error")}}
        if status == 415:
            content[TEXT] = {"schema": {"type": "string"}}
        found[name] = {"description": text, "headers": ID, "content": content}
        content = {JSON: {"schema": ref("InferenceError")}}
        found[f"{INFERENCE}{name}"] = {"description": text, "headers": ID, "content": content}
    return found


def refusals(*statuses: int, secured: bool, of: str = "") -> dict[str, Schema]:
    """The errors of an operation, or of one `of` the Open Inference Protocol; of keys only where they are in force."""
    return {
        str(status): {"$ref": f"#/components/responses/{of}{ERRORS[status][0]}"}
        for status in statuses
        if secured or status not in (401, 403)
    }


def ref(name: str) -> Schema:
    """A schema by its name."""
    return {"$ref": f"#/components/schemas/{name}"}


def answered(schema: Schema, text: str = "The answer.", kind: str = JSON, by: bool = False) -> Schema:
    """A good answer; `by` a version if it is one of scoring."""
    return {
        "description": text,
        "headers": ID | (MADE_BY if by else {}),
        "content": {kind: {"schema": schema}},
    }
