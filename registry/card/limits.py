"""What a version cannot do, or has not shown: drawn from its record and its figures, not from habit."""

from collections.abc import Iterator

from data.params import GroupSplit, TimeSplit
from registry.card.facts import Facts
from registry.markdown import listing, text

NAMED = 5  # classes, columns or groups in a sentence
FEW_ROWS = 50  # of a class among the test rows, under which its own figures say little
LOW_RECALL = 0.5
SHIFT = 0.02  # of a class's share between training and test rows
MOSTLY_MISSING = 0.3


def sentences(facts: Facts) -> list[str]:
    """Each limit as a sentence in Markdown."""
    return [*_of_rows(facts), *_of_figures(facts), *_of_inputs(facts), *_of_making(facts)]


def _of_rows(facts: Facts) -> Iterator[str]:
    split, contract = facts.declared.split, facts.contract
    if isinstance(split, TimeSplit):
        yield (
            f"Fitted on rows from before {text(split.validation)} ({text(split.column)}), tested on rows from "
            f"{text(split.test)} on; no other time was looked at."
        )
    if isinstance(split, GroupSplit):
        groups = f"groups of {text(split.column)}"
        tested = f" ({listing(split.test, NAMED)})" if isinstance(split.test, list) else ""
        yield (
            f"Tested on {groups}{tested} that it was not fitted on. Intervals draw rows: from group to group the "
            "figures may vary more than they say."
        )
    before, now = facts.reference["classes"], facts.shares
    moved = [name for name in contract.classes if abs(before[name] - now[name]) > SHIFT]
    if moved:
        told = ", ".join(f"{text(name)} {before[name]:.1%} and {now[name]:.1%}" for name in moved[:NAMED])
        yield f"Class shares of training rows and test rows differ: {told}."
    for warning in facts.reference.get("warnings", [])[:NAMED]:
        yield f"Told when the rows were prepared, on {text(warning['about'])}: {text(warning['words'], 300)}."


def _of_figures(facts: Facts) -> Iterator[str]:
    candidate, metric = facts.candidate, facts.conditions.metric
    ours, theirs = candidate.test[metric], candidate.validation[metric]
    if ours.low > theirs.high or theirs.low > ours.high:
        yield (
            f"{facts.metric} differs between validation rows ({theirs.value:.4f}) and test rows ({ours.value:.4f}) by "
            "more than chance: expect as much on other rows."
        )
    if few := [name for name, one in candidate.per_class.items() if one.support < FEW_ROWS]:
        yield f"Classes with under {FEW_ROWS} test rows, too few for figures of their own: {listing(few, NAMED)}."
    missed = {name: one.recall.value for name, one in candidate.per_class.items() if one.recall.value < LOW_RECALL}
    if missed:
        worst = sorted(missed, key=missed.__getitem__)[:NAMED]
        told = ", ".join(f"{text(name)} (finds {missed[name]:.0%})" for name in worst)
        yield f"Misses more than half of the rows of some classes: {told}."
    if len(facts.slices) > 1 and (weakest := facts.slices[0]).figure is not None:
        yield (
            f"Weakest slice: {text(weakest)}, {facts.metric} {weakest.figure:.4f} on {weakest.rows:,} rows, against "
            f"{ours.value:.4f} on all."
        )
    if candidate.params.get("class_weight") is not None:
        yield "Fitted with class weights, so that its probabilities are no shares of rows; calibration suffers."


def _of_inputs(facts: Facts) -> Iterator[str]:
    contract, columns = facts.contract, facts.reference["columns"]
    if column := contract.tensor:
        shape = " by ".join(map(str, column.shape))
        yield (
            f"Takes {column.kind}s of {shape} numbers from {column.low:g} to {column.high:g}; others, and missing "
            "values, are refused."
        )
        return
    if not facts.answers_unknown:
        yield "A row without any value, or with a category that no training row had, is refused."
        return
    gaps = {name: columns[name]["missing"] for name in contract.names}
    often = sorted((name for name, share in gaps.items() if share > MOSTLY_MISSING), key=lambda name: -gaps[name])
    never = [name for name, share in gaps.items() if share == 0]
    told = f"A missing value is answered{' in every column' if len(gaps) > 1 else ''}"
    if often:
        told += f"; often missing in training rows: {', '.join(f'{text(n)} ({gaps[n]:.0%})' for n in often[:NAMED])}"
    if never and len(never) < len(gaps):
        told += f"; never: {listing(never, NAMED)}"
    elif never:
        told += ", though none was missing in training rows"
    yield told + "."
    if contract.of_kind("category"):
        yield "A category that no training row had is answered, too."


def _of_making(facts: Facts) -> Iterator[str]:
    lineage = facts.candidate.lineage
    if facts.stale:
        yield "The rows were prepared anew since: slices, calibration and what matters are of other rows than metrics."
    if why := lineage["unreproducible"]:
        yield f"Not reproducible: {text(why, 300)}."
    else:
        if lineage["git_dirty"]:
            yield "Trained from files that differ from the git commit; the difference is kept, `reproduce` applies it."
        if outside := lineage["rows_outside_git"]:
            yield f"Git does not have {text(outside, 200)}, where its rows are from: `reproduce` needs DVC's cache."
    if not lineage["dvc_stage"]:
        yield "Trained outside of DVC, so that no hash of DVC's names its rows."
    if start := lineage.get("warm_start"):
        yield f"Fitting went on from version {text(start['version'])}, which had seen rows of its own."
