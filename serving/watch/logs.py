"""Logs as JSON lines, or as text for a person at a terminal."""

import logging
import sys
from datetime import UTC, datetime
from typing import Any

import msgspec

USUAL = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "color_message", "taskName"}


def _facts(record: logging.LogRecord) -> dict[str, Any]:
    return {name: value for name, value in vars(record).items() if name not in USUAL}


class Lines(logging.Formatter):
    """One JSON object a record."""

    def format(self, record: logging.LogRecord) -> str:
        """The record with its `extra` facts as keys of their own."""
        content = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "process": record.process,
            "message": record.getMessage(),
        } | _facts(record)
        if record.exc_info:
            content["exception"] = self.formatException(record.exc_info)
        return msgspec.json.encode(content, enc_hook=str).decode()


class Text(logging.Formatter):
    """A line to read, its facts behind it."""

    def format(self, record: logging.LogRecord) -> str:
        """The message, then `name=value` for each of its `extra` facts."""
        facts = " ".join(f"{name}={value}" for name, value in _facts(record).items())
        mark = "" if record.levelno <= logging.INFO else f"{record.levelname.lower()}: "
        text = f"{mark}{record.getMessage()}" + (f"  {facts}" if facts else "")
        return text + (f"\n{self.formatException(record.exc_info)}" if record.exc_info else "")


def to_stderr(form: str) -> None:
    """Send all logs of this process to standard error, as `json`, as `text`, or as `auto` decides."""
    text = form == "text" or (form == "auto" and sys.stderr.isatty())
    handler = logging.StreamHandler()
    handler.setFormatter(Text() if text else Lines())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    for chatty in ("httpx", "httpcore", "uvicorn.error", "uvicorn.access"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
