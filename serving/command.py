"""The command line of the server."""

import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer

from data.errors import InputError
from serving.access import commands
from serving.follow import state
from serving.settings import MIB, Limits, Settings, Share

app = typer.Typer(
    add_completion=False, pretty_exceptions_enable=False, context_settings={"help_option_names": ["-h", "--help"]}
)
app.add_typer(commands.app, name="keys")

KEYS = Path("keys.json")
USUAL = Limits()

Watching, Asking, Bounds, Beside, Others = "What is served", "Who may ask", "Limits", "Side by side", "Other"


def _option(text: str, panel: str, *names: str, **more: Any) -> Any:
    return typer.Option(*names, help=text, rich_help_panel=panel, **more)


@app.callback(invoke_without_command=True)
def run(
    context: typer.Context,
    default: Annotated[
        str, _option("what /invocations and /predict lead to; by default Production of the only model", Watching)
    ] = "",
    host: Annotated[str, _option("the address to listen at", Watching)] = "127.0.0.1",
    port: Annotated[int, _option("the port to listen at", Watching, min=1, max=65535)] = 5001,
    workers: Annotated[int, _option("processes that answer", Watching, min=1)] = 1,
    copy: Annotated[Path, _option("the local copy of graphs, which outlives the registry", Watching)] = Path(
        ".serving"
    ),
    poll: Annotated[float, _option("seconds between two looks at the registry", Watching, min=0.05)] = 0.5,
    allow_contract_change: Annotated[
        bool, _option("swap in a version even where it refuses requests that the one before it answered", Watching)
    ] = False,
    allow_pyfunc: Annotated[
        bool, _option("serve models of any other kind too: loading them runs code from the registry", Watching)
    ] = False,
    pyfunc_python: Annotated[str, _option("the Python that has what those models need", Watching)] = "",
    shadow: Annotated[
        list[str] | None, _option("score a copy of Production's requests by this one too: flights/Staging", Beside)
    ] = None,
    canary: Annotated[
        list[str] | None, _option("have this one answer a share of Production's requests: flights/Staging=10%", Beside)
    ] = None,
    sticky_header: Annotated[
        str, _option("requests with the same value here are answered by the same of the two", Beside)
    ] = "x-canary-key",
    keys: Annotated[
        Path | None,
        _option("the file of API keys; by default keys.json, if it is there", Asking, envvar="SERVING_KEYS"),
    ] = None,
    insecure: Annotated[bool, _option("let anyone ask, at any address, without a key", Asking)] = False,
    certificate: Annotated[Path | None, _option("PEM file of the certificate, for HTTPS", Asking)] = None,
    certificate_key: Annotated[Path | None, _option("PEM file of its private key", Asking)] = None,
    audit: Annotated[Path | None, _option("a folder for the log of who asked what, without the rows", Asking)] = None,
    max_body: Annotated[float, _option("MiB of a request's body", Bounds, min=0.001)] = USUAL.body / MIB,
    max_rows: Annotated[int, _option("rows of a request", Bounds, min=1)] = USUAL.rows,
    max_requests: Annotated[int, _option("requests at once, of each worker", Bounds, min=1)] = USUAL.in_flight,
    timeout: Annotated[float, _option("seconds from a request to its answer", Bounds, min=0.1)] = USUAL.seconds,
    rate: Annotated[str, _option("requests of one key or address, such as 100/s or 5000/min", Bounds)] = "",
    log: Annotated[str, _option("json, text, or auto: text at a terminal", Others)] = "auto",
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
    with tempfile.TemporaryDirectory(prefix="serving-") as folder:
        settings = Settings(
            stores.address(),
            copy.absolute(),
            Path(folder),
            default=_address(default, "--default") if default else "",
            workers=workers,
            limits=Limits(int(max_body * MIB), max_rows, max_requests, timeout, _rate(rate)),
            shadow=tuple(_share(one, "--shadow", False) for one in shadow or ()),
            canary=tuple(_share(one, "--canary", True) for one in canary or ()),
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
