"""Curves of a model on the test rows, as tables for DVC and as pictures for MLflow."""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from training.metrics import Ranking

POINTS = 200  # of a curve
CALIBRATION_GROUPS = 10


def write(folder: Path, probabilities: np.ndarray, codes: np.ndarray, classes: tuple[str, ...]) -> None:
    """Write `roc`, `precision_recall` and `calibration` (.csv, .png) and `confusion_matrix.png`.

    Args:
        folder: where to write.
        probabilities: shape (rows, classes).
        codes: true classes, int, shape (rows,).
        classes: their names; of two, the curves are the last one's.
    """
    spoken_of = [1] if len(classes) == 2 else range(len(classes))
    curves = [_curves(probabilities[:, k], codes == k, classes[k]) for k in spoken_of]
    roc, precision_recall, calibration = (pd.concat(tables, ignore_index=True) for tables in zip(*curves, strict=True))
    _draw(folder / "roc", roc, "false_positive_rate", "true_positive_rate", diagonal=True)
    _draw(folder / "precision_recall", precision_recall, "recall", "precision")
    _draw(folder / "calibration", calibration, "mean_probability", "observed_share", diagonal=True, marker="o")
    _confusion(folder / "confusion_matrix.png", codes, probabilities.argmax(axis=1), classes)


def _curves(score: np.ndarray, truth: np.ndarray, name: str) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    hits, named = Ranking(score, truth).found(np.ones(len(score)))
    keep = np.unique(np.linspace(0, len(hits) - 1, min(POINTS, len(hits))).astype(int))
    found, misses = hits / hits[-1], (named - hits) / max(named[-1] - hits[-1], 1)
    roc = {"false_positive_rate": np.r_[0, misses[keep]], "true_positive_rate": np.r_[0, found[keep]]}
    precision_recall = {"recall": found[keep], "precision": (hits / named)[keep]}
    groups = np.array_split(np.argsort(score, kind="stable"), min(CALIBRATION_GROUPS, len(score)))
    calibration = {
        "mean_probability": [score[group].mean() for group in groups],
        "observed_share": [truth[group].mean() for group in groups],
    }
    roc_table, recall_table, calibration_table = (
        pd.DataFrame({"class": name, **{k: np.round(v, 6) for k, v in table.items()}})
        for table in (roc, precision_recall, calibration)
    )
    return roc_table, recall_table, calibration_table


def _draw(path: Path, table: pd.DataFrame, x: str, y: str, diagonal: bool = False, marker: str = "") -> None:
    table.to_csv(path.with_suffix(".csv"), index=False)
    figure = Figure(figsize=(5, 4.5), layout="constrained")
    axes = figure.subplots()
    if diagonal:
        axes.plot([0, 1], [0, 1], color="0.7", linestyle="--")
    for name, curve in table.groupby("class", sort=False):
        axes.plot(curve[x], curve[y], marker=marker, label=str(name))
    axes.set(xlabel=x.replace("_", " "), ylabel=y.replace("_", " "), title=path.name.replace("_", " "))
    axes.legend(title="class")
    figure.savefig(path.with_suffix(".png"), dpi=100)


def _confusion(path: Path, codes: np.ndarray, chosen: np.ndarray, classes: tuple[str, ...]) -> None:
    size = len(classes)
    counts = np.bincount(codes * size + chosen, minlength=size * size).reshape(size, size)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    figure = Figure(figsize=(2.5 + size, 2 + size), layout="constrained")
    axes = figure.subplots()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for (row, column), count in np.ndenumerate(counts):
        color = "white" if shares[row, column] > 0.5 else "black"
        axes.text(column, row, f"{count:,}", ha="center", va="center", color=color)
    axes.set_xticks(range(size), classes, rotation=30, ha="right")
    axes.set_yticks(range(size), classes)
    axes.set(xlabel="predicted", ylabel="actual", title="confusion matrix")
    figure.savefig(path, dpi=100)
