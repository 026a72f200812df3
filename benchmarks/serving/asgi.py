"""`python -m benchmarks.serving.asgi`: the echo endpoint under uvicorn and under granian.

Both with uvloop, one worker, no access log. Granian is no dependency of this project: `--python` names an
interpreter that has it, of `python -m venv other && other/bin/pip install granian uvicorn uvloop httptools`.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Annotated

import typer

from benchmarks.serving import load
from benchmarks.serving.figures import BY_KEY, Sample, spread
from benchmarks.serving.load import Body
from benchmarks.serving.measure import CONNECTIONS, WARM_UP
from benchmarks.serving.process import running
from benchmarks.serving.servers import HOST, Server, uvicorn

APP = "benchmarks.serving.echo:app"
ROW = json.dumps({"dataframe_split": {"columns": [f"column {place}" for place in range(18)], "data": [[0.5] * 18]}})
SHOWN = ("p50", "rate", "cpu", "tail", "start", "memory")
GRANIAN = ("--interface", "asgi", "--loop", "uvloop", "--no-ws", "--log-level", "warning", "--workers", "1")


def main(
    rounds: Annotated[int, typer.Option(min=1, help="how often both are measured")] = 5,
    seconds: Annotated[int, typer.Option(min=1, help="of each slice of load")] = 3,
    python: Annotated[Path, typer.Option(help="an interpreter that has both")] = Path(sys.executable),
) -> None:
    """Show medians, and granian's figures over uvicorn's within a round."""
    servers = (
        Server("uvicorn", "", (str(python.absolute()), *uvicorn(APP)[1:])),
        Server(
            "granian", "", (str(python.absolute()), "-m", "granian", APP, "--host", HOST, "--port", "{port}", *GRANIAN)
        ),
    )
    try:
        load.find()
        if subprocess.run(
            [python, "-c", "import granian, uvicorn, uvloop, httptools"], check=False, capture_output=True
        ).returncode:
            raise RuntimeError(
                f"{python} cannot import granian, uvicorn, uvloop and httptools; install them into an environment "
                "of their own, and name its interpreter with --python"
            )
        with tempfile.TemporaryDirectory(prefix="asgi-") as folder:
            found = [[_measure(server, seconds, Path(folder)) for server in servers] for _ in range(rounds)]
    except (RuntimeError, OSError) as error:
        raise SystemExit(f"error: {error}") from None
    print("| echo | uvicorn | granian | granian over uvicorn |\n| --- | --- | --- | --- |")
    for key in SHOWN:
        figure = BY_KEY[key]
        both = [figure.show(median(one[place][key] for one in found)) for place in range(len(servers))]
        ratio = spread([theirs[key] / ours[key] for ours, theirs in found])
        print(f"| {figure.title} | {' | '.join(both)} | {ratio.show(_two) if ratio else ''} |")


def _measure(server: Server, seconds: float, folder: Path) -> Sample:
    file = folder / "body.json"
    file.write_text(ROW, encoding="utf-8")
    body = Body("application/json", 1, (file,))
    with running(server, body, folder / "server.log") as live:
        load.drive(live.url, body, CONNECTIONS, WARM_UP)
        sample = {"start": live.start, "memory": live.memory()}
        sample["p50"] = load.drive(live.url, body, 1, seconds).p50
        before = live.cpu()
        driven = load.drive(live.url, body, CONNECTIONS, seconds)
        cpu = (live.cpu() - before) / driven.requests
    return sample | {"rate": driven.rate, "cpu": cpu, "tail": driven.p99 / driven.p50}


_two: Callable[[float], str] = "{:.2f}".format


if __name__ == "__main__":
    typer.run(main)
