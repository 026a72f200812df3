"""`python -m serving keys add | list | revoke`."""

import json
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from data.errors import InputError
from serving.access import scopes, stored

app = typer.Typer(
    help="API keys: make, list and revoke them.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

WIDTH = 100
LONGEST_NAME = 100
UNITS = {"h": "hours", "d": "days", "w": "weeks"}

File = Annotated[Path, typer.Option(envvar="SERVING_KEYS", help="the file of keys, which holds no secret of theirs")]
Json = Annotated[bool, typer.Option("--json", help="print JSON for programs")]
DEFAULT = Path("keys.json")


@app.command()
def add(
    name: Annotated[str, typer.Argument(help="who or what the key is for, as the audit log will show it")],
    scope: Annotated[list[str], typer.Option(help=f"what the key may ask, repeated for more: {scopes.FORMS}")],
    expires: Annotated[str, typer.Option(help="90d, 12h, 4w, or a date such as 2027-01-01 (UTC); never, if none")] = "",
    file: File = DEFAULT,
) -> None:
    """Make a key and print it, this once; a running server knows it within a second.

    A scope names the model and how it is asked for: flights/Production does not let anyone ask for flights/7, even
    while version 7 is in Production. `admin` is for the server's own pages, such as its metrics, and for no model.

    Example: python -m serving keys add dashboard --scope flights/Production --scope flights/Staging --expires 90d

    Example: python -m serving keys add prometheus --scope admin --file /etc/serving/keys.json
    """
    now = datetime.now(UTC).replace(microsecond=0)
    if not name.strip() or len(name) > LONGEST_NAME or not name.isprintable():
        raise InputError(f"{name!r} is no name for a key; expected 1 to {LONGEST_NAME} printable characters")
    given = tuple(dict.fromkeys(scope))
    try:
        scopes.allowed(given)
    except ValueError as error:
        raise InputError(str(error)) from None
    until = _until(expires, now) if expires else None
    with _told(), stored.changing(file) as keys:
        key, record = stored.issue(name, given, now, until)
        keys.append(record)
    print(key)
    end = f"until {until:%Y-%m-%d %H:%M} UTC" if until else "until it is revoked"
    print(f"key {record.id} of {name} in {file}, valid {end}; it is never shown again", file=sys.stderr)


@app.command("list")
def show(file: File = DEFAULT, as_json: Json = False) -> None:
    """List every key: who it is for, what it may ask, and whether it is still valid.

    Example: python -m serving keys list
    """
    with _told():
        keys = stored.read(file)
    now = datetime.now(UTC)
    if as_json:
        print(json.dumps([_plain(one, now) for one in keys], indent=1, ensure_ascii=False))
        return
    from rich import box  # of which a server needs nothing
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    out = Console(highlight=False)
    out = out if out.is_terminal else Console(highlight=False, width=WIDTH)
    shown = Table(box=box.SIMPLE_HEAD, padding=0, pad_edge=False, show_edge=False)
    for heading in ("id", "name", "scopes", "created (UTC)", "expires (UTC)", "state"):
        shown.add_column(heading, overflow="fold", no_wrap=heading == "id")
    for one in keys:
        expires = f"{one.expires:%Y-%m-%d %H:%M}" if one.expires else "never"
        cells = (one.id, one.name, " ".join(one.scopes), f"{one.created:%Y-%m-%d %H:%M}", expires, one.state(now))
        shown.add_row(*(escape(cell) for cell in cells))
    out.print(shown)


@app.command()
def revoke(
    identity: Annotated[str, typer.Argument(metavar="ID", help="the key's id, as `keys list` shows it")],
    file: File = DEFAULT,
) -> None:
    """Revoke a key for good; a running server refuses it within a second.

    Example: python -m serving keys revoke 8f14e45fceea167a
    """
    with _told():
        stored.read(file)  # so that a wrong path is told, not made
        with stored.changing(file) as keys:
            place = next((place for place, one in enumerate(keys) if one.id == identity), None)
            if place is None:
                raise InputError(
                    f"{file} has no key with the id {identity!r}; `python -m serving keys list` shows them"
                )
            before = keys[place]
            if not before.revoked:
                keys[place] = msgspec.structs.replace(before, revoked=datetime.now(UTC).replace(microsecond=0))
    print(f"key {identity} of {before.name} is revoked" + (" already" if before.revoked else ""))


def _plain(record: stored.Record, now: datetime) -> dict[str, object]:
    content = msgspec.to_builtins(record)
    return {name: content[name] for name in content if name not in ("salt", "hash")} | {"state": record.state(now)}


def _until(text: str, now: datetime) -> datetime:
    """The time that `90d` or a date means."""
    try:
        if found := re.fullmatch(r"([0-9]{1,6})([hdw])", text):
            until = now + timedelta(**{UNITS[found[2]]: int(found[1])})
        else:
            until = datetime.fromisoformat(text)
            until = until.astimezone(UTC) if until.tzinfo else until.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise InputError(f"{text!r} is no expiry; expected one such as 90d, 12h, 4w or 2027-01-01") from None
    if until <= now:
        raise InputError(f"the expiry {text} is past: {until:%Y-%m-%d %H:%M} UTC; give one to come")
    return until


@contextmanager
def _told() -> Iterator[None]:
    """A file that cannot be used, told in one line."""
    try:
        yield
    except stored.FileError as error:
        raise InputError(str(error)) from None
    except FileNotFoundError as error:
        raise InputError(f"{error.filename} is not there; make a key with `python -m serving keys add`") from None
