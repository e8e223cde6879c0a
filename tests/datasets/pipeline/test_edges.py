"""The ends of clips: silent where the cut fell into a pause, loud where it fell into a word."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from datasets.pipeline.edges import Edges, edge_levels
from datasets.pipeline.media import decode_audio
from datasets.pipeline.segment import find_segments
from tests.datasets.pipeline.makers import silence, tone
from xttsproject.lib.audio import Audio, read_wav, write_wav

RATE = 24_000


def noisy(*parts: np.ndarray, level: float = 0.001) -> Audio:
    samples = np.concatenate(parts)
    noise = np.random.default_rng(2).normal(0, level, len(samples))
    return Audio((samples + noise).astype(np.float32), RATE)


def word(seconds: float = 1.0) -> np.ndarray:
    return tone(seconds, RATE, hertz=180.0, amplitude=0.3)


def pause(seconds: float = 0.2) -> np.ndarray:
    return silence(seconds, RATE)


def test_each_end_is_judged_by_itself() -> None:
    whole = edge_levels(noisy(pause(), word(), pause()))
    assert not whole.is_cut
    assert whole.excess_db < -5
    head = edge_levels(noisy(word(), pause(0.4)))
    assert (head.start_is_cut, head.end_is_cut) == (True, False)
    tail = edge_levels(noisy(pause(0.4), word()))
    assert (tail.start_is_cut, tail.end_is_cut) == (False, True)
    assert head.is_cut
    assert tail.is_cut
    assert tail.excess_db > 20


def test_digital_silence_between_words_makes_room_noise_at_an_end_no_cut() -> None:
    """Where a pause is exactly zero, anything is above the floor; what is far below the speech still is no word."""
    breath = np.random.default_rng(1).normal(0, 0.001, round(0.2 * RATE))
    assert not edge_levels(Audio(np.concatenate([breath, word(), pause()]).astype(np.float32), RATE)).is_cut


def test_a_constant_offset_is_no_energy() -> None:
    levels = edge_levels(noisy(pause(), word(), pause(), level=0.001))
    shifted = edge_levels(Audio(noisy(pause(), word(), pause(), level=0.001).samples + np.float32(0.1), RATE))
    assert shifted.start_dbfs == pytest.approx(levels.start_dbfs, abs=0.5)
    assert not shifted.is_cut


@pytest.mark.parametrize("samples", [np.zeros(0), np.zeros(5), np.zeros(RATE), np.full(RATE, np.nan)])
def test_a_clip_without_sound_has_silent_ends(samples: np.ndarray) -> None:
    assert edge_levels(Audio(samples.astype(np.float32), RATE)) == Edges(-120, -120, -120, -120)


@pytest.mark.shared_data
def test_clips_cut_in_pauses_pass_and_clips_cut_in_words_are_caught(shared_data: Path, tmp_path: Path) -> None:
    chance = np.random.default_rng(4)
    parts: list[np.ndarray] = [pause(0.5)]
    for recording in sorted((shared_data / "lj").glob("*.wav")):
        parts += [decode_audio(recording, RATE).samples, pause(float(chance.uniform(0.4, 1.5)))]
    path = tmp_path / "talk.wav"
    write_wav(path, noisy(*parts))
    clips = [read_wav(path, span.start, span.end) for span in find_segments(path).spans]

    assert len(clips) >= 8
    assert not [clip for clip in clips if edge_levels(clip).is_cut]

    caught = []
    for clip in clips:
        for place in np.flatnonzero(_loud(clip))[::9]:
            at = 0.01 * place + 0.01
            caught += [edge_levels(clip.cut(0, at)).end_is_cut, edge_levels(clip.cut(at, 99)).start_is_cut]
    assert len(caught) > 100
    assert np.mean(caught) > 0.97


def _loud(clip: Audio) -> np.ndarray:
    """Frames of 20 ms, every 10 ms, within 15 dB of the loudest tenth and not within half a second of an end."""
    frame, hop = round(0.02 * RATE), round(0.01 * RATE)
    begins = np.arange(0, len(clip.samples) - frame, hop)
    powers = np.array([np.mean(clip.samples[begin : begin + frame] ** 2) for begin in begins])
    loud: np.ndarray = powers > np.percentile(powers, 90) * 10**-1.5
    loud[:50] = loud[-50:] = False
    return loud
