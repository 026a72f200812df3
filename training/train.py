"""The train stage: one declared model becomes a candidate."""

import hashlib
import importlib
import resource
import time
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pandas as pd

from data.contract import Contract
from data.prepare import PREPARED
from training import candidate as candidates
from training import decision, folds, latency, lineage, parity, prepared, quiet, worktree
from training.candidate import DIFFERENCE, GRAPH, LEARNING_CURVE, NATIVE, PLOTS, Candidate
from training.families import ENSEMBLE, Fitted, Rows
from training.graph import Graph
from training.metrics import Evaluation, OfClass, Spread
from training.models import Model
from training.prepared import Part, Split, Stored

PARTS: tuple[Part, ...] = get_args(Part)


def train(model: Model, declaration: dict[str, Any], seed: int) -> Candidate:
    """Fit the model, compile its graph, check and measure the graph, write the candidate.

    Args:
        model: the declared model.
        declaration: its entry in `params.yaml`, for the lineage.
        seed: of everything that is drawn at random.

    Raises:
        InputError: the task's rows are not prepared, or its decision does not go with its classes.
        ParityError: the graph does not answer what the native model answers.
    """
    started, clock = time.time(), time.perf_counter()
    tree = worktree.now()
    contract = prepared.contract(model.task)
    decision.check(model.of.decision, contract, model.weighted)
    stored = {part: Stored(contract, part) for part in PARTS}
    fit, validation = stored["train"].held(seed), stored["validation"].held(seed)
    every = stored["train"] if stored["train"].large else None

    with quiet.stderr():
        for library in model.family.LIBRARIES:
            importlib.import_module(library)
    seen = stored["train"].rows if getattr(model.family, "OUT_OF_CORE", False) else len(fit)
    of = f" of {every.rows:,}, as more do not fit into memory" if every and seen < every.rows else ""
    print(f"{model.name}: fitting on {seen:,} rows{of}", flush=True)
    fitting = time.perf_counter()
    rows = Rows(contract, fit.inputs, fit.codes, validation.inputs, validation.codes, every=every)
    fitted = model.family.fit(model.params, rows, seed)
    fit_seconds = time.perf_counter() - fitting
    on_validation = partial(fitted.probabilities, validation.inputs)
    chosen = decision.choose(model.of.decision, contract, on_validation, validation.codes)

    print(f"{model.name}: compiling the graph and measuring it on {stored['test'].rows:,} test rows", flush=True)
    folder = candidates.unfinished(model.task, model.name)
    graph = _compile(fitted, contract, chosen, folder)
    test, difference = _scored(graph, stored["test"], fitted, chosen)
    fitted.save(folder / NATIVE)
    costs = decision.cost_matrix(model.of.decision, contract.classes)
    evaluation = test.evaluation(costs)
    per_class = dict(zip(contract.classes, evaluation.intervals_per_class(seed), strict=True))
    _plots(folder / PLOTS, fitted, test, per_class)
    latency_ms = latency.measure(graph, next(stored["test"].batches()).inputs)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    candidate = Candidate(
        task=model.task,
        model=model.name,
        family=model.family_name,
        params=model.params.model_dump(),
        seed=seed,
        digest=hashlib.sha256((folder / GRAPH).read_bytes()).hexdigest(),
        started=started,
        fit_seconds=fit_seconds,
        peak_memory_mib=memory,
        graph_bytes=(folder / GRAPH).stat().st_size,
        latency_ms=latency_ms,
        parity=difference,
        data={
            "digest": lineage.folder_digest(PREPARED / model.task),
            "folder": (PREPARED / model.task).as_posix(),
            "rows": {part: split.rows for part, split in stored.items()},
        },
        lineage={
            **lineage.of(
                tree,
                model.task,
                {"seed": seed, "model": declaration, "task": model.of.model_dump(mode="json")},
                model.of.source,
            ),
            "warm_start": getattr(fitted, "started_from", None),
            **lineage.of_members(model.task, model.params.model_dump().get("members", [])),
        },
        difference=hashlib.sha256(tree.patch).hexdigest(),
        validation=_scored(graph, stored["validation"])[0].evaluation(costs).intervals(seed),
        test=evaluation.intervals(seed),
        per_class=per_class,
        decision=asdict(chosen),
        folds=_over_folds(model, contract, fit, validation, seed),
        seconds=time.perf_counter() - clock,
    )
    (folder / DIFFERENCE).write_bytes(tree.patch)
    candidates.write(candidate, folder)
    return candidate


@dataclass(frozen=True)
class Scored:
    """A split's true classes, the graph's labels as codes, both of shape (rows,), and its probabilities."""

    codes: np.ndarray
    labels: np.ndarray
    probabilities: np.ndarray

    def evaluation(self, costs: np.ndarray | None) -> Evaluation:
        """What the graph's labels and probabilities are worth."""
        return Evaluation(self.probabilities, self.codes, self.labels, costs)


def _scored(
    graph: Graph, split: Stored, fitted: Fitted | None = None, chosen: decision.Decision = decision.HIGHEST
) -> tuple[Scored, float]:
    """A split scored by the graph and, with `fitted`, the largest difference of a probability from its."""
    parts, difference = [], 0.0
    for batch in split.batches():
        labels, given = graph.score(batch.inputs)
        if fitted:
            native = fitted.probabilities(batch.inputs)
            classes = split.contract.classes
            found = parity.check(batch.inputs, native, given, labels, classes, fitted.tolerance, chosen)
            difference = max(difference, found)
        parts.append((batch.codes, split.contract.codes(pd.Series(labels)), given))
    return Scored(*(np.concatenate(one) for one in zip(*parts, strict=True))), difference


def _over_folds(model: Model, contract: Contract, fit: Split, validation: Split, seed: int) -> dict[str, Spread]:
    if not model.of.split.folds or model.family_name == ENSEMBLE:  # whose members have seen all training rows
        return {}
    found: list[dict[str, float]] = []
    for values in folds.measure(model, contract, fit, validation, seed):
        found.append(values)
        print(
            f"{model.name}: fold {len(found)}: AUC {values['auc']:.4f}, accuracy {values['accuracy']:.4f}", flush=True
        )
    return {name: Spread.of([values[name] for values in found]) for name in found[0]}


def _compile(fitted: Fitted, contract: Contract, chosen: decision.Decision, folder: Path) -> Graph:
    from training import onnx_graph

    model = onnx_graph.finish(fitted.to_onnx(), contract, chosen)
    (folder / GRAPH).write_bytes(model.SerializeToString(deterministic=True))
    return Graph(folder / GRAPH)


def _plots(folder: Path, fitted: Fitted, test: Scored, per_class: dict[str, OfClass]) -> None:
    from training import plots

    curve = pd.DataFrame(fitted.history).rename_axis("step").reset_index()
    curve.round(6).to_csv(folder / LEARNING_CURVE, index=False)
    plots.write(folder, test.probabilities, test.codes, test.labels, per_class)
