"""The train stage: one declared model becomes a candidate."""

import hashlib
import importlib
import resource
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from data.contract import Contract
from data.errors import InputError
from data.prepare import PREPARED
from training import candidate as candidates
from training import lineage, parity, quiet
from training.candidate import GRAPH, LEARNING_CURVE, NATIVE, PLOTS, Candidate
from training.families import Fitted, Rows
from training.graph import LABEL, PROBABILITIES, Graph
from training.metrics import Evaluation
from training.models import Model

LATENCY_CALLS = 300


def train(model: Model, declaration: dict[str, Any], seed: int) -> Candidate:
    """Fit the model, compile its graph, check and measure the graph, write the candidate.

    Args:
        model: the declared model.
        declaration: its entry in `params.yaml`, for the lineage.
        seed: of everything that is drawn at random.

    Raises:
        InputError: the task's rows are not prepared.
        ParityError: the graph does not answer what the native model answers.
    """
    started, clock = time.time(), time.perf_counter()
    prepared = PREPARED / model.task
    if not (prepared / "contract.json").is_file():
        raise InputError(f"{prepared} is not there; run `dvc repro prepare@{model.task}` first")
    contract = Contract.load(prepared)
    tables = {part: pd.read_parquet(prepared / f"{part}.parquet") for part in ("train", "validation", "test")}
    inputs = {part: table[contract.names] for part, table in tables.items()}
    codes = {part: contract.codes(table[contract.target]) for part, table in tables.items()}

    with quiet.stderr():
        for library in model.family.LIBRARIES:
            importlib.import_module(library)
    print(f"{model.name}: fitting on {len(inputs['train']):,} rows", flush=True)
    fitting = time.perf_counter()
    rows = Rows(contract, inputs["train"], codes["train"], inputs["validation"], codes["validation"])
    fitted = model.family.fit(model.params, rows, seed)
    fit_seconds = time.perf_counter() - fitting

    print(f"{model.name}: compiling the graph and measuring it on {len(inputs['test']):,} test rows", flush=True)
    folder = candidates.unfinished(model.task, model.name)
    graph = _compile(fitted, contract, folder)
    labels, probabilities = graph.score(inputs["test"])
    native = fitted.probabilities(inputs["test"])
    difference = parity.check(inputs["test"], native, probabilities, labels, contract.classes, fitted.tolerance)
    fitted.save(folder / NATIVE)
    _plots(folder / PLOTS, fitted, probabilities, codes["test"], contract)
    candidate = Candidate(
        task=model.task,
        model=model.name,
        family=model.family_name,
        params=model.params.model_dump(),
        seed=seed,
        digest=hashlib.sha256((folder / GRAPH).read_bytes()).hexdigest(),
        started=started,
        fit_seconds=fit_seconds,
        peak_memory_mib=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        graph_bytes=(folder / GRAPH).stat().st_size,
        latency_ms=_latency(graph, inputs["test"]),
        parity=difference,
        data={
            "digest": lineage.folder_digest(prepared),
            "folder": prepared.as_posix(),
            "rows": {part: len(table) for part, table in tables.items()},
        },
        lineage={
            **lineage.of(model.task, {"seed": seed, "model": declaration}),
            "warm_start": getattr(fitted, "started_from", None),
        },
        validation=Evaluation(graph.score(inputs["validation"])[1], codes["validation"]).values(),
        test=Evaluation(probabilities, codes["test"]).intervals(seed),
        seconds=time.perf_counter() - clock,
    )
    candidates.write(candidate, folder)
    return candidate


def _compile(fitted: Fitted, contract: Contract, folder: Path) -> Graph:
    from training import onnx_graph

    model = onnx_graph.finish(fitted.to_onnx(), contract)
    (folder / GRAPH).write_bytes(model.SerializeToString(deterministic=True))
    return Graph(folder / GRAPH)


def _plots(folder: Path, fitted: Fitted, probabilities: np.ndarray, codes: np.ndarray, contract: Contract) -> None:
    from training import plots

    curve = pd.DataFrame(fitted.history).rename_axis("step").reset_index()
    curve.round(6).to_csv(folder / LEARNING_CURVE, index=False)
    plots.write(folder, probabilities, codes, contract.classes)


def _latency(graph: Graph, inputs: pd.DataFrame) -> float:
    """Median milliseconds of scoring one row, the row already in the graph's own types."""
    feeds = graph.feeds(inputs.head(LATENCY_CALLS))
    times = []
    for row in range(len(inputs.head(LATENCY_CALLS))):
        one = {name: values[row : row + 1] for name, values in feeds.items()}
        start = time.perf_counter()
        graph.session.run([LABEL, PROBABILITIES], one)
        times.append(time.perf_counter() - start)
    return float(np.median(times) * 1000)
