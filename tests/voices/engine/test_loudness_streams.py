"""Sound that goes by is measured and limited as if it lay there whole."""

from __future__ import annotations

import numpy as np
import pytest

from tests.voices.factories import speechlike
from voices.engine.loudness import CEILING_DB, loudness_of, true_peak
from voices.engine.loudness_streams import LoudnessMeter, amplified, resampled
from xttsproject.lib.audio import Audio

RATE = 24_000


def cut(samples, sizes=(7000, 1, 30_000, 480, 60_000)):
    place, number = 0, 0
    while place < len(samples):
        size = sizes[number % len(sizes)]
        yield samples[place : place + size]
        place, number = place + size, number + 1


@pytest.fixture(scope="module")
def sound():
    quiet, loud = speechlike(6.0, level=0.05).samples, speechlike(5.0, level=0.4, seed=1).samples
    return np.concatenate([quiet, np.zeros(2 * RATE, dtype=np.float32), loud])


def test_loudness_is_that_of_the_whole(sound):
    meter = LoudnessMeter(RATE)
    for block in cut(sound):
        meter.push(block)
    assert meter.loudness() == pytest.approx(loudness_of(Audio(sound, RATE)), abs=0.02)


def test_silence_and_what_is_too_short_has_none():
    for samples in (np.zeros(3 * RATE, dtype=np.float32), speechlike(0.3).samples):
        meter = LoudnessMeter(RATE)
        meter.push(samples)
        assert meter.loudness() is None
    assert LoudnessMeter(RATE).loudness() is None


def test_what_is_not_too_loud_is_only_made_louder(sound):
    louder = np.concatenate(list(amplified(cut(sound), RATE, 2.0)))
    np.testing.assert_allclose(louder, sound * np.float32(10 ** (2.0 / 20)), atol=1e-6)


def test_peaks_are_held_wherever_blocks_end(sound):
    gain = 14.0
    held = [np.concatenate(list(amplified(blocks, RATE, gain))) for blocks in (cut(sound), cut(sound, (len(sound),)))]
    assert len(held[0]) == len(sound)
    assert true_peak(Audio(sound * np.float32(10 ** (gain / 20)), RATE)) > 1.2
    for each in held:
        assert true_peak(Audio(each, RATE)) <= 10 ** (CEILING_DB / 20)
    # It does not show where blocks end.
    np.testing.assert_allclose(held[0], held[1], atol=2e-3)


def test_resampling_is_that_of_the_whole(sound):
    parts = np.concatenate(list(resampled(cut(sound), RATE, 16_000)))
    whole = Audio(sound, RATE).at_rate(16_000).samples
    assert len(parts) == len(whole)
    np.testing.assert_allclose(parts, whole, atol=1e-4)
