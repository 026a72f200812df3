"""The command line of the server."""

import math
import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from data.errors import InputError
from serving.follow import state
from serving.settings import MIB, Limits, Settings, Share

KEYS = Path("keys.json")
USUAL = Limits()
HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")

WATCHING, ASKING, BOUNDS, BESIDE, OTHERS = "What is served", "Who may ask", "Limits", "Side by side", "Other"
FILE = click.Path(path_type=Path)


class Option(click.Option):
    """An option that the help lists under a heading."""

    def __init__(self, *names: Any, panel: str = OTHERS, **more: Any) -> None:
        super().__init__(*names, **more)
        self.panel = panel


class Commands(click.Group):
    """The command with its headings."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options, heading by heading."""
        for panel in (WATCHING, BESIDE, ASKING, BOUNDS, OTHERS):
            options = [one for one in self.get_params(ctx) if getattr(one, "panel", OTHERS) == panel]
            with formatter.section(panel):
                formatter.write_dl([told for one in options if (told := one.get_help_record(ctx))])
        self.format_commands(ctx, formatter)


def _option(names: str, text: str, panel: str, **more: Any) -> Callable[[Any], Any]:
    return click.option(*names.split(), cls=Option, panel=panel, help=text, **more)


def _file(names: str, text: str, **more: Any) -> Callable[[Any], Any]:
    return _option(names, text, ASKING, type=FILE, **more)


class Amount(click.FloatRange):
    """A number from a least to a most."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The number, which NaN is not."""
        found: float = super().convert(value, param, ctx)
        if math.isnan(found):
            self.fail(f"{value} is no number", param, ctx)
        return found


def _number(names: str, text: str, panel: str, default: float, kind: Any = click.IntRange, **bounds: Any) -> Any:
    return _option(names, text, panel, type=kind(**bounds), default=default, show_default=True)


@click.group(
    cls=Commands,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
)
@_option(
    "--default", "what /invocations and /predict lead to; by default Production of the only model", WATCHING, default=""
)
@_option("--host", "the address to listen at", WATCHING, default="127.0.0.1", show_default=True)
@_number("--port", "the port to listen at", WATCHING, 5001, min=1, max=65535)
@_number("--workers", "processes that answer", WATCHING, 1, min=1)
@_option(
    "--copy",
    "the local copy of graphs, which outlives the registry",
    WATCHING,
    type=FILE,
    default=Path(".serving"),
    show_default=True,
)
@_number("--poll", "seconds between two looks at the registry", WATCHING, 0.5, Amount, min=0.05, max=3600)
@_option(
    "--allow-contract-change/--no-allow-contract-change",
    "swap in a version even where it refuses requests that the one before it answered",
    WATCHING,
)
@_option(
    "--allow-pyfunc/--no-allow-pyfunc",
    "serve models of any other kind too: loading them runs code from the registry",
    WATCHING,
)
@_option("--pyfunc-python", "the Python that has what those models need", WATCHING, default="")
@_option(
    "--shadow",
    "score a copy of Production's requests by this one too: flights/Staging",
    BESIDE,
    multiple=True,
)
@_option(
    "--canary",
    "have this one answer a share of Production's requests: flights/Staging=10%",
    BESIDE,
    multiple=True,
)
@_option(
    "--sticky-header",
    "requests with the same value here are answered by the same of the two",
    BESIDE,
    default="x-canary-key",
    show_default=True,
)
@_file("--keys", "the file of API keys; by default keys.json, if it is there", envvar="SERVING_KEYS", show_envvar=True)
@_option("--insecure/--no-insecure", "let anyone ask, at any address, without a key", ASKING)
@_file("--certificate", "PEM file of the certificate, for HTTPS")
@_file("--certificate-key", "PEM file of its private key")
@_file("--audit", "a folder for the log of who asked what, without the rows")
@_number("--max-body", "MiB of a request's body", BOUNDS, USUAL.body / MIB, Amount, min=0.001, max=MIB)
@_number("--max-rows", "rows of a request", BOUNDS, USUAL.rows, min=1)
@_number("--max-requests", "requests at once, of each worker", BOUNDS, USUAL.in_flight, min=1)
@_number("--timeout", "seconds from a request to its answer", BOUNDS, USUAL.seconds, Amount, min=0.1, max=86_400)
@_option("--rate", "requests of one key or address, such as 100/s or 5000/min", BOUNDS, default="")
@_option("--log", "json, text, or auto: text at a terminal", OTHERS, default="auto", show_default=True)
@click.pass_context
def app(
    context: click.Context,
    default: str,
    host: str,
    port: int,
    workers: int,
    copy: Path,
    poll: float,
    allow_contract_change: bool,
    allow_pyfunc: bool,
    pyfunc_python: str,
    shadow: tuple[str, ...],
    canary: tuple[str, ...],
    sticky_header: str,
    keys: Path | None,
    insecure: bool,
    certificate: Path | None,
    certificate_key: Path | None,
    audit: Path | None,
    max_body: float,
    max_rows: int,
    max_requests: int,
    timeout: float,
    rate: str,
    log: str,
) -> None:
    """Answer over HTTP for every registered model and stage, and follow them as they move.

    The registry is the one that MLFLOW_TRACKING_URI names, by default ./mlflow.db. Addresses are
    /models/<model>/<stage, @alias or number>/invocations; /docs describes them all.

    Example: python -m serving --default flights/Production

    Example: python -m serving --host 0.0.0.0 --keys keys.json --audit audit --rate 100/s --workers 4
    """
    if context.invoked_subcommand:
        return
    from serving.access import binding
    from serving.follow import stores
    from serving.run import serve

    if keys is None and KEYS.exists():
        keys = KEYS
    required = binding.check(host, keys, insecure, certificate, certificate_key)
    if log not in ("json", "text", "auto"):
        raise InputError(f"--log {log} is not known; expected json, text or auto")
    if not HEADER.fullmatch(sticky_header):
        raise InputError(f"--sticky-header {sticky_header}: expected the name of a header, such as x-canary-key")
    with tempfile.TemporaryDirectory(prefix="serving-") as folder:
        settings = Settings(
            stores.address(),
            copy.absolute(),
            Path(folder),
            default=_address(default, "--default") if default else "",
            workers=workers,
            limits=Limits(int(max_body * MIB), max_rows, max_requests, timeout, _rate(rate)),
            shadow=tuple(_share(one, "--shadow", False) for one in shadow),
            canary=tuple(_share(one, "--canary", True) for one in canary),
            sticky=sticky_header,
            allow_contract_change=allow_contract_change,
            keys=keys.absolute() if keys else None,
            keys_required=required,
            audit=audit.absolute() if audit else None,
            allow_pyfunc=allow_pyfunc,
            pyfunc_python=pyfunc_python,
            poll=poll,
        )
        serve(settings, host, port, log, certificate, certificate_key)


@app.command("keys", context_settings={"ignore_unknown_options": True, "help_option_names": []}, add_help_option=False)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def _keys(arguments: tuple[str, ...]) -> None:
    """Make, list and revoke API keys."""
    from serving.access import commands

    commands.app(arguments, prog_name="python -m serving keys")


def _address(text: str, option: str) -> str:
    name, _, reference = text.rpartition("/")
    if not name or not reference:
        raise InputError(
            f"{option} {text}: expected a model and a stage, an alias or a number, such as flights/Production"
        )
    return state.address(name, reference)


def _share(text: str, option: str, percent: bool) -> Share:
    """A `--shadow` or, with a percentage, a `--canary`."""
    address, _, share = text.partition("=")
    name, _, reference = _address(address, option).rpartition("/")
    if reference.isdecimal():
        raise InputError(f"{option} {text}: expected a stage or an alias, such as {name}/Staging; a number never moves")
    if reference == "Production":
        raise InputError(
            f"{option} {text}: Production is what it is compared with; expected another, such as {name}/Staging"
        )
    if not percent:
        if share:
            raise InputError(f"{option} {text}: a shadow scores all requests; expected {address}")
        return Share(name, reference)
    try:
        number = float(share.removesuffix("%"))
    except ValueError:
        number = -1
    if not share.endswith("%") or not 0 <= number <= 100:
        raise InputError(f"{option} {text}: expected a share from 0% to 100%, such as {address}=10%")
    return Share(name, reference, number)


def _rate(text: str) -> str:
    if text:
        from serving.access.limits import Rate

        try:
            Rate(text)
        except ValueError as error:
            raise InputError(f"--rate: {error}") from None
    return text
