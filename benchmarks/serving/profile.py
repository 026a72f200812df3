"""`python -m benchmarks.serving.profile`: where the time of a request of one row goes, in MLflow and in this server.

MLflow's scoring function runs under cProfile in a process of its own, on the native models, scaled to the median time
without the profiler. This server tells the times of its phases itself (`/metrics`); what its processes take beyond
them is HTTP and the rest of the application. Both want a quiet machine.
"""

import http.client
import multiprocessing
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer
from prometheus_client.parser import text_string_to_metric_families

from benchmarks.serving import load, servers
from benchmarks.serving.load import Load
from benchmarks.serving.measure import CONNECTIONS, WARM_UP
from benchmarks.serving.process import Running, running
from benchmarks.serving.servers import ECHO, FAMILIES, HOST, MLFLOW, OURS, Models, Server

CALLS = 300
REQUEST, PHASE = "serving_request_seconds", "serving_phase_seconds"
PHASES = ("parse", "validate", "score", "encode")
STEPS = {  # of MLflow's scoring function: the end of a file's name, and a function there
    "JSON to a data frame": ("pyfunc/scoring_server/__init__.py", "_parse_json_data"),
    "signature: checks and casts": ("pyfunc/__init__.py", "_validate_prediction_input"),
    "ColumnTransformer": ("sklearn/compose/_column_transformer.py", "transform"),
    "logistic regression": ("sklearn/linear_model/_logistic.py", "predict_proba"),
    "network, `Model.predict` of Keras": ("keras/src/backend/tensorflow/trainer.py", "predict"),
    "answer to JSON": ("pyfunc/scoring_server/__init__.py", "predictions_to_json"),
}
Parts = dict[str, float]
"""Seconds of a request, by step."""


def main(seconds: Annotated[int, typer.Option(min=1, help="of each slice of load")] = 3) -> None:
    """Show both as tables."""
    try:
        load.find()
        with tempfile.TemporaryDirectory(prefix="profile-") as place:
            for line in _tables(seconds, Path(place).resolve()):
                print(line, flush=True)
    except RuntimeError as error:
        raise SystemExit(f"error: {error}") from None


def _tables(seconds: int, folder: Path) -> Iterator[str]:
    models = _apart(servers.prepare, folder)
    body = models.bodies["split", 1]
    every = {(server.name, server.family): server for server in servers.of(models)}

    def driven(server: Server, connections: int, read: Callable[[Running], Parts] = _nothing) -> tuple[Load, Parts]:
        with running(server, body, folder / "server.log") as live:
            load.drive(live.url, body, connections, WARM_UP)
            before, cpu = read(live), live.cpu()
            found = load.drive(live.url, body, connections, seconds)
            found = replace(found, cpu=live.cpu() - cpu)
            return found, {name: value - before[name] for name, value in read(live).items()}

    for family in FAMILIES:
        inside = _apart(scoring_steps, models, family)
        over, _ = driven(every[MLFLOW, family], 1)
        yield from _table(f"MLflow, native model, {family}, scoring function", inside)
        yield f"Over HTTP and one connection, p50 is {over.p50 * 1e6:,.0f} µs.\n"
    for connections in (1, CONNECTIONS):
        where = f"{connections} connection{'s' * (connections > 1)}"
        for family in FAMILIES:
            over, times = driven(every[OURS, family], connections, _told)
            asked = times.pop("requests")
            parts = {phase: times[phase] / asked for phase in PHASES}
            parts["HTTP and the rest of the application"] = over.cpu / over.requests - sum(parts.values())
            yield from _table(f"this server, {family}, {where}, processor time", parts)
        floor, _ = driven(every[ECHO, ""], connections)
        yield f"The echo endpoint takes {floor.cpu / floor.requests * 1e6:,.0f} µs of it with {where}.\n"


def _nothing(live: Running) -> Parts:
    return {}


def _apart(work: Callable[..., Any], *given: object) -> Any:
    """The result of a process that ends afterwards."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
        return process.submit(work, *given).result()


def _told(live: Running) -> Parts:
    """Seconds of the phases, and the number of requests, since the server's start."""
    connection = http.client.HTTPConnection(HOST, live.port, timeout=10)
    connection.request("GET", "/metrics")
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    if answer.status != http.client.OK:
        raise RuntimeError(f"{live.server}: GET /metrics answered {answer.status}: {text[:300]}")
    found = dict.fromkeys((*PHASES, "requests"), 0.0)
    for metric in text_string_to_metric_families(text):
        for sample in metric.samples:
            if sample.name == f"{PHASE}_sum":
                found[sample.labels["phase"]] += sample.value
            elif sample.name == f"{REQUEST}_count":
                found["requests"] += sample.value
    return found


def _table(title: str, parts: Parts) -> Iterator[str]:
    total = sum(parts.values())
    yield f"| {title} | µs | share |\n| --- | --- | --- |"
    yield from (f"| {name} | {value * 1e6:,.0f} | {value / total:.0%} |" for name, value in parts.items())
    yield f"| all | {total * 1e6:,.0f} | |\n"


def scoring_steps(models: Models, family: str) -> Parts:
    """Seconds of a request in MLflow's scoring function, by step; imports what that imports."""
    import cProfile
    import pstats
    import statistics
    import time

    from mlflow import pyfunc
    from mlflow.pyfunc.scoring_server import invocations

    from training.tracking import mlflow

    mlflow.set_tracking_uri(models.store)
    model = pyfunc.load_model(f"models:/{family}/1")
    schema = model.metadata.get_input_schema()
    body = models.bodies["split", 1]
    contents = [file.read_text(encoding="utf-8") for file in body.files]

    def ask(calls: int) -> list[float]:
        times = []
        for turn in range(calls):
            start = time.perf_counter()
            invocations(contents[turn % len(contents)], body.content_type, model, schema)
            times.append(time.perf_counter() - start)
        return times

    ask(CALLS // 10)
    each = statistics.median(ask(CALLS))
    profiler = cProfile.Profile()
    profiler.runcall(ask, CALLS)
    told = pstats.Stats(profiler)
    scale = each / told.total_tt  # type: ignore[attr-defined]
    found = {
        title: cumulative * scale
        for title, (file, function) in STEPS.items()
        for (path, _, name), (_, _, _, cumulative, _) in told.stats.items()  # type: ignore[attr-defined]
        if name == function and path.endswith(file)
    }
    return found | {"rest of the scoring function": each - sum(found.values())}


if __name__ == "__main__":
    typer.run(main)
