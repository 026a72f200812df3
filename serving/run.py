"""The processes of the server: one that follows the registry and keeps the workers alive, and the workers."""

import contextlib
import gc
import logging
import tempfile
from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path
from socket import socket
from typing import TYPE_CHECKING, Any

import uvicorn
from uvicorn.supervisors import Multiprocess, multiprocess

from data.errors import InputError
from serving import forked
from serving.follow.follower import Follower
from serving.follow.state import State
from serving.settings import Settings
from serving.watch import logs
from serving.worker import SEEN, Worker

if TYPE_CHECKING:
    from serving.pyfunc.keeper import Keeper

log = logging.getLogger("serving")

DRAIN = 30  # seconds that requests in flight have at the end


def serve(
    settings: Settings, host: str, port: int, form: str, certificate: Path | None = None, key: Path | None = None
) -> None:
    """Serve until SIGTERM or Ctrl-C.

    Raises:
        InputError: there is nothing to serve.
    """
    logs.to_stderr(form)
    try:
        import_module("serving.runtime.library")
    except (ImportError, OSError) as error:
        raise InputError(f"ONNX Runtime cannot be loaded: {error}") from None
    if settings.audit:
        _check_audit(settings.audit)
    try:
        follower = Follower(settings.registry, settings.copy, settings.poll)
        keeper = _keeper(settings, follower)
    except (ValueError, OSError) as error:
        raise InputError(str(error)) from None
    tls: dict[str, Any] = {"ssl_certfile": certificate, "ssl_keyfile": key} if certificate else {}
    config = uvicorn.Config(
        Worker(settings, form),
        host=host,
        port=port,
        workers=settings.workers,
        loop="uvloop",
        http="serving.direct:Direct",  # by its name: a worker that is no copy imports it
        ws="none",
        lifespan="on",
        interface="asgi3",
        access_log=False,
        log_config=None,
        server_header=False,
        date_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=DRAIN,
        **tls,
    )
    listening = _bound(config)

    def look() -> None:
        """The first look, while the workers begin."""
        try:
            _check(settings, follower.look())
        except OSError as error:
            raise InputError(
                f"the local copy {settings.copy} cannot be written: {error}; name another by --copy"
            ) from None
        (settings.run / SEEN).touch()
        scheme = "https" if certificate else "http"
        where = f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"
        log.info("serving", extra={"at": where, "docs": f"{where}/docs", "registry": _hidden(settings.registry)})
        follower.start()
        if keeper is not None:
            keeper.start()

    if forked.POSSIBLE:
        forked.prepare()
    with contextlib.closing(listening), contextlib.closing(keeper) if keeper else contextlib.nullcontext():
        Workers(config, listening, look, follower.still).run()


class Workers(Multiprocess):
    """uvicorn's workers, to whom alone the listening socket belongs at the end."""

    def __init__(
        self, config: uvicorn.Config, listening: socket, started: Callable[[], None], still: forked.Still
    ) -> None:
        super().__init__(config, [listening])
        self.started = started
        if forked.POSSIBLE:
            multiprocess.Process = partial(forked.Forked, still=still)  # type: ignore[misc, assignment]

    def init_processes(self) -> None:
        """Start the workers, and meanwhile do what has to be done before they answer."""
        super().init_processes()
        gc.enable()  # it was off until what is shared was there
        try:
            self.started()
        except BaseException:
            for process in self.processes:
                process.kill()
                process.join()
            raise

    def keep_subprocess_alive(self) -> None:
        """Replace the workers that have ended."""
        before = {one.pid for one in self.processes}
        super().keep_subprocess_alive()
        for pid in before - {one.pid for one in self.processes}:
            log.warning("a worker ended and is replaced", extra={"worker": pid})

    def terminate_all(self) -> None:
        """End the workers; a client that comes too late is refused, and not left waiting for nobody."""
        log.info("stopping, once the requests in flight are answered")
        for one in self.sockets:
            one.close()
        super().terminate_all()


def _bound(config: uvicorn.Config) -> socket:
    """The socket that the workers listen on."""
    told = logging.getLogger("uvicorn.error")
    told.setLevel(logging.CRITICAL)
    try:
        return config.bind_socket()
    except SystemExit:
        raise InputError(
            f"cannot listen at port {config.port} of {config.host}: another program does, or it is not allowed; "
            "name another by --port"
        ) from None
    finally:
        told.setLevel(logging.WARNING)


def _keeper(settings: Settings, follower: Follower) -> "Keeper | None":
    """What keeps the processes of models that are no graphs, where they are allowed."""
    if not settings.allow_pyfunc:
        return None
    from serving.pyfunc.keeper import Keeper

    return Keeper(settings, lambda: follower.state)


def _check(settings: Settings, seen: State) -> None:
    """Refuse to start where nothing could be answered."""
    if not seen.versions:
        why = seen.unreachable or "it has no versions"
        raise InputError(
            f"nothing to serve from the registry {_hidden(settings.registry)}: {why}; set MLFLOW_TRACKING_URI, or "
            "register a model with make repro"
        )
    for share in (*settings.shadow, *settings.canary):
        if share.reference not in _known(seen, share.task):
            log.warning("nothing is there yet", extra={"address": f"{share.task}/{share.reference}"})
    if settings.default:
        name, _, reference = settings.default.rpartition("/")
        known = _known(seen, name)
        if reference not in known:
            raise InputError(f"no version of {name} is {reference}; there are {', '.join(sorted(known))}")


def _known(seen: State, name: str) -> set[str]:
    """Stages, aliases and numbers of a model's versions.

    Raises:
        InputError: no model has this name.
    """
    of_model = [one for one in seen.versions if one.name == name]
    if not of_model:
        names = ", ".join(sorted({one.name for one in seen.versions}))
        raise InputError(f"no model is registered as {name!r}; registered are {names}")
    return {one for version in of_model for one in (*version.references, str(version.number))}


def _check_audit(folder: Path) -> None:
    """Refuse to start where nothing could be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise InputError(f"--audit {folder}: {error.strerror}; name a folder that can be written") from None


def _hidden(registry: str) -> str:
    """The registry's address without its password."""
    scheme, mark, rest = registry.partition("://")
    return f"{scheme}{mark}…@{rest.rpartition('@')[2]}" if "@" in rest else registry
