"""Libraries' start-up chatter, kept from the terminal."""

import io
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout


@contextmanager
def stderr() -> Iterator[None]:
    """Hold back what is written to the process's stderr, by C++ code too; it is shown if the block fails."""
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException:
            held.seek(0)
            os.write(kept, held.read())
            raise
        finally:
            sys.stderr.flush()
            os.dup2(kept, 2)
            os.close(kept)


@contextmanager
def stdout() -> Iterator[None]:
    """Hold back what Python code prints."""
    with redirect_stdout(io.StringIO()):
        yield
