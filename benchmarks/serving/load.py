"""Load by wrk: connections that each ask again as soon as they are answered."""

import json
import shutil
import subprocess
from dataclasses import dataclass
from math import ceil
from pathlib import Path

SCRIPT = Path(__file__).with_name("load.lua")
TIMEOUT = 60


@dataclass(frozen=True)
class Body:
    """A request's content type, its number of rows, and files with bodies that are sent in turn."""

    content_type: str
    rows: int
    files: tuple[Path, ...]


@dataclass(frozen=True)
class Load:
    """What wrk measured; latencies in seconds."""

    requests: int
    seconds: float
    mean: float
    p50: float
    p99: float
    connections: int
    cpu: float = 0.0
    """Processor seconds that the server took meanwhile."""

    @property
    def rate(self) -> float:
        """Requests a second."""
        return self.requests / self.seconds

    @property
    def settled_rate(self) -> float:
        """Requests a second by Little's law, which few and long requests that the end cuts off do not distort."""
        return self.connections / self.mean


def find() -> str:
    """Where wrk is.

    Raises:
        RuntimeError: it is not installed.
    """
    if found := shutil.which("wrk"):
        return found
    raise RuntimeError(
        "the load generator wrk is not installed; install it with `apt-get install wrk` or `brew install wrk`"
    )


def drive(url: str, body: Body, connections: int, seconds: float) -> Load:
    """Ask for a number of whole seconds, over connections that stay open.

    Raises:
        RuntimeError: wrk failed, or an answer was none or of a status above 399.
    """
    command = [find(), "--threads=1", f"--connections={connections}", f"--duration={ceil(seconds)}s"]
    command += [f"--timeout={TIMEOUT}s", "--latency", f"--script={SCRIPT}", url]
    given = ["--", body.content_type, *map(str, body.files)]
    done = subprocess.run([*command, *given], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"wrk ended with {done.returncode}: {(done.stderr or done.stdout).strip()[-500:]}")
    said = json.loads(done.stdout.strip().splitlines()[-1])
    if said["refused"] or said["broken"] or not said["requests"]:
        raise RuntimeError(
            f"{url}: of {said['requests']} requests with {body.rows} rows over {connections} connections, "
            f"{said['refused']} were refused and {said['broken']} had no answer; expected an answer 200 to each"
        )
    mean, p50, p99 = (said[name] / 1e6 for name in ("mean", "p50", "p99"))
    return Load(said["requests"], said["seconds"], mean, p50, p99, connections)
