"""One version that is no graph of this project, answering through its process."""

import asyncio
import json
import logging
import re
import time
from functools import cached_property
from typing import TYPE_CHECKING, Any

from serving.follow.state import Version
from serving.protocol.errors import Refused, bad_request, invalid
from serving.pyfunc import table, translate
from serving.pyfunc.asked import Asked
from serving.pyfunc.sides import Sides
from serving.pyfunc.signature import Signature
from serving.pyfunc.table import Side
from serving.watch.counts import Counts, Timed

if TYPE_CHECKING:
    import httpx

LARGE = 256 * 1024  # bytes that are read in a thread
RETRY = ((b"retry-after", b"2"),)

log = logging.getLogger("serving.pyfunc")


class Pyfunc:
    """A version's process with all that translates its requests and answers."""

    def __init__(self, version: Version, side: Side, sides: Sides, counts: Counts) -> None:
        self.version = version
        self.name = str(version)
        self.key = table.key(version)
        self.header = (b"x-model-version", self.name.encode("ascii", "replace"))
        self.sides = sides
        self.contract: Signature = side.signature
        self.side = side
        self.counts = counts
        self.number = str(version.number)
        self.parsed, self.scored, self.encoded = (
            counts.timed("serving_phase_seconds", (version.name, self.number, phase))
            for phase in ("parse", "score", "encode")
        )
        self.rows = counts.counted("serving_rows", (version.name, self.number))
        self.answered: dict[tuple[str, str, int], Timed] = {}

    @cached_property
    def example(self) -> dict[str, object]:
        """A request that it answers; empty if it was logged without one."""
        return json.loads(self.side.example) if self.side.example else {}

    @property
    def fault(self) -> str:
        """Why it does not answer now; empty while it does."""
        side = self.sides.table.get(self.key)
        return "" if side is not None and side.ready else (side.why if side else f"{self.name} is being started")

    def timed(self, reference: str, protocol: str, status: int) -> Timed:
        """The histogram of its answers of one kind."""
        key = (reference, protocol, status)
        found = self.answered.get(key)
        if found is None:
            labels = (self.version.name, reference, self.number, protocol, str(status))
            found = self.answered[key] = self.counts.timed("serving_request_seconds", labels)
        return found

    async def answer(self, protocol: str, body: bytes, content_type: bytes | None) -> tuple[bytes, int]:
        """The body of an answer with status 200, in JSON, and how many rows were scored.

        Args:
            protocol: `invocations`, `predict` or `infer`.
            body: the request's.
            content_type: its header of that name.

        Raises:
            Refused: there is no such answer; the message has nothing of what was sent.
        """
        spoken = translate.PROTOCOLS.get(protocol)
        if spoken is None:
            raise Refused(501, "NOT_IMPLEMENTED", f"{self.name} is asked by {' or '.join(translate.PROTOCOLS)} alone")
        start = time.perf_counter()
        asked: Asked = await _run(spoken.read, body, content_type, self.contract)
        most = self.sides.settings.limits.rows
        if asked.rows is not None and asked.rows > most:
            message = f"the request has {asked.rows} rows, at most {most} are answered at once; send it in parts"
            raise Refused(413, "REQUEST_LIMIT_EXCEEDED", message)
        ready = time.perf_counter()
        content = await self._scored(asked)
        scored = time.perf_counter()
        answer: bytes = await _run(spoken.write, content, asked, self.version)
        rows = asked.rows if asked.rows is not None else await _run(translate.rows_of, content)
        self.parsed.observe(ready - start)
        self.scored.observe(scored - ready)
        self.encoded.observe(time.perf_counter() - scored)
        return answer, rows

    async def _scored(self, asked: Asked) -> bytes:
        import httpx

        try:
            answer = await self.sides.client(self.key).post(
                "/invocations", content=asked.body, headers={b"content-type": asked.content_type}
            )
        except httpx.TimeoutException:
            seconds = self.sides.settings.limits.seconds
            raise Refused(504, "DEADLINE_EXCEEDED", f"no answer within {seconds:g} s") from None
        except httpx.TransportError:
            raise Refused(
                503, "TEMPORARILY_UNAVAILABLE", f"the process of {self.name} has ended and is started again", RETRY
            ) from None
        if answer.status_code == 200:
            return answer.content
        raise self._refused(asked, answer)

    def _refused(self, asked: Asked, answer: "httpx.Response") -> Refused:
        """An error of MLflow's application without its stack trace and without what was sent."""
        status = answer.status_code
        if status == 415:
            return translate.unsupported()
        if status == 504:
            return Refused(504, "DEADLINE_EXCEEDED", f"no answer within {self.sides.settings.limits.seconds:g} s")
        try:
            error = json.loads(answer.content)
            code, message = str(error["error_code"]), str(error["message"])
        except (ValueError, KeyError, TypeError):
            error, code, message = {}, "", ""
        try:
            why = translate.lacking(asked, self.contract)
        except Refused as refused:
            return refused
        failed = message.startswith("Encountered an unexpected error") or status >= 500
        if not failed:
            return bad_request(why) if code == "BAD_REQUEST" else invalid(why)
        log.warning("a model failed on a request", extra={"version": self.name, "status": status} | _where(error))
        if status >= 500 and not self.side.example:
            return Refused(500, "INTERNAL_ERROR", f"{self.name} failed; the server's log says where")
        # a model that answers its own example is right, so that the request is wrong
        return bad_request(f"the model fails on the request; expected {self.contract.expected}")


def _where(error: dict[str, Any]) -> dict[str, str]:
    """The kind and the place of a model's exception; its message may have what was sent."""
    lines = str(error.get("stack_trace") or "").strip().splitlines()
    places = [line.strip() for line in lines if re.match(r'\s+File "', line)]
    kind = re.match(r"[\w.]+", lines[-1]) if lines else None
    return {"error": kind.group() if kind else "", "at": places[-1] if places else ""}


async def _run(work: Any, content: bytes, *others: Any) -> Any:
    """Now, or in a thread if it takes so long that others would wait."""
    return work(content, *others) if len(content) < LARGE else await asyncio.to_thread(work, content, *others)
