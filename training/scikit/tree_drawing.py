"""A decision tree as a picture: questions from left to right, the share of each class in every leaf."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from data.contract import Contract
from training.features import categories_graph, inputs

MOST_LEVELS = 6  # deeper questions are left out of the picture
NAMED = 5  # categories named in a question
ROW, COLUMN = 0.42, 3.0  # inches for a leaf and for a question


@dataclass(frozen=True)
class Feature:
    """What a feature of the tree is called; for a category, what stands for each of its values."""

    name: str
    shares: dict[str, float] | None = None

    def question(self, threshold: float) -> str:
        """What is asked; yes goes up in the picture."""
        if self.shares is None:
            return f"{self.name} ≤ {threshold:.4g}"
        below = [value or "(missing)" for value, share in self.shares.items() if share <= threshold]
        above = [value or "(missing)" for value, share in self.shares.items() if share > threshold]
        fewer, verb = (below, "is") if len(below) <= len(above) else (above, "is not")
        names = ", ".join(fewer[:NAMED]) + (f" or {len(fewer) - NAMED} more" if len(fewer) > NAMED else "")
        return f"{self.name} {verb} {names or 'known'}"


def draw(path: Path, pipeline: Any, contract: Contract) -> None:
    """Write the picture of a fitted pipeline of `features.for_trees` and a tree."""
    tree = pipeline[-1].tree_
    named = _features(pipeline[0], contract)
    levels = min(pipeline[-1].get_depth(), MOST_LEVELS)
    ends = _ends(tree, 0, levels)
    figure = Figure(figsize=(COLUMN * (levels + 1), 1 + ROW * ends), layout="constrained")
    axes = figure.subplots()
    axes.set_axis_off()
    axes.set(xlim=(-0.05, levels + 1), ylim=(ends - 0.5, -0.5))
    axes.set_title(f"{contract.task}: decision tree; yes goes up, no goes down", loc="left")
    _branch(axes, tree, named, contract.classes, 0, 0, 0.0, levels)
    figure.savefig(path, dpi=80)


def _features(features: Any, contract: Contract) -> list[Feature]:
    width = features.n_features_in_
    if contract.tensor:
        return [Feature(f"{contract.tensor.name} {place}") for place in range(width)]
    raw = _raw_names(contract)
    named = []
    for part, transformer, columns in features.transformers_:
        if part == "number":
            named += [Feature(raw[column]) for column in columns]
        elif part == "category":
            tables = categories_graph.shares(transformer)
            for column, known, table in zip(columns, transformer.categories_, tables, strict=True):
                of = [""] if table.shape[1] == 1 else [f" (by share of {name})" for name in contract.classes]
                named += [
                    Feature(raw[column] + of[k], dict(zip(map(str, known), table[:-1, k], strict=True)))
                    for k in range(table.shape[1])
                ]
        elif part != "remainder":
            named += [Feature(f"{raw[columns]} has {word!r}; 1") for word in transformer.get_feature_names_out()]
    return named


def _raw_names(contract: Contract) -> dict[str, str]:
    names = {}
    for plain in inputs.columns(contract):
        place, _, part = plain[1:].partition("_")
        names[plain] = f"{contract.names[int(place)]} {part}".strip()
    return names


def _ends(tree: Any, node: int, levels: int) -> int:
    if levels == 0 or tree.children_left[node] < 0:
        return 1
    return sum(_ends(tree, child, levels - 1) for child in (tree.children_left[node], tree.children_right[node]))


def _branch(
    axes: Any, tree: Any, named: list[Feature], classes: tuple[str, ...], node: int, depth: int, top: float, levels: int
) -> tuple[float, float]:
    """Draw a node and what follows from it, from the line `top` on; the node's line and the next free one."""
    if depth == levels or tree.children_left[node] < 0:
        shares = tree.value[node, 0] / tree.value[node, 0].sum()
        best = int(np.argmax(shares))
        spoken = 1 if len(classes) == 2 else best
        more = " …" if tree.children_left[node] >= 0 else ""
        text = f"{classes[spoken]} {shares[spoken]:.0%} of {tree.n_node_samples[node]:,}{more}"
        axes.text(
            depth, top, text, va="center", bbox={"boxstyle": "round", "fc": f"C{best}", "alpha": 0.25, "ec": "none"}
        )
        return top, top + 1
    lines = []
    free = top
    for child in (tree.children_left[node], tree.children_right[node]):
        line, free = _branch(axes, tree, named, classes, child, depth + 1, free, levels)
        lines.append(line)
    own = sum(lines) / 2
    for line in lines:
        axes.plot([depth + 0.02, depth + 0.98], [own, line], color="0.7", linewidth=1, zorder=0)
    question = named[tree.feature[node]].question(tree.threshold[node])
    missing = "missing goes up" if tree.missing_go_to_left[node] else "missing goes down"
    text = f"{question}?\n{missing}" if named[tree.feature[node]].shares is None else f"{question}?"
    axes.text(depth, own, text, va="center", fontsize=9, bbox={"boxstyle": "round", "fc": "white", "ec": "0.6"})
    return own, free
