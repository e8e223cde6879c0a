"""Speech is found again among other speech, whatever its loudness, speed and the silence around it."""

from __future__ import annotations

import numpy as np
import pytest

from training.engine.tiny.gates.likeness import cepstra, distances, is_most_like, sounding_seconds

RATE = 22_050


def syllables(seed: int, *, pace: float = 1.0, gain: float = 0.3) -> np.ndarray:
    """A buzz whose colour changes from syllable to syllable: a seed is a text."""
    random = np.random.default_rng(seed)
    parts = []
    for _ in range(8):
        length = int(pace * random.uniform(0.12, 0.22) * RATE)
        time = np.arange(length) / RATE
        centre = random.uniform(400, 3500)
        tones = [np.exp(-(((k * 130 - centre) / 400) ** 2)) * np.sin(2 * np.pi * 130 * k * time) for k in range(1, 50)]
        parts.append(sum(tones) * np.hanning(length))
    quiet = np.zeros(2_000)
    wave = gain * np.concatenate([quiet, *parts, quiet])
    return (wave + np.random.default_rng(99).normal(0, 1e-4, len(wave))).astype(np.float32)


def plain_dtw(a: np.ndarray, b: np.ndarray) -> float:
    """The same by two loops."""
    cost = np.full((len(a) + 1, len(b) + 1), np.inf)
    steps = np.zeros_like(cost)
    cost[0, 0] = 0
    for i in range(len(a)):
        for j in range(len(b)):
            before = [(cost[i, j], steps[i, j]), (cost[i, j + 1], steps[i, j + 1]), (cost[i + 1, j], steps[i + 1, j])]
            least, walked = min(before, key=lambda pair: pair[0])
            cost[i + 1, j + 1] = least + np.linalg.norm(a[i] - b[j])
            steps[i + 1, j + 1] = walked + 1
    return float(cost[-1, -1] / steps[-1, -1])


def test_distances_are_those_of_plain_dynamic_time_warping():
    random = np.random.default_rng(1)
    spoken = random.normal(size=(9, 15))
    candidates = [random.normal(size=(length, 15)) for length in (5, 14, 9)]
    found = distances(spoken, candidates)
    assert found == pytest.approx([plain_dtw(spoken, candidate) for candidate in candidates])
    assert distances(spoken, [spoken])[0] == pytest.approx(0, abs=1e-6)


def test_a_text_is_found_among_others_though_it_is_slower_and_quieter():
    others = [cepstra(syllables(seed)) for seed in range(2, 20)]
    assert is_most_like(syllables(1, pace=1.12, gain=0.05), syllables(1), others)


def test_another_text_is_not_taken_for_it():
    others = [cepstra(syllables(seed)) for seed in range(2, 20)]
    assert not is_most_like(syllables(7), syllables(1), others)


def test_the_length_of_speech_leaves_out_the_silence_around_it():
    wave = syllables(3)
    padded = np.concatenate([np.zeros(RATE, np.float32), wave, np.zeros(2 * RATE, np.float32)])
    assert sounding_seconds(padded, RATE) == pytest.approx(sounding_seconds(wave, RATE), abs=0.011)
    assert sounding_seconds(wave, RATE) == pytest.approx((len(wave) - 4_000) / RATE, abs=0.1)
    assert sounding_seconds(np.zeros(100, np.float32), RATE) == 0
