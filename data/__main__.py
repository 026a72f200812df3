"""`python -m data fetch | inspect | prepare | accept TASK`."""

import os
import sys
from typing import Any

import typer

from data import errors, params

app = typer.Typer(help=__doc__, no_args_is_help=True, pretty_exceptions_enable=False)


@app.callback()
def _commands() -> None:
    """Turn a declared source into checked splits and a contract."""


def _declaring(task: str) -> dict[str, Any]:
    content = params.load()
    params.task(content, task)
    return content


@app.command()
def fetch(task: str) -> None:
    """Take a snapshot of the rows of TASK's source, unless it is the same as before."""
    content = _declaring(task)

    from data.fetch import fetch as run

    run(content, task)


@app.command()
def inspect(task: str) -> None:
    """Show the contract of TASK: each column, what was decided and why, and how to decide otherwise."""
    content = _declaring(task)

    from data.inspect import inspect as run

    run(content, task)


@app.command()
def prepare(task: str) -> None:
    """Check and split the rows of TASK, as `params.yaml` declares it and its contract says."""
    content = _declaring(task)

    from data.prepare import prepare as run

    run(content, task)


@app.command()
def accept(task: str) -> None:
    """Take the source of TASK as it is now: fetch it and make its contract anew."""
    content = _declaring(task)

    from data.fetch import fetch as take
    from data.prepare import prepare as run

    take(content, task)
    run(content, task, accept=True)


def main() -> None:
    """Run a command line, and end without Python's own end.

    A thread of pyarrow that lets go of a Python stream only then aborts the process, though all is written.
    """
    try:
        errors.run(app)
    except SystemExit as end:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(end.code if isinstance(end.code, int) else end.code is not None)


if __name__ == "__main__":
    main()
