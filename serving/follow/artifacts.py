"""The files of a version, fetched into the local copy and checked against the digest of its registration."""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from urllib.parse import quote, unquote, urlparse

from serving.follow.state import Version

GRAPH, EXAMPLE, MODEL = "graph.onnx", "serving_input_example.json", "MLmodel"
FILES = {GRAPH: f"artifacts/{GRAPH}", EXAMPLE: EXAMPLE, MODEL: MODEL}
FETCH = """
import sys
import mlflow
for file in sys.argv[3:]:
    mlflow.artifacts.download_artifacts(f"{sys.argv[1]}/{file}", dst_path=sys.argv[2])
"""


class Faulty(Exception):
    """A version whose files cannot be used; the message is one line."""


def folder(copy: Path, version: Version) -> Path:
    """Where the local copy keeps a version's files."""
    name = "".join(letter if letter.isalnum() or letter in "-_." else f"%{ord(letter):x}" for letter in version.name)
    return copy / name / f"{version.number}-{version.digest[:16] or 'pyfunc'}"


def ensure(copy: Path, version: Version, registry: str) -> Path:
    """The folder with a version's graph, fetched if it is not there.

    Raises:
        Faulty: the files cannot be fetched, or the graph is not the one that was registered.
    """
    place = folder(copy, version)
    if (place / GRAPH).is_file() and _digest(place / GRAPH) == version.digest:
        return place
    shutil.rmtree(place, ignore_errors=True)  # what somebody damaged is fetched anew
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=place.parent, prefix=".fetching-") as unfinished:
        _fetch(version, Path(unfinished), registry)
        found = _digest(Path(unfinished) / GRAPH)
        if found != version.digest:
            raise Faulty(
                f"{version}: its graph has SHA-256 {found[:12]}…, registered was {version.digest[:12]}…; "
                "the file was changed after registration"
            )
        try:
            os.rename(unfinished, place)
        except OSError:
            if not (place / GRAPH).is_file():  # else another worker was faster
                raise
        else:
            Path(unfinished).mkdir()  # for the context manager to remove
    return place


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _fetch(version: Version, into: Path, registry: str) -> None:
    location = version.location
    url = urlparse(location)
    try:
        if url.scheme in ("", "file"):
            source = Path(unquote(url.path) if url.scheme else location)
            for name, path in FILES.items():
                shutil.copyfile(source / path, into / name)
        elif url.scheme == "mlflow-artifacts" and registry.startswith("http"):
            _from_server(registry, url.path.strip("/"), into)
        else:
            _through_mlflow(location, into)
    except Faulty:
        raise
    except Exception as error:  # of a file system, a server, an artifact store
        raise Faulty(
            f"{version}: its files cannot be fetched from {location}: {' '.join(str(error).split())[:300]}"
        ) from None


def _from_server(registry: str, path: str, into: Path) -> None:
    from serving.follow.server import client

    with client(registry) as server:
        for name, file in FILES.items():
            with server.stream("GET", f"/api/2.0/mlflow-artifacts/artifacts/{quote(path)}/{file}") as answer:
                answer.raise_for_status()
                with (into / name).open("wb") as target:
                    for part in answer.iter_bytes():
                        target.write(part)


def _through_mlflow(location: str, into: Path) -> None:
    """Through the client of any other artifact store, in a process of its own."""
    command = [sys.executable, "-c", FETCH, location.rstrip("/"), str(into), *FILES.values()]
    env = os.environ | {"MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode:
        raise OSError((done.stderr.strip().splitlines() or ["no message"])[-1])
