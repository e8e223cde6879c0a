"""Speeches one after the other: nothing lost, silence where asked, no click at a seam."""

from __future__ import annotations

import numpy as np
import pytest

from xttsproject.lib.audio import Audio
from xttsproject.xtts.joining import join_speeches, joined, piece_seed
from xttsproject.xtts.types import LONGEST_SEED, Speech, SpokenSentence

RATE = 24_000


def tone(seconds: float, seed: int = 1) -> Speech:
    """A tone that stands at its highest where it begins and ends: a click, were it cut hard."""
    samples = np.cos(2 * np.pi * 200 * np.arange(round(seconds * RATE)) / RATE).astype(np.float32)
    return Speech(Audio(samples, RATE), (SpokenSentence("La.", 0.0, seconds, 9, True),), seed)


def test_pauses_are_silence_and_sentences_keep_their_place() -> None:
    joint = join_speeches([tone(0.5), tone(0.25), tone(0.5)], [0.0, 1.0, 0.25])
    assert joint.audio.seconds == pytest.approx(2.5)
    assert [(s.start, s.end, s.piece) for s in joint.sentences] == [(0.0, 0.5, 0), (1.5, 1.75, 1), (2.0, 2.5, 2)]
    assert not joint.audio.cut(0.5, 1.5).samples.any()
    assert np.abs(joint.audio.cut(1.55, 1.7).samples).max() > 0.99


def test_a_seam_has_no_step_louder_than_the_sound_itself() -> None:
    joint = join_speeches([tone(0.3), tone(0.3)], [0.0, 0.1])
    inside = np.abs(np.diff(tone(0.3).audio.samples)).max()
    assert np.abs(np.diff(joint.audio.samples)).max() < inside * 1.2


def test_silence_before_the_first_and_after_the_last_shifts_the_times() -> None:
    joint = join_speeches([tone(0.5)], [0.25], after=0.5)
    assert joint.audio.seconds == pytest.approx(1.25)
    assert (joint.sentences[0].start, joint.sentences[0].end) == (0.25, 0.75)
    assert not joint.audio.cut(0.75, 1.25).samples.any()


def test_a_lone_speech_is_left_as_it_is() -> None:
    alone = tone(0.5, seed=7)
    joint = join_speeches([alone], [0.0])
    assert joint == Speech(joint.audio, alone.sentences, 7)
    np.testing.assert_array_equal(joint.audio.samples, alone.audio.samples)
    (wave,), starts = [joined([alone.audio.samples], [3.0], RATE)[0]], [0]
    assert wave is alone.audio.samples
    assert starts == [0]


def test_each_piece_has_its_own_seed_and_the_first_the_one_given() -> None:
    assert piece_seed(5, 0) == 5
    assert len({piece_seed(5, place) for place in range(1000)}) == 1000
    assert piece_seed(LONGEST_SEED, 3) <= LONGEST_SEED
