"""Pitch is measured within one percent, from the lowest man to the highest child, and silence has none."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from training.engine.tiny.gates.cloning import pitch_errors, sentence_pitch_errors
from training.engine.tiny.gates.material import Asked
from training.engine.tiny.gates.speaking import Spoken
from training.engine.tiny.pitch import HOP, RATE, contour, median_pitch, track, voice_pitch


def pulses(pitch: float, seconds: float = 1.0, harmonics: int = 30, seed: int = 0) -> Tensor:
    """A voice of sorts: harmonics that fall off, with a formant, and the noise of a quiet room."""
    time = torch.arange(round(seconds * RATE), dtype=torch.float64) / RATE
    sound = torch.zeros_like(time)
    for number in range(1, harmonics + 1):
        frequency = number * pitch
        if frequency < 8_000:
            loudness = (1.0 + 4.0 * math.exp(-(((frequency - 700) / 200) ** 2))) / number
            sound += loudness * torch.cos(2 * math.pi * frequency * time + number**2 * 0.3)
    noise = torch.randn(len(time), generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return (0.3 * sound / sound.abs().max() + 1e-3 * noise).float()


@pytest.mark.parametrize("pitch", [64.0, 83.0, 117.3, 160.0, 231.0, 305.0, 390.0])
def test_the_pitch_of_a_voice_is_found_within_one_percent(pitch: float) -> None:
    found = median_pitch(pulses(pitch))
    assert found is not None
    assert abs(found / pitch - 1) < 0.01


@pytest.mark.parametrize("pitch", [90.0, 210.0])
def test_a_pure_tone_is_followed_frame_by_frame(pitch: float) -> None:
    wave = torch.sin(2 * math.pi * pitch * torch.arange(RATE) / RATE)
    f0, strength, level = track(wave, 60.0, 400.0)
    assert len(f0) == len(strength) == len(level) == RATE // HOP
    inner = slice(4, -4)
    assert ((f0[inner] / pitch - 1).abs() < 0.01).all()
    assert (strength[inner] > 0.95).all()
    assert (level[inner] - 0.5**0.5).abs().max() < 0.03


def test_a_frame_tells_the_pitch_at_its_own_time() -> None:
    f0, _, _ = track(torch.cat([pulses(100.0, 0.5), pulses(150.0, 0.5)]), 60.0, 400.0)
    turn = round(0.5 * RATE / HOP)
    assert abs(f0[turn - 6].item() / 100 - 1) < 0.02
    assert abs(f0[turn + 6].item() / 150 - 1) < 0.02


def test_noise_and_silence_have_no_pitch() -> None:
    noise = torch.randn(RATE, generator=torch.Generator().manual_seed(1)) * 0.1
    assert median_pitch(noise) is None
    assert median_pitch(torch.zeros(RATE)) is None
    assert median_pitch(torch.zeros(10)) is None


def test_a_contour_is_zero_where_nothing_is_voiced() -> None:
    quiet = torch.randn(RATE // 2, generator=torch.Generator().manual_seed(2)) * 1e-3
    f0 = contour(torch.cat([quiet, pulses(120.0, 0.5)]), 120.0)
    half = len(f0) // 2
    assert (f0[: half - 4] == 0).all()
    assert ((f0[half + 4 : -4] / 120 - 1).abs() < 0.01).all()


def test_the_pitch_of_a_voice_is_the_median_over_its_clips() -> None:
    found = voice_pitch([pulses(95.0), pulses(100.0), pulses(130.0)])
    assert found is not None
    assert abs(found / 100 - 1) < 0.02


def test_an_impossible_range_is_refused() -> None:
    with pytest.raises(ValueError, match="400 to 60 Hz"):
        track(torch.zeros(1000), 400.0, 60.0)


def test_a_sentence_is_compared_with_its_voice_and_with_its_own_rendering():
    rendered, voice = pulses(200.0).numpy(), 200.0 / 2 ** (3 / 12)
    higher = Spoken(Asked("Did it rise?", "v", rendered), pulses(200.0 * 2 ** (1 / 12)).numpy(), True)
    silent = Spoken(Asked("Did it rise?", "v", rendered), np.zeros(RATE, np.float32), True)
    assert pitch_errors([higher, silent], {"v": voice}) == [pytest.approx(4.0, abs=0.1), None]
    assert sentence_pitch_errors([higher, silent]) == [pytest.approx(1.0, abs=0.1), None]
