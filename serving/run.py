"""The processes of the server: one that follows the registry and keeps the workers alive, and the workers."""

import uvicorn
from uvicorn.supervisors import Multiprocess

from serving.app import Application
from serving.follow.follower import Follower
from serving.settings import Settings
from serving.watch import logs


def serve(settings: Settings, host: str, port: int, log: str = "auto") -> None:
    """Serve until SIGTERM or Ctrl-C."""
    logs.to_stderr(log)
    follower = Follower(settings.registry, settings.copy, settings.poll)
    config = uvicorn.Config(
        Application(settings, log),
        host=host,
        port=port,
        workers=settings.workers,
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="on",
        interface="asgi3",
        access_log=False,
        log_config=None,
        server_header=False,
        date_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=30,
    )
    socket = config.bind_socket()
    follower.look()
    follower.start()
    Multiprocess(config, sockets=[socket]).run()
