"""How to call a version: commands that answer as pasted, with the version's own input example."""

import json
import math
import re
import shlex
import tempfile
import textwrap
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
from mlflow.models.utils import SERVING_INPUT_FILENAME

ADDRESS = "http://127.0.0.1:5001/invocations"  # the port of `make serve`
SHORT = 1000  # letters of an example that is shown; a longer one is downloaded
WIDTH = 80
MEMBER = re.compile(r'"(?:[^"\\]|\\.)*"(?:: )?')  # a text of JSON, or a name with its colon
SPACE = "\0"  # stands for a space that no line may be broken at


def example(task: str, number: str) -> dict[str, Any]:
    """The input example that a version was registered with, as a request's body."""
    with tempfile.TemporaryDirectory() as folder:
        path = mlflow.artifacts.download_artifacts(f"models:/{task}/{number}/{SERVING_INPUT_FILENAME}", dst_path=folder)
        return json.loads(Path(path).read_text(encoding="utf-8"))


def commands(task: str, number: str, body: dict[str, Any]) -> tuple[str, str]:
    """What starts a server, and what asks it.

    Args:
        task: the registered model.
        number: the version's.
        body: its input example; the first row is asked about where it is a table and short.
    """
    if split := body.get("dataframe_split"):
        row = map(_shortest, split["data"][0])
        body = {"dataframe_records": [dict(zip(split["columns"], row, strict=True))]}
    shown = json.dumps(body, ensure_ascii=False)
    ask = f"curl -s {ADDRESS} -H 'Content-Type: application/json' \\\n  -d"
    if len(shown) <= SHORT:
        ask = f"{ask} {shlex.quote(_broken(shown))}"
    else:
        uri = f"models:/{task}/{number}/{SERVING_INPUT_FILENAME}"
        ask = f"mlflow artifacts download -u {uri} -d .\n{ask} @{SERVING_INPUT_FILENAME}"
    return f"make serve TASK={task} STAGE={number}", ask


def _shortest(value: Any) -> Any:
    """A number as the fewest digits that are the same float32, and null for none."""
    if isinstance(value, float):
        return None if math.isnan(value) else float(str(np.float32(value)))
    return value


def _broken(shown: str) -> str:
    """JSON broken into lines, between its members only."""
    held = MEMBER.sub(lambda found: found[0].replace(" ", SPACE), shown)
    return textwrap.fill(held, WIDTH, break_long_words=False, break_on_hyphens=False).replace(SPACE, " ")
