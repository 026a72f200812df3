import numpy as np
import pytest
from sklearn import metrics as sk

from training.metrics import BINS, LOWER_IS_BETTER, METRICS, Evaluation, Interval, bootstrap

ROWS = 400


@pytest.fixture(params=[2, 4], ids=["two-classes", "four-classes"])
def scored(request: pytest.FixtureRequest) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Probabilities with many ties, true classes, and how often each row was drawn."""
    random = np.random.default_rng(request.param)
    codes = random.integers(0, request.param, ROWS)
    votes = random.integers(1, 4, (ROWS, request.param))
    votes[codes[:, None] == np.arange(request.param)] = random.integers(1, 4, ROWS) | 1
    return votes / votes.sum(axis=1, keepdims=True), codes, random.integers(0, 5, ROWS).astype(float)


def by_scikit_learn(probabilities: np.ndarray, codes: np.ndarray, weights: np.ndarray) -> dict[str, float]:
    classes = probabilities.shape[1]
    chosen = probabilities.argmax(axis=1)
    labels = range(classes)
    score, truth = (probabilities[:, 1], codes) if classes == 2 else (probabilities, np.eye(classes)[codes])
    average = {"average": "binary"} if classes == 2 else {"average": "macro", "labels": labels}
    return {
        "auc": sk.roc_auc_score(truth, score, sample_weight=weights, average="macro"),
        "average_precision": sk.average_precision_score(truth, score, sample_weight=weights, average="macro"),
        "accuracy": sk.accuracy_score(codes, chosen, sample_weight=weights),
        "precision": sk.precision_score(codes, chosen, sample_weight=weights, **average),
        "recall": sk.recall_score(codes, chosen, sample_weight=weights, **average),
        "f1": sk.f1_score(codes, chosen, sample_weight=weights, **average),
        "log_loss": sk.log_loss(codes, probabilities, sample_weight=weights, labels=labels),
        "brier": sk.brier_score_loss(codes, score, sample_weight=weights, labels=labels),
        "calibration_error": by_a_loop(probabilities, codes, weights),
    }


def by_a_loop(probabilities: np.ndarray, codes: np.ndarray, weights: np.ndarray) -> float:
    gaps, total = [0.0] * BINS, 0.0
    for row, code, weight in zip(probabilities, codes, weights, strict=True):
        two = len(row) == 2
        confidence = row[1] if two else row.max()
        right = code == (1 if two else row.argmax())
        gaps[min(int(confidence * BINS), BINS - 1)] += weight * (right - confidence)
        total += weight
    return sum(abs(gap) for gap in gaps) / total


def test_every_metric_is_scikit_learns_under_row_weights(scored: tuple[np.ndarray, ...]) -> None:
    probabilities, codes, weights = scored
    top = probabilities[:, 1] == probabilities[:, 1].max()
    assert set(codes[top] == 1) == {True, False}
    expected = by_scikit_learn(probabilities, codes, weights)
    assert tuple(expected) == METRICS
    np.testing.assert_allclose(Evaluation(probabilities, codes).under(weights), list(expected.values()), rtol=1e-10)


def test_a_weight_is_as_good_as_a_repeated_row(scored: tuple[np.ndarray, ...]) -> None:
    probabilities, codes, weights = scored
    drawn = np.repeat(np.arange(ROWS), weights.astype(int))
    repeated = Evaluation(probabilities[drawn], codes[drawn]).values()
    assert dict(zip(METRICS, Evaluation(probabilities, codes).under(weights), strict=True)) == pytest.approx(repeated)


def test_a_statistic_is_the_metric_of_its_name(scored: tuple[np.ndarray, ...]) -> None:
    probabilities, codes, weights = scored
    evaluation = Evaluation(probabilities, codes)
    expected = dict(zip(METRICS, evaluation.under(weights), strict=True))
    assert {name: evaluation.statistic(name)(weights) for name in METRICS} == pytest.approx(expected)


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.filterwarnings("error")
def test_perfect_answers_are_best_in_every_metric(classes: int) -> None:
    codes = np.arange(30) % classes
    values = Evaluation(np.eye(classes)[codes], codes).values()
    assert values == pytest.approx({name: float(name not in LOWER_IS_BETTER) for name in METRICS})


def test_certainty_in_the_wrong_class_has_a_finite_log_loss() -> None:
    values = Evaluation(np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([1, 1])).values()
    assert 10 < values["log_loss"] < 40


@pytest.mark.parametrize("code", [0, 1])
def test_rank_metrics_of_one_class_alone_are_not_numbers(code: int) -> None:
    values = Evaluation(np.array([[0.2, 0.8], [0.6, 0.4]]), np.array([code, code])).values()
    assert np.isnan(values["auc"])
    assert values["accuracy"] == 0.5


def test_intervals_bracket_each_value(scored: tuple[np.ndarray, ...]) -> None:
    probabilities, codes, _ = scored
    evaluation = Evaluation(probabilities, codes)
    intervals = evaluation.intervals(seed=0, resamples=200)
    assert {name: interval.value for name, interval in intervals.items()} == evaluation.values()
    for name in set(METRICS) - {"calibration_error"}:  # which no resample lowers by as much as it raises it
        assert intervals[name].low < intervals[name].value < intervals[name].high, name


def test_an_interval_depends_on_the_seed_alone(scored: tuple[np.ndarray, ...]) -> None:
    evaluation = Evaluation(*scored[:2])
    assert evaluation.intervals(1, 50) == evaluation.intervals(1, 50)
    assert evaluation.intervals(1, 50) != evaluation.intervals(2, 50)


def test_an_interval_is_wider_for_fewer_rows_and_more_confidence() -> None:
    hits = np.random.default_rng(0).integers(0, 2, 2000).astype(float)

    def width(rows: int, confidence: float) -> float:
        low, high = bootstrap(lambda w: w @ hits[:rows] / w.sum(), rows, 0, 200, confidence)
        return high - low

    assert width(100, 0.95) > 2 * width(2000, 0.95)
    assert width(2000, 0.99) > width(2000, 0.8)


def test_an_interval_reads_as_value_and_ends() -> None:
    assert str(Interval(0.68, 0.67123, 0.69)) == "0.6800 [0.6712, 0.6900]"


def test_an_interval_does_not_need_every_class_in_every_resample() -> None:
    codes = np.r_[np.zeros(40, int), 1]
    score = np.linspace(0.1, 0.9, 41)
    interval = Evaluation(np.c_[1 - score, score], codes).intervals(seed=1)["auc"]
    assert interval.value == interval.high == 1.0
    assert 0.9 < interval.low <= 1.0


def test_labels_that_are_not_the_likeliest_change_the_metrics_of_labels_alone(scored: tuple[np.ndarray, ...]) -> None:
    probabilities, codes, _ = scored
    classes = probabilities.shape[1]
    costs = np.arange(classes**2, dtype=float).reshape(classes, classes)
    chosen = np.roll(codes, 1)
    plain, other = Evaluation(probabilities, codes).values(), Evaluation(probabilities, codes, chosen, costs).values()
    of_labels = {"accuracy", "precision", "recall", "f1"}
    assert {name for name in METRICS if plain[name] != other[name]} == of_labels
    assert other["accuracy"] == sk.accuracy_score(codes, chosen)
    assert other["mean_cost"] == pytest.approx(costs[codes, chosen].mean())


def test_each_class_is_measured_as_by_scikit_learn(scored: tuple[np.ndarray, ...]) -> None:
    probabilities, codes, weights = scored
    labels, evaluation = range(probabilities.shape[1]), Evaluation(probabilities, codes)
    expected = sk.precision_recall_fscore_support(
        codes, probabilities.argmax(axis=1), labels=labels, sample_weight=weights, zero_division=0
    )
    np.testing.assert_allclose(evaluation.per_class(weights), np.column_stack(expected[:3]))
    for one, support in zip(evaluation.intervals_per_class(0, 50), np.bincount(codes), strict=True):
        assert one.support == support
        for interval in (one.precision, one.recall, one.f1):
            assert interval.low <= interval.value <= interval.high
