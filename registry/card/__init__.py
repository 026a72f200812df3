"""A version's model card: its description in MLflow, and in full as an artifact with its plots."""

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion

from data import params
from registry import markdown
from registry.card import facts, sections
from registry.card.facts import Facts
from registry.conditions import Conditions
from registry.evidence import Verdict
from registry.exam import Exam
from training.candidate import PLOTS, Candidate

FILE = "card.md"
LONGEST = 5000
"""Letters of a description that MLflow's databases take; PostgreSQL refuses more."""
ROWS = 50  # of a table in the card
DESCRIBED_ROWS = (8, 5, 3)  # of a table in a description
SECTIONS = {
    "Metrics": sections.metrics,
    "Classes": sections.classes,
    "Slices": sections.slices,
    "Calibration": sections.calibration,
    "What matters": sections.matters,
    "Limits": sections.restrictions,
    "Call": sections.calling,
    "Data": sections.data,
    "Training": sections.training,
    "Rebuild": sections.rebuilding,
    "Packages": sections.packages,
}
PICTURES = {
    "Metrics": ("roc", "precision_recall"),
    "Classes": ("per_class", "confusion_matrix"),
    "Calibration": ("calibration",),
}
EXTRA = ("Packages", "Classes")
LEFT_OUT = (*EXTRA, "Training", "Data", "Slices", "Calibration", "What matters", "Rebuild", "Metrics", "Call", "Limits")
"""Sections in the order in which a description goes without them, until it is short enough."""


@dataclass(frozen=True)
class Card:
    """A version's card."""

    markdown: str
    """In full, with pictures that lie in `plots` beside it."""
    description: str
    """What of it fits into a version's description."""
    pictures: Path
    """The folder of the pictures."""


def of(
    version: ModelVersion,
    candidate: Candidate,
    exam: Exam,
    declared: params.Task,
    conditions: Conditions,
    verdict: Verdict | None,
) -> Card:
    """The card of a version.

    Args:
        version: as registered, with its input example.
        candidate: what it was made from, whose folder is there.
        exam: the test rows, which remember what graphs answered.
        declared: the task, as `params.yaml` has it.
        conditions: the gate's, which name the metric and the slices.
        verdict: the gate's on this version, if it gave one.
    """
    found = facts.gather(version, candidate, exam, declared, conditions, verdict)
    return Card(_whole(found), _description(found), candidate.folder / PLOTS)


def written(version: ModelVersion) -> bool:
    """Whether a version has its card, or another description that a person gave it."""
    return bool(version.description)


def write(client: MlflowClient, version: ModelVersion, card: Card) -> None:
    """Keep the card with the version's run, and then describe the version; a second call changes nothing."""
    if version.description == card.description:
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        (folder / FILE).write_text(card.markdown, encoding="utf-8")
        (folder / PLOTS).mkdir()
        for picture in card.pictures.glob("*.png"):
            shutil.copy(picture, folder / PLOTS)
        client.log_artifacts(str(version.run_id), temporary, _place(version.version))
    client.update_model_version(version.name, version.version, card.description)


def _place(number: str) -> str:
    return f"versions/{number}"


def _whole(found: Facts) -> str:
    parts = [f"# {found.task} version {found.number}", sections.summary(found, ROWS)]
    for name, section in SECTIONS.items():
        if said := section(found, ROWS):
            parts += [f"## {name}", said, *(f"![{one}]({PLOTS}/{one}.png)" for one in PICTURES.get(name, ()))]
    return "\n\n".join(parts) + "\n"


def _description(found: Facts) -> str:
    """Whole sections, with tables as long and as many as fit."""
    most, *fewer = DESCRIBED_ROWS
    tries = [(most, count) for count in range(len(EXTRA) + 1)] + [(rows, len(EXTRA)) for rows in fewer]
    tries += [(fewer[-1], count) for count in range(len(EXTRA) + 1, len(LEFT_OUT) + 1)]
    said = (_part(found, rows, LEFT_OUT[:count]) for rows, count in tries)
    return next(text for text in said if len(text) <= LONGEST)


def _part(found: Facts, longest: int, left_out: tuple[str, ...]) -> str:
    parts, folder = [sections.summary(found, longest)], _place(found.number)
    for name, section in SECTIONS.items():
        if name not in left_out and (said := section(found, longest)):
            parts += [f"## {name}", markdown.spaced(said)]
            if name == "Calibration":
                parts.append(f"![calibration](get-artifact?path={folder}/{PLOTS}/calibration.png&run_uuid={found.run})")
    more = f"with {', '.join(left_out)} and plots" if left_out else "with plots"
    parts += ["## In full", f"`{folder}/{FILE}` among the artifacts of the run, {more}:"]
    parts.append(markdown.block(f"mlflow artifacts download -r {found.run} -a {folder} -d ."))
    return "\n\n".join(parts)
