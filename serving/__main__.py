"""The command `python -m serving`."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.callback(invoke_without_command=True)
def run(
    context: typer.Context,
    default: Annotated[str, typer.Option(help="the version behind /invocations, such as flights/Production")] = "",
    host: str = "127.0.0.1",
    port: int = 5001,
    workers: int = 1,
) -> None:
    """Answer over HTTP for every registered model and stage."""
    if context.invoked_subcommand:
        return
    from serving.run import serve
    from serving.follow import stores
    from serving.settings import Settings
    import tempfile

    with tempfile.TemporaryDirectory(prefix="serving-") as run:
        serve(Settings(stores.address(), Path(".serving"), Path(run), default, workers), host, port)


if __name__ == "__main__":
    app()
