import numpy as np
import pytest

from data.contract import Column
from training.features.summary import MOST_CHANNELS, summary

STEPS = 40
ANGLE = 2 * np.pi * np.arange(STEPS) * 3 / STEPS  # three turns
LOW_TO_HIGH = (-10.0, 10.0)


def column(*shape: int) -> Column:
    return Column("motion", "sequence", shape, *LOW_TO_HIGH)


def test_channels_are_told_by_level_size_step_waves_and_how_they_go_together() -> None:
    channels = [np.sin(ANGLE), 2 - 2 * np.sin(ANGLE), np.full(STEPS, 3.0)]
    values = np.stack(channels, axis=1).astype(np.float32)[None]
    mean, deviation, least, largest, step, waves, together, later = np.split(
        summary(values, column(STEPS, 3))[0], np.cumsum([3, 3, 3, 3, 3, 36, 3])
    )
    np.testing.assert_allclose(mean, [0, 2, 3], atol=1e-6)
    np.testing.assert_allclose(deviation, [0.5**0.5, 2**0.5, 0], atol=1e-6)
    np.testing.assert_allclose(least, np.min(channels, axis=1), rtol=1e-6)
    np.testing.assert_allclose(largest, np.max(channels, axis=1), rtol=1e-6)
    np.testing.assert_allclose(step, [np.abs(np.diff(one)).sum() / STEPS for one in channels], rtol=1e-6)
    strength = np.exp(waves.reshape(3, 12))
    expected = np.full((3, 12), 2e-4)
    expected[:2, 2] += [0.5, 1]
    np.testing.assert_allclose(strength, expected, rtol=1e-3)
    np.testing.assert_allclose(together, [-1, 0, 0], atol=1e-6)
    own = (np.sin(ANGLE[4:]) * np.sin(ANGLE[:-4])).sum() / (np.sin(ANGLE) ** 2).sum()
    np.testing.assert_allclose(later, [own, -own, 0, -own, own, 0, 0, 0, 0], atol=1e-6)


def test_the_length_of_a_row_is_a_channel_that_no_turn_changes() -> None:
    values = np.random.default_rng(0).normal(size=(5, STEPS, 2, 3)).astype(np.float32)
    turn = np.array([[0, 1, 0], [-1, 0, 0], [0, 0, 1]], np.float32)
    before, after = (summary(one, column(STEPS, 2, 3)) for one in (values, values @ turn))
    lengths = np.ravel([[place * 8 + 6, place * 8 + 7] for place in range(5)])
    np.testing.assert_allclose(before[:, lengths], after[:, lengths], rtol=1e-4)
    np.testing.assert_allclose(before[:, 6], np.linalg.norm(values[:, :, 0], axis=2).mean(axis=1), rtol=1e-6)
    assert not np.allclose(before, after, atol=0.1)


def test_a_channel_that_hardly_moves_is_not_correlated() -> None:
    values = np.stack([np.sin(ANGLE), 1 + 1e-5 * np.sin(ANGLE)], axis=1).astype(np.float32)[None]
    assert abs(summary(values, column(STEPS, 2))[0, -5]) < 0.01


@pytest.mark.parametrize(("channels", "features"), [(MOST_CHANNELS, 5 + 12 + 31 / 2 + 32), (MOST_CHANNELS + 1, 17)])
def test_features_of_very_many_channels_do_not_grow_by_the_square(channels: int, features: float) -> None:
    assert summary(np.zeros((1, STEPS, channels), np.float32), column(STEPS, channels)).shape == (
        1,
        features * channels,
    )
