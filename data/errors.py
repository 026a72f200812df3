"""Bad input, told to a person in one line."""

import sys
from collections.abc import Callable


class InputError(Exception):
    """What was given, what was expected and what to do, in one line."""


def run(app: Callable[[], object]) -> None:
    """Run a command line; bad input ends it with one line on stderr and exit status 1."""
    try:
        app()
    except InputError as error:
        print("error: " + " ".join(str(error).split()), file=sys.stderr)
        raise SystemExit(1) from None
