"""Curves of a model on the test rows, as tables for DVC and as pictures for MLflow."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from training.metrics import PER_CLASS, OfClass, Ranking

POINTS = 200  # of a curve
CALIBRATION_GROUPS = 10
NAMED = 10  # classes with a colour and a name of their own; with more, a picture draws them alike
NUMBERED = 20  # classes whose confusion has its counts written in
NAME = 24  # letters of a class's name


def write(
    folder: Path, probabilities: np.ndarray, codes: np.ndarray, chosen: np.ndarray, per_class: dict[str, OfClass]
) -> None:
    """Write `roc`, `precision_recall`, `calibration`, `confusion_matrix` and `per_class`, each as .csv and .png.

    Args:
        folder: where to write.
        probabilities: shape (rows, classes).
        codes: true classes, int, shape (rows,).
        chosen: the classes of the labels, int, shape (rows,).
        per_class: how each class is found, by name, in order; of two, the curves are the last one's.
    """
    classes = tuple(per_class)
    spoken_of = [1] if len(classes) == 2 else range(len(classes))
    curves = [_curves(probabilities[:, k], codes == k, classes[k]) for k in spoken_of]
    roc, precision_recall, calibration = (pd.concat(tables, ignore_index=True) for tables in zip(*curves, strict=True))
    _draw(folder / "roc", roc, "false_positive_rate", "true_positive_rate", diagonal=True)
    _draw(folder / "precision_recall", precision_recall, "recall", "precision")
    _draw(folder / "calibration", calibration, "mean_probability", "observed_share", diagonal=True, marker="o")
    _confusion(folder / "confusion_matrix", codes, chosen, classes)
    _per_class(folder / "per_class", per_class)


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
    curves = list(table.groupby("class", sort=False))
    for name, curve in curves:
        alike: dict[str, Any] = {"color": "tab:blue", "alpha": 0.3} if len(curves) > NAMED else {}
        axes.plot(curve[x], curve[y], marker=marker, label=_short(str(name)), **alike)
    axes.set(xlabel=x.replace("_", " "), ylabel=y.replace("_", " "), title=path.name.replace("_", " "))
    if len(curves) > NAMED:
        axes.set_title(f"{path.name.replace('_', ' ')} of {len(curves)} classes")
    else:
        axes.legend(title="class")
    figure.savefig(path.with_suffix(".png"), dpi=100)


def _confusion(path: Path, codes: np.ndarray, chosen: np.ndarray, classes: tuple[str, ...]) -> None:
    size = len(classes)
    counts = np.bincount(codes * size + chosen, minlength=size * size).reshape(size, size)
    cells = [
        {"actual": classes[row], "predicted": classes[column], "rows": int(count)}
        for (row, column), count in np.ndenumerate(counts)
    ]
    pd.DataFrame(cells).to_csv(path.with_suffix(".csv"), index=False)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    side = min(2 + size, 14) if size <= NUMBERED else min(4 + size * 0.2, 30)
    figure = Figure(figsize=(side + 0.5, side), layout="constrained")
    axes = figure.subplots()
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    if size <= NUMBERED:
        for (row, column), count in np.ndenumerate(counts):
            color = "white" if shares[row, column] > 0.5 else "black"
            axes.text(column, row, f"{count:,}", ha="center", va="center", color=color)
    else:
        figure.colorbar(image, label="share of the actual class", shrink=0.6)
    names = [_short(name) for name in classes]
    turn = 30 if size <= NAMED else 90
    axes.set_xticks(range(size), names, rotation=turn, ha="right" if turn == 30 else "center")
    axes.set_yticks(range(size), names)
    axes.tick_params(labelsize=10 if size <= NUMBERED else 7)
    axes.set(xlabel="predicted", ylabel="actual", title="confusion matrix")
    figure.savefig(path.with_suffix(".png"), dpi=100)


def _per_class(path: Path, per_class: dict[str, OfClass]) -> None:
    table = pd.DataFrame(
        [
            {
                "class": name,
                **{
                    part + end: round(getattr(getattr(one, part), figure), 6)
                    for part in PER_CLASS
                    for end, figure in (("", "value"), ("_low", "low"), ("_high", "high"))
                },
                "support": one.support,
            }
            for name, one in per_class.items()
        ]
    )
    table.to_csv(path.with_suffix(".csv"), index=False)
    figure = Figure(figsize=(6, min(1.5 + 0.45 * len(table), 40)), layout="constrained")
    axes = figure.subplots()
    places = np.arange(len(table))
    for shift, part in enumerate(PER_CLASS):
        reach = np.abs(table[[f"{part}_low", f"{part}_high"]].to_numpy().T - table[part].to_numpy())
        axes.errorbar(table[part], places + (shift - 1) * 0.2, xerr=reach, fmt="o", markersize=4, label=part)
    axes.set_yticks(places, [_short(name) for name in table["class"]])
    axes.invert_yaxis()
    axes.set(xlim=(-0.02, 1.02), title="per class, with 95 % intervals")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.3 / figure.get_figheight()), ncols=3, frameon=False)
    figure.savefig(path.with_suffix(".png"), dpi=100)


def _short(name: str) -> str:
    """A class's name, cut, and without the dollars that matplotlib would read as mathematics."""
    cut = name if len(name) <= NAME else name[: NAME - 1] + "…"
    return cut.replace("$", r"\$")
