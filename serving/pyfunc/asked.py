"""A request as MLflow's scoring application takes it."""

from typing import Any, NamedTuple

JSON = b"application/json"


class Asked(NamedTuple):
    """A request to `/invocations`."""

    body: bytes
    content_type: bytes
    rows: int | None
    """None where only the answer tells."""
    options: Any = None
    """What the writer of the answer needs to know."""
