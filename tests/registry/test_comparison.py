"""Paired comparison of two models, against the textbook's formulas."""

from math import comb

import numpy as np
import pytest

from registry.comparison import McNemar, Resamples, compare
from registry.conditions import Conditions
from training.metrics import Evaluation, bootstrap

RANDOM = np.random.default_rng(5)
TRUTH = RANDOM.integers(0, 2, 800)
SCORES = [np.clip(RANDOM.normal(0.4 + lead * TRUTH, 0.25), 0.01, 0.99) for lead in (0.3, 0.15, 0.0)]
GOOD, FAIR, BLIND = (Evaluation(np.column_stack([1 - score, score]), TRUTH) for score in SCORES)
GIVEN = Conditions(resamples=300)


@pytest.mark.parametrize(("ours", "theirs"), [(0, 0), (3, 3), (9, 1), (1, 9), (40, 61)])
def test_mcnemars_p_value_is_that_of_the_binomial_distribution(ours: int, theirs: int) -> None:
    challenger = np.array([1.0] * ours + [0.0] * theirs + [1.0] * 20 + [0.0] * 20)
    champion = np.array([0.0] * ours + [1.0] * theirs + [1.0] * 20 + [0.0] * 20)
    tail = sum(comb(ours + theirs, k) for k in range(min(ours, theirs) + 1)) / 2 ** (ours + theirs)
    found = McNemar.of(challenger, champion)
    assert (found.challenger_only, found.champion_only) == (ours, theirs)
    assert found.p == pytest.approx(min(1.0, 2 * tail))


def test_the_interval_is_that_of_the_paired_difference_whatever_was_compared_before() -> None:
    resamples = Resamples(GIVEN, len(TRUTH), 9)
    compare(FAIR, BLIND, resamples)
    found = compare(GOOD, FAIR, resamples)
    ours, theirs = GOOD.statistic("auc"), FAIR.statistic("auc")
    low, high = bootstrap(lambda weights: ours(weights) - theirs(weights), len(TRUTH), 9, 300, 0.95)
    assert (found.lead.low, found.lead.high) == pytest.approx((low, high))
    assert found.lead.value == found.challenger - found.champion
    assert found.better


def test_the_one_that_is_better_is_better_only_one_way_round() -> None:
    resamples = Resamples(GIVEN, len(TRUTH), 9)
    there, back = compare(GOOD, BLIND, resamples), compare(BLIND, GOOD, resamples)
    assert there.better
    assert not back.better
    assert (back.lead.low, back.lead.high) == pytest.approx((-there.lead.high, -there.lead.low))
    assert not compare(GOOD, GOOD, resamples).better
