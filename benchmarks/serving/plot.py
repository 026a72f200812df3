"""The measured ratios as a picture."""

from pathlib import Path
from typing import Any

from benchmarks.serving import figures
from benchmarks.serving.figures import BOUNDS, BY_KEY, Round, Spread, digits
from benchmarks.serving.servers import ECHO, FAMILIES, GRAPH, MLFLOW, NAIVE, OURS, TWO

COLOURS = {"logistic": "#4c78a8", "mlp": "#f58518"}
HEIGHT = 0.38


def draw(rounds: list[Round], path: Path) -> None:
    """Write a PNG: how many times better than MLflow each figure is, and every server's share of the floor."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(12, 4.8), width_ratios=(3, 2), layout="constrained")
    keys = list(BOUNDS)
    for place, family in enumerate(FAMILIES):
        for row, key in enumerate(keys):
            height = row + (place - 0.5) * HEIGHT
            if found := figures.ratio(rounds, family, key, MLFLOW):
                values = sorted(_better(key, one) for one in (found.low, found.median, found.high))
                _bar(left, height, Spread(values[1], values[0], values[2]), COLOURS[family], digits(values[1]))
            bound = _better(key, BOUNDS[key][place])
            left.plot([bound, bound], [height - HEIGHT / 2, height + HEIGHT / 2], color="black", linewidth=1.5)
        left.barh(0, 0, color=COLOURS[family], label=family)
    left.plot([], [], color="black", linewidth=1.5, label="to reach")
    left.set_xscale("log")
    left.set_yticks(range(len(keys)), [BY_KEY[key].title for key in keys])
    left.invert_yaxis()
    left.margins(x=0.2)
    left.set_title("times better than MLflow, native model, one worker each", fontsize=10)
    left.legend(loc="lower right", fontsize=8, framealpha=1)

    names = [OURS, GRAPH, MLFLOW, TWO, NAIVE]
    for place, family in enumerate(FAMILIES):
        for row, name in enumerate(names):
            both = [(one.get((name, family), {}), one.get((ECHO, ""), {})) for one in rounds]
            shares = [ours["rate"] / floor["rate"] for ours, floor in both if ours and floor]
            if found := figures.spread(shares):
                height = row + (place - 0.5) * HEIGHT
                _bar(right, height, found, COLOURS[family], f"{digits(100 * found.median)} %")
    right.set_xscale("log")
    right.set_yticks(range(len(names)), names)
    right.invert_yaxis()
    right.margins(x=0.25)
    right.set_title("requests/s at 16 connections, share of the echo endpoint's", fontsize=10, loc="right")
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _better(key: str, value: float) -> float:
    return value if BY_KEY[key].more else 1 / value


def _bar(axes: Any, height: float, found: Spread, colour: str, text: str) -> None:
    error = [[found.median - found.low], [found.high - found.median]]
    axes.barh(height, found.median, HEIGHT, color=colour, xerr=error, error_kw={"elinewidth": 1, "capsize": 2})
    axes.text(found.high * 1.1, height, text, va="center", fontsize=7)
