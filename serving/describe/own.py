"""The server's own pages as operations, and the schemas of what they answer."""

from typing import Any

from serving.describe import shared
from serving.describe.shared import ERROR, INFERENCE_ERROR, TEXT, answered, ref, refusals

Schema = dict[str, Any]

STRING: Schema = {"type": "string"}
MAYBE: Schema = {"type": ["string", "null"]}
WHOLE: Schema = {"type": "integer"}
TRUTH: Schema = {"type": "boolean"}
MOMENT: Schema = {"type": ["string", "null"], "format": "date-time"}
SERVER, INFERENCE = "server", "Open Inference Protocol"


def strict(properties: dict[str, Schema], *optional: str) -> Schema:
    """An object with these properties and no others."""
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def many(item: Schema) -> Schema:
    """A list."""
    return {"type": "array", "items": item}


LIVE = {
    "name": STRING,
    "version": WHOLE,
    "stage": MAYBE,
    "references": many(STRING),
    "addresses": many(ref("Address")),
    "since": MOMENT,
    "default": TRUTH,
    "family": MAYBE,
    "model": MAYBE,
    "graph_digest": STRING,
    "data_digest": MAYBE,
    "git_commit": MAYBE,
    "run_id": STRING,
    "target": STRING,
    "classes": many(STRING),
}
COLUMN = {"name": STRING, "kind": STRING, "shape": many(WHOLE), "low": {"type": "number"}, "high": {"type": "number"}}
CONTRACT = {
    "task": STRING,
    "target": STRING,
    "columns": many(strict(COLUMN, "shape", "low", "high")),
    "classes": many(STRING),
}
REFUSED = {"version": {"type": ["integer", "null"]}, "why": STRING}
STATE = {"version": {"type": ["integer", "null"]}, "since": MOMENT, "refused": strict(REFUSED)}
READY = {
    "status": {"type": "string", "enum": ["ready", "degraded", "loading", "unavailable"]},
    "default": MAYBE,
    "registry": strict({"reachable": TRUTH, "since": MOMENT, "why": STRING}, "why"),
    "addresses": {"type": "object", "additionalProperties": strict(STATE, "refused")},
}
TENSOR = {"name": STRING, "datatype": STRING, "shape": many(WHOLE)}
METADATA = {
    "name": STRING,
    "versions": many(STRING),
    "platform": STRING,
    "inputs": many(strict(TENSOR)),
    "outputs": many(strict(TENSOR)),
}
SCHEMAS: dict[str, Schema] = {
    "Error": ERROR,
    "InferenceError": INFERENCE_ERROR,
    "Address": strict({"reference": STRING, "path": STRING, "since": MOMENT}),
    "Live": strict(LIVE),
    "Model": strict({"name": STRING, "versions": many(WHOLE), "live": many(ref("Live"))}),
    "Version": strict(LIVE | {"address": ref("Address"), "contract": strict(CONTRACT), "example": {"type": "object"}}),
    "Ready": strict(READY, "default", "registry", "addresses"),
    "Metadata": strict(METADATA),
    "ModelReady": strict({"name": STRING, "ready": TRUTH}),
}


def page(
    summary: str, good: Schema, *statuses: int, secured: bool, parameters: tuple[Schema, ...] = (), tag: str = SERVER
) -> Schema:
    """A path with a GET; open to all if it is not secured."""
    get = {"tags": [tag], "summary": summary, "operationId": summary, "parameters": list(parameters)}
    of = shared.INFERENCE if tag == INFERENCE else ""
    found = {"200": good} | refusals(*statuses, secured=secured, of=of)
    if 503 in statuses and tag == SERVER:
        found["503"] = good | {"description": "It cannot."}
    return {"get": get | {"responses": found} | ({} if secured else {"security": []})}


def paths(secured: bool, names: list[str]) -> dict[str, Schema]:
    """The pages that are always there."""
    name = parameter("name", {"type": "string"} | ({"enum": names} if names else {}))
    reference = parameter("reference", STRING, "a stage, an alias with its @, or a number")
    word = strict({"status": STRING})
    empty = untyped("It can, and the body is an empty line.")
    metrics = page("Numbers for Prometheus", answered(STRING, kind=TEXT), 401, 403, secured=secured)
    metrics["get"]["responses"]["200"]["content"]["application/openmetrics-text"] = {"schema": STRING}
    ping = page("Whether the default can be asked", empty, secured=False)
    ping["get"]["responses"]["404"] = untyped("It cannot.")
    health = {"get": ping["get"] | {"operationId": "The same as /ping"}}
    ready = page("Whether requests are answered, and what is wrong", answered(ref("Ready")), 503, secured=False)
    found = {
        "/models": page("What is live", answered(many(ref("Live"))), 401, secured=secured),
        "/models/{name}": page("A model", answered(ref("Model")), 401, 403, 404, secured=secured, parameters=(name,)),
        "/models/{name}/{reference}": page(
            "A version, its contract and its example",
            answered(ref("Version")),
            *(401, 403, 404, 503),
            secured=secured,
            parameters=(name, reference),
        ),
        "/live": page("Whether the process lives", answered(word), secured=False),
        "/ready": ready,
        "/metrics": metrics,
        "/ping": ping,
        "/health": health,
        "/version": page("MLflow's version", untyped("Such as 3.17.2, which is no JSON."), 404, secured=False),
    }
    refused = {"$ref": "#/components/responses/Unavailable"}
    found["/models/{name}/{reference}"]["get"]["responses"]["503"] = refused
    return found | _inference(secured)


def _inference(secured: bool) -> dict[str, Schema]:
    server = answered(strict({"name": STRING, "version": STRING, "extensions": many(STRING)}))
    ready = page("Whether the server can answer", answered(strict({"ready": TRUTH})), secured=False, tag=INFERENCE)
    ready["get"]["responses"]["503"] = answered(strict({"ready": TRUTH}), "It cannot.")
    return {
        "/v2": page("The server", server, 401, secured=secured, tag=INFERENCE),
        "/v2/health/live": page(
            "Whether the server lives", answered(strict({"live": TRUTH})), secured=False, tag=INFERENCE
        ),
        "/v2/health/ready": ready,
    }


def untyped(text: str) -> Schema:
    """An answer that says application/json and is none, as MLflow's probes have it."""
    return {"description": text, "headers": shared.ID}


def parameter(name: str, schema: Schema, description: str = "", example: Any = None) -> Schema:
    """A part of a path."""
    found = {"name": name, "in": "path", "required": True, "schema": schema}
    if description:
        found["description"] = description
    return found | ({"example": example} if example is not None else {})
