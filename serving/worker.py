"""The application as the main process hands it to a worker, before anything heavy is imported."""

from functools import cached_property
from typing import TYPE_CHECKING, Any

from serving.settings import Settings

if TYPE_CHECKING:
    from serving.app import Application

SEEN = "seen"
"""The file in the run folder that is there once the main process has looked at the registry."""


class Worker:
    """An ASGI application that is made where it runs."""

    def __init__(self, settings: Settings, log: str) -> None:
        self.settings = settings
        self.log = log

    @cached_property
    def application(self) -> "Application":
        """The application of this worker."""
        from serving.app import Application

        return Application(self.settings, self.log)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Hand everything on."""
        await self.application(scope, receive, send)
