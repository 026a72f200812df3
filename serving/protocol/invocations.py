"""MLflow's scoring protocol."""

from serving.protocol.errors import Refused
from serving.protocol.loose import parse
from serving.protocol.question import Question
from serving.served import Served
from serving.together import Scores

JSON = (b"application/json", b"application/json; charset=utf-8")


def read(served: Served, body: bytes, content_type: bytes | None) -> Question:
    """The rows of a request.

    Raises:
        Refused: it is none that MLflow's scoring server would answer.
    """
    if content_type in JSON and (rows := served.reader.rows(body)):
        return Question(len(rows), rows)
    feeds = parse(body, content_type.decode("latin-1") if content_type is not None else None, served.contract)
    return Question(len(next(iter(feeds.values()))), feeds=feeds)


def write(served: Served, question: Question, scores: Scores) -> bytes:
    """The answer's body."""
    return served.records(*scores)


def refuse(refused: Refused) -> bytes:
    """The body of a refusal."""
    return refused.body()
