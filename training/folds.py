"""Cross-validation on the training rows: a fit for each fold, measured on rows that it did not see."""

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import pandas as pd

from data.contract import Contract
from data.errors import InputError
from data.prepare import PREPARED
from training import decision, quiet
from training.families import Rows, unheard
from training.metrics import Evaluation
from training.models import Model
from training.prepared import Split

FOLDS = "folds.parquet"
STEPS = 1_000_000
"""What a fold's steps are apart from the next one's, so that one report can be told from another."""


def assigned(model: Model, train: Split, seed: int) -> np.ndarray:
    """The fold of each training row, int8, shape (rows,): as prepared, else drawn within each class.

    Raises:
        InputError: the folds are no random ones and not prepared.
    """
    path, count = PREPARED / model.task / FOLDS, model.of.split.folds
    if path.is_file():
        return pd.read_parquet(path)["fold"].to_numpy(dtype=np.int8)
    if model.of.split.by != "random" or count is None:
        raise InputError(f"{path} is not there; run `dvc repro prepare@{model.task}` first")
    random = np.random.default_rng(seed)
    folds = np.empty(len(train), dtype=np.int8)
    for code in np.unique(train.codes):
        rows = random.permutation(np.flatnonzero(train.codes == code))
        folds[rows] = np.arange(len(rows)) % count
    return folds


def pairs(folds: np.ndarray, by_time: bool) -> list[tuple[np.ndarray, np.ndarray]]:
    """Which rows to fit on and which to measure on, bool, shape (rows,), for each fold.

    By time a fold is measured with what was fitted on the folds before it, so that the first one is only fitted on.
    """
    numbers = np.unique(folds)[1 if by_time else 0 :]
    return [(folds < number if by_time else folds != number, folds == number) for number in numbers]


def measure(
    model: Model,
    contract: Contract,
    train: Split,
    validation: Split,
    seed: int,
    report: Callable[[int, float], None] = unheard,
) -> Iterator[dict[str, float]]:
    """The metrics of each fold by the native model, as it is fitted.

    Each fit does what the model's own does: it stops early and chooses its threshold on the validation rows.

    Args:
        model: the declared model.
        contract: of its task.
        train: the rows to be cut into folds.
        validation: the validation rows.
        seed: of the fits, and of folds that are drawn here.
        report: is told validation losses, each fold's steps beginning at another multiple of `STEPS`.

    Raises:
        InputError: a fold leaves no row of some class to fit on.
    """
    for number, (fit, held) in enumerate(pairs(assigned(model, train, seed), model.of.split.by == "time")):
        inside, outside = train.where(fit), train.where(held)
        if lacking := set(range(len(contract.classes))).difference(inside.codes.tolist()):
            raise InputError(
                f"params.yaml: tasks.{model.task}.split.folds: fold {number + 1} leaves no row of class "
                f"{contract.classes[min(lacking)]!r} to fit on; declare fewer folds"
            )

        def told(step: int, loss: float, first: int = number * STEPS) -> None:
            report(first + step, loss)

        rows = Rows(contract, inside.inputs, inside.codes, validation.inputs, validation.codes, told)
        with quiet.stdout():
            fitted = model.family.fit(model.params, rows, seed)
        on_validation = partial(fitted.probabilities, validation.inputs)
        chosen = decision.choose(model.of.decision, contract, on_validation, validation.codes)
        yield evaluate(model, contract, fitted.probabilities(outside.inputs), outside.codes, chosen)


def evaluate(
    model: Model, contract: Contract, probabilities: np.ndarray, codes: np.ndarray, chosen: decision.Decision
) -> dict[str, float]:
    """Each metric of native probabilities, shape (rows, classes), with labels by a decision."""
    costs = decision.cost_matrix(model.of.decision, contract.classes)
    return Evaluation(probabilities, codes, chosen.codes(probabilities), costs).values()
