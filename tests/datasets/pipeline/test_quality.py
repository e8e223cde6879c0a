"""Measures of clips whose right values are known."""

from __future__ import annotations

import math
from dataclasses import astuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datasets.pipeline.quality import FLOOR_DBFS, MAX_SNR_DB, measure
from tests.datasets.pipeline.makers import silence, tone
from xttsproject.lib.audio import Audio

RATE = 22_050


def clip(samples: np.ndarray) -> Audio:
    return Audio(samples.astype(np.float32), RATE)


def test_a_sine_at_half_of_full_scale() -> None:
    quality = measure(clip(tone(2, RATE)), "abc def")

    assert quality.seconds == 2.0
    assert quality.rms_dbfs == pytest.approx(-9.03, abs=0.02)
    assert quality.peak_dbfs == pytest.approx(-6.02, abs=0.02)
    assert quality.clipped_share == 0
    assert quality.characters_per_second == 3.0


@pytest.mark.parametrize("snr", [5, 10, 20, 30, 40])
def test_the_noise_ratio_of_bursts_over_known_noise(snr: int) -> None:
    """Half a second of tone, half a second of pause, over white noise."""
    noise = np.random.default_rng(4).normal(0, 10 ** (-50 / 20), 6 * RATE)
    amplitude = math.sqrt(2) * 10 ** ((snr - 50) / 20)
    bursts = np.concatenate([silence(0.5, RATE), tone(0.5, RATE, amplitude=amplitude)] * 6)

    assert measure(clip(bursts + noise)).snr_db == pytest.approx(snr, abs=1.5)


def test_clipping_counts_samples_that_stay_at_full_scale() -> None:
    loud = np.clip(tone(1, RATE, amplitude=2.0), -1, 1)
    expected = 1 - 2 * math.asin(0.5) / math.pi

    assert measure(clip(loud)).clipped_share == pytest.approx(expected, abs=0.01)


def test_a_normalised_peak_is_no_clipping() -> None:
    samples = tone(1, RATE, amplitude=0.5)
    samples[1000] = 1.0

    assert measure(clip(samples)).clipped_share == 0


def test_silence_and_nothing_measure_the_floor() -> None:
    for samples in (silence(1, RATE), silence(0, RATE)):
        quality = measure(clip(samples), "text")
        assert (quality.rms_dbfs, quality.peak_dbfs, quality.snr_db) == (FLOOR_DBFS, FLOOR_DBFS, 0)
    assert quality.characters_per_second is None


def test_speech_over_digital_silence_has_the_highest_ratio() -> None:
    assert measure(clip(np.concatenate([silence(1, RATE), tone(1, RATE)]))).snr_db == MAX_SNR_DB


@given(
    st.lists(st.floats(-2, 2, width=32, allow_subnormal=False) | st.just(float("nan")), max_size=2000),
    st.text(max_size=20),
)
def test_every_measure_is_finite(samples: list[float], text: str) -> None:
    quality = measure(clip(np.array(samples, np.float32)), text)

    assert all(math.isfinite(value) for value in astuple(quality) if value is not None)
    assert 0 <= quality.clipped_share <= 1
    assert 0 <= quality.snr_db <= MAX_SNR_DB
