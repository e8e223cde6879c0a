from __future__ import annotations

import numpy as np
import pytest

from tests.voices.factories import speechlike
from voices.engine.references import examine_clip, require_count, require_enough
from xttsproject.lib.audio import Audio
from xttsproject.lib.errors import DomainError


def refusal(audio: Audio) -> DomainError:
    with pytest.raises(DomainError) as caught:
        examine_clip("mum.wav", audio)
    assert "mum.wav" in caught.value.message
    assert caught.value.field == "clips"
    return caught.value


def test_a_good_clip_is_measured_and_gives_no_warning():
    report = examine_clip("mum.wav", speechlike(4.0))
    assert report.seconds == pytest.approx(4.0)
    assert -40 < report.level_dbfs < -5
    assert report.level_dbfs < report.peak_dbfs <= 0
    assert report.warnings == ()


def test_a_clip_below_a_second_is_refused():
    assert refusal(speechlike(0.9)).code == "clip_too_short"


def test_silence_is_refused():
    assert refusal(Audio(np.zeros(72_000, dtype=np.float32), 24_000)).code == "clip_silent"


def test_a_word_in_a_long_silence_is_refused():
    silence = np.zeros(24_000 * 19, dtype=np.float32)
    assert refusal(Audio(np.concatenate([speechlike(1.0).samples, silence]), 24_000)).code == "clip_silent"


def test_a_clip_recorded_too_loud_is_refused():
    loud = Audio(np.clip(20 * speechlike(3.0).samples, -1, 1), 24_000)
    error = refusal(loud)
    assert error.code == "clip_distorted"
    assert "%" in error.message


def test_a_little_clipping_is_a_warning():
    samples = speechlike(3.0).samples.copy()
    samples[1000:1100] = 1.0
    (warning,) = examine_clip("mum.wav", Audio(samples, 24_000)).warnings
    assert "cut off" in warning


@pytest.mark.parametrize(("count", "code"), [(0, "clips_missing"), (21, "clips_too_many")])
def test_too_few_and_too_many_clips_are_refused(count: int, code: str):
    require_count(1)
    require_count(20)
    with pytest.raises(DomainError) as caught:
        require_count(count)
    assert caught.value.code == code


def test_less_than_three_seconds_in_all_are_refused():
    require_enough(3.0)
    with pytest.raises(DomainError) as caught:
        require_enough(2.9)
    assert caught.value.code == "clips_too_short"
    assert "2.9" in caught.value.message
