"""`python -m data fetch TASK` and `python -m data prepare TASK`."""

import typer

from data import errors, params

app = typer.Typer(help=__doc__, no_args_is_help=True, pretty_exceptions_enable=False)


@app.callback()
def _commands() -> None:
    """Turn a declared source into checked splits and a contract."""


@app.command()
def fetch(task: str) -> None:
    """Take a snapshot of the rows of TASK's source, unless it is the same as before."""
    content = params.load()
    params.task(content, task)

    from data.fetch import fetch as run

    run(content, task)


@app.command()
def prepare(task: str) -> None:
    """Read, check and split the rows of TASK, as `params.yaml` declares it."""
    content = params.load()
    params.task(content, task)

    from data.prepare import prepare as run

    run(content, task)


if __name__ == "__main__":
    errors.run(app)
