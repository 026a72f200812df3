"""Logistic regression by L-BFGS over batches, for more rows than memory holds."""

import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

Batch = tuple[Any, np.ndarray]
"""Features, sparse or dense of shape (rows, features), and classes as codes of shape (rows,)."""


class Spool:
    """Batches of features in temporary files, so that each pass over them costs no preprocessing.

    They lie where Python's `tempfile` puts them (`TMPDIR`); about eight bytes for each non-zero feature.
    """

    def __init__(self, batches: Iterable[Batch]) -> None:
        """Write the batches, one at a time."""
        from scipy import sparse

        self._folder = tempfile.TemporaryDirectory(prefix="features-")
        self.rows, self.features, self._files = 0, 0, list[Path]()
        for X, codes in batches:
            X = sparse.csr_matrix(X, dtype=np.float32)
            self.rows, self.features = self.rows + X.shape[0], X.shape[1]
            self._files.append(Path(self._folder.name) / f"{len(self._files)}.npy")
            with self._files[-1].open("wb") as file:
                for array in (X.data, X.indices, X.indptr, codes):
                    np.save(file, array)

    def __iter__(self) -> Iterator[Batch]:
        """The batches in their order, read one at a time."""
        from scipy import sparse

        for path in self._files:
            with path.open("rb") as file:
                data, indices, indptr, codes = (np.load(file) for _ in range(4))
            yield sparse.csr_matrix((data, indices, indptr), shape=(len(codes), self.features)), codes

    def __enter__(self) -> "Spool":
        return self

    def __exit__(self, *_: object) -> None:
        self._folder.cleanup()


def fit(
    spool: Spool,
    classes: int,
    C: float,
    max_iter: int,
    weights: np.ndarray | None = None,
    told: Callable[[Any, float], None] = lambda regression, loss: None,
) -> Any:
    """A fitted scikit-learn `LogisticRegression`, as its own L-BFGS would give with all rows in memory.

    Args:
        spool: the training rows.
        classes: how many there are.
        C: inverse strength of the L2 penalty.
        max_iter: most iterations.
        weights: of the classes, shape (classes,); by default all one.
        told: called after each iteration with the regression so far and the log loss on all training rows.
    """
    from scipy.optimize import minimize

    outputs = 1 if classes == 2 else classes
    weights = np.ones(classes) if weights is None else weights
    total = sum(float(weights[codes].sum()) for _, codes in spool)
    last = {"loss": 0.0}

    def objective(flat: np.ndarray) -> tuple[float, np.ndarray]:
        coefficients = flat.reshape(outputs, spool.features + 1)
        gradient, loss = np.zeros_like(coefficients), 0.0
        slopes = coefficients[:, :-1].T.astype(np.float32)
        for X, codes in spool:
            losses, slope = _loss(np.asarray(X @ slopes, dtype=np.float64) + coefficients[:, -1], codes)
            slope *= weights[codes][:, None]
            loss += float(losses @ weights[codes])
            gradient[:, :-1] += (X.T @ slope.astype(np.float32)).T
            gradient[:, -1] += slope.sum(axis=0)
        last["loss"] = loss / total
        gradient[:, :-1] += coefficients[:, :-1] / C
        return (loss + float((coefficients[:, :-1] ** 2).sum()) / (2 * C)) / total, gradient.ravel() / total

    result = minimize(
        objective,
        np.zeros(outputs * (spool.features + 1)),
        jac=True,
        method="L-BFGS-B",
        callback=lambda flat: told(_regression(flat, classes, C, max_iter), last["loss"]),
        options={"maxiter": max_iter, "maxls": 50, "gtol": 1e-4, "ftol": 64 * np.finfo(float).eps},  # scikit-learn's
    )
    return _regression(result.x, classes, C, max_iter, result.nit)


def _loss(scores: np.ndarray, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Log loss of each row and its derivative by the scores, shapes (rows,) and (rows, outputs)."""
    from scipy.special import expit, log_softmax

    if scores.shape[1] == 1:
        truth = codes[:, None].astype(np.float64)
        return (np.logaddexp(0, scores) - truth * scores)[:, 0], expit(scores) - truth
    logs = log_softmax(scores, axis=1)
    slope, places = np.exp(logs), np.arange(len(codes))
    slope[places, codes] -= 1
    return -logs[places, codes], slope


def _regression(flat: np.ndarray, classes: int, C: float, max_iter: int, iterations: int = 0) -> Any:
    from sklearn.linear_model import LogisticRegression

    coefficients = flat.reshape(1 if classes == 2 else classes, -1)
    regression = LogisticRegression(C=C, max_iter=max_iter)
    regression.classes_ = np.arange(classes)
    regression.coef_ = coefficients[:, :-1].astype(np.float32)
    regression.intercept_ = coefficients[:, -1].astype(np.float32)
    regression.n_features_in_ = coefficients.shape[1] - 1
    regression.n_iter_ = np.array([iterations], dtype=np.int32)
    return regression
