"""What a request asks, in whichever protocol it came."""

from typing import Any, NamedTuple

from serving.protocol.fast import Rows
from serving.runtime.session import Feeds


class Question(NamedTuple):
    """Rows to score: as tuples that can be scored together with others', or as a graph's inputs."""

    total: int
    rows: Rows | None = None
    feeds: Feeds | None = None
    options: Any = None
    """What the writer of the answer needs to know."""
