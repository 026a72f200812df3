"""One MLflow model behind MLflow's scoring application, on a UNIX socket.

The interpreter may be that of another environment, so nothing but MLflow and uvicorn is imported here.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import stat
import sys
import tempfile
import threading
import time
import traceback
from pathlib import Path
from typing import Any

HERE = os.path.dirname(os.path.abspath(__file__))
EXAMPLE = "serving_input_example.json"


def end_with_parent(grace: float) -> None:
    """End when standard input does, if it is a pipe: then the process that holds its other end is gone."""
    if not stat.S_ISFIFO(os.fstat(0).st_mode):
        return
    pipe, nothing = os.dup(0), os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)  # a model that reads from it takes nothing away
    os.close(nothing)

    def watch() -> None:
        while os.read(pipe, 64):
            pass
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(grace)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def folder_of(model: str, keep: str) -> Path:
    """The folder of a model: itself, or `keep`, into which it is fetched unless it was before."""
    if os.path.isdir(model):
        return Path(model)
    if not keep:
        raise SystemExit(f"{model} is no folder; where to keep what is fetched is told by --keep")
    place = Path(keep)
    if not (place / "MLmodel").is_file():
        from mlflow.artifacts import download_artifacts

        place.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=place.parent, prefix=".fetching-") as unfinished:
            fetched = Path(download_artifacts(artifact_uri=model, dst_path=unfinished))
            os.replace(fetched, place)
            Path(unfinished).mkdir(exist_ok=True)  # for the context manager to remove
    return place


def described(model: Any, folder: Path) -> dict[str, Any]:
    """What the server has to know: the signature, and the example if there is one."""
    signature = model.metadata.signature
    example = folder / EXAMPLE
    return {
        "signature": signature.to_dict() if signature is not None else None,
        "example": example.read_text(encoding="utf-8") if example.is_file() else "",
    }


def listening(path: str) -> socket.socket:
    """A UNIX socket that only this user can connect to."""
    found = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    if os.path.exists(path):
        os.unlink(path)
    mask = os.umask(0o177)
    try:
        found.bind(path)
    finally:
        os.umask(mask)
    return found


def surviving(application: Any) -> Any:
    """The application, whose exceptions end no connection, as uvicorn would while the next request is on its way."""

    async def answer(scope: Any, receive: Any, send: Any) -> None:
        try:
            await application(scope, receive, send)
        except Exception as error:  # answered already, with status 500
            if scope["type"] != "http":
                raise
            place = traceback.extract_tb(error.__traceback__)[-1]  # the message may quote what was sent
            print(f"{type(error).__name__} in {place.filename}, line {place.lineno}", file=sys.stderr, flush=True)

    return answer


def serve(model: str, path: str, keep: str, grace: float) -> None:
    """Answer on the socket at `path` until SIGTERM; then what is in flight has `grace` seconds."""
    import mlflow.pyfunc
    import uvicorn
    from mlflow.pyfunc import scoring_server

    folder = folder_of(model, keep)
    loaded = mlflow.pyfunc.load_model(str(folder))
    application = surviving(scoring_server.init(loaded))
    with open(path + ".json", "w", encoding="utf-8") as file:
        json.dump(described(loaded, folder), file)
    config = uvicorn.Config(
        application,
        log_level="error",
        access_log=False,
        ws="none",
        timeout_keep_alive=600,  # longer than the server keeps a connection, so that none is closed under a request
        timeout_graceful_shutdown=max(1, round(grace)),
    )
    uvicorn.Server(config).run(sockets=[listening(path)])


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="serving.pyfunc", description=__doc__)
    parser.add_argument("model", help="a model's folder, or an address of MLflow such as models:/churn/7")
    parser.add_argument("socket", help="the path of the UNIX socket to answer on")
    parser.add_argument("--keep", default="", help="the folder into which a model that lies elsewhere is fetched")
    parser.add_argument("--grace", type=float, default=30, help="seconds for requests in flight after SIGTERM")
    given = parser.parse_args()
    if sys.path and os.path.abspath(sys.path[0] or ".") in (HERE, os.getcwd()):
        del sys.path[0]  # the model imports what its environment has, not files that happen to lie here
    end_with_parent(given.grace)
    try:
        serve(given.model, given.socket, given.keep, given.grace)
    except Exception as error:  # whatever a model's code raises
        traceback.print_exc()
        raise SystemExit(f"{type(error).__name__}: {' '.join(str(error).split())[:300]}") from None


if __name__ == "__main__":
    main()
