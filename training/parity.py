"""Does the graph answer what the native model answers? Asked of every test row."""

import numpy as np
import pandas as pd

from training.decision import HIGHEST, Decision


class ParityError(Exception):
    """The graph and the native model disagree; the message shows the worst row."""


def check(
    inputs: pd.DataFrame,
    native: np.ndarray,
    graph: np.ndarray,
    labels: np.ndarray,
    classes: tuple[str, ...],
    tolerance: float,
    decision: Decision = HIGHEST,
) -> float:
    """The largest difference of a probability between graph and native model.

    Args:
        inputs: the rows that both scored.
        native: probabilities by the native model, shape (rows, classes).
        graph: probabilities by the graph, same shape.
        labels: the graph's labels, shape (rows,).
        classes: the class names, in the order of the probabilities.
        tolerance: largest difference allowed; labels may differ only where the decision is this close.
        decision: how a label follows from probabilities.

    Raises:
        ParityError: a probability differs by more, is not finite, or a label is another one.
    """
    difference = np.abs(native.astype(np.float64) - graph.astype(np.float64)).max(axis=1)
    difference = np.where(np.isfinite(difference), difference, np.inf)
    if difference.max() > tolerance:
        worst = int(difference.argmax())
        raise ParityError(
            f"the graph disagrees with the native model on {int((difference > tolerance).sum())} of {len(native)} "
            f"test rows; worst by {difference[worst]:.2g} (allowed {tolerance:g}) in row {worst}: "
            f"native {native[worst].tolist()}, graph {graph[worst].tolist()}, inputs {inputs.iloc[worst].to_dict()}"
        )
    chosen, margin = decision.codes(native), decision.margin(native)
    other = np.flatnonzero(labels != np.array(classes, dtype=object)[chosen])
    for row in other:
        if margin[row] > tolerance:
            raise ParityError(
                f"the graph says {labels[row]!r} and the native model {classes[chosen[row]]!r} for test row {row}: "
                f"native {native[row].tolist()}, inputs {inputs.iloc[row].to_dict()}"
            )
    return float(difference.max())
