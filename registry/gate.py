"""The gate: champion and challenger on the same test rows, and a verdict with its evidence."""

from dataclasses import replace
from functools import partial
from pathlib import Path

from data.errors import InputError
from registry import guardrails
from registry.comparison import compare
from registry.conditions import Conditions
from registry.evidence import ComparedSlice, Verdict
from registry.exam import Exam
from registry.guardrails import Figures
from registry.seen import Seen

BASELINE = "baseline"  # the champion while there is none: class shares for every row


def judge(
    conditions: Conditions,
    challenger: tuple[str, Path],
    champion: tuple[str, Path] | None,
    exam: Exam,
    seed: int,
    seen: Seen | None = None,
) -> Verdict:
    """Score both graphs on the test rows, compare them, and hold the challenger against the guardrails.

    Args:
        conditions: metric, margin, confidence and guardrails.
        challenger: name and graph of what wants to be in Production.
        champion: name and graph of what is there; None compares with the class shares of the rows.
        exam: the test rows.
        seed: of the bootstrap.
        seen: what is known of rows that either was fitted on, for the verdict.

    Raises:
        InputError: the challenger does not fit today's data.
    """
    contract = exam.contract
    name, path = champion or (BASELINE, None)
    if misfit := exam.misfit(challenger[1]):
        raise InputError(
            f"{contract.task}: {challenger[0]} does not fit today's data ({misfit}), so it cannot be judged; train its "
            "model again with `dvc repro`"
        )
    figures = exam.figures(challenger[1], conditions)
    verdict = partial(
        Verdict,
        challenger=challenger[0],
        champion=name,
        metric=conditions.metric,
        margin=conditions.margin,
        confidence=conditions.confidence,
        resamples=conditions.resamples,
        rows=len(exam),
        data=exam.data,
        seed=seed,
        seen=seen,
        challenger_value=figures.metric,
        guardrails=tuple(guardrails.check(figures, conditions)),
    )
    if path and (misfit := exam.misfit(path)):
        reason = (
            f"{name} does not fit today's data ({misfit}), so nothing was compared and it stays; to replace it: "
            f'python -m registry promote {contract.task} {challenger[0].split()[-1]} --to Production --why "…"'
        )
        return _guarded(verdict(better=False, reason=reason, slices=_side_by_side(figures, None)))
    theirs = exam.figures(path, conditions) if path else None
    other = exam.take(path) if path else exam.baseline(conditions.metric)
    found = compare(exam.take(challenger[1]), other, exam.resamples(conditions, seed))
    reason = (
        f"{conditions.metric} {found.challenger:.4f} against {found.champion:.4f} of {name}: lead {found.lead} "
        f"is {'above' if found.better else 'not above'} the margin {conditions.margin:g}"
    )
    return _guarded(
        verdict(
            better=found.better,
            reason=reason,
            champion_value=found.champion,
            lead=found.lead,
            mcnemar=found.mcnemar,
            champion_guardrails=tuple(guardrails.check(theirs, conditions)) if theirs else (),
            slices=_side_by_side(figures, theirs),
        )
    )


def _guarded(verdict: Verdict) -> Verdict:
    """The verdict, which is not "better" if a guardrail fails, and then names each that does."""
    if not verdict.failed:
        return verdict
    failed = f"it fails {'a guardrail' if len(verdict.failed) == 1 else f'{len(verdict.failed)} guardrails'}: "
    reason = f"{verdict.reason}, {'but' if verdict.better else 'and'} {failed}{'; '.join(map(str, verdict.failed))}"
    return replace(verdict, better=False, reason=reason)


def _side_by_side(ours: Figures, theirs: Figures | None) -> tuple[ComparedSlice, ...]:
    def beside(place: int) -> float | None:
        return theirs.slices[place].figure if theirs else None

    return tuple(
        ComparedSlice(one.column, one.value, one.rows, one.figure, beside(place))
        for place, one in enumerate(ours.slices)
    )
