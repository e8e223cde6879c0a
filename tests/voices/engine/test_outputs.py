"""Speech as files: rates, one loudness, and what each file says of itself."""

from __future__ import annotations

import io
import math
from typing import Any

import av
import numpy as np
import pytest

from tests.voices.factories import speechlike
from voices.engine.encoding import FORMATS, Output, encode
from voices.engine.loudness import CEILING_DB, at_loudness, loudness_of, true_peak
from voices.engine.tags import Spoke, speech_tags
from xttsproject.lib.audio import Audio, read_wav
from xttsproject.lib.errors import DomainError

TAGS = speech_tags(
    text="Olá,\nmundo — hello.",
    spoke=[Spoke("Vera", "xtts-v2", "Run · epoch 3"), Spoke("Zé", "xtts-v2", "Run · epoch 3")],
    date="2026-11-26",
)


def facts(content: bytes) -> tuple[dict[str, str], Any]:
    """The tags and the decoded samples with their rate."""
    with av.open(io.BytesIO(content), mode="r") as container:
        stream = container.streams.audio[0]
        tags = {**container.metadata, **stream.metadata}
        frames = [frame.to_ndarray() for frame in container.decode(stream)]
        return tags, (np.concatenate(frames, axis=1).size, stream.rate)


@pytest.mark.parametrize("name", [name for name in FORMATS if name != "pcm"])
def test_every_file_says_that_it_is_synthetic_and_what_spoke(name):
    tags, _sound = facts(encode(speechlike(0.5), FORMATS[name], TAGS))
    assert (tags["title"], tags["artist"], tags["date"]) == ("Olá, mundo — hello.", "Vera, Zé", "2026-11-26")
    assert tags["comment"] == (
        "Synthetic speech, not a recording of a person: spoken by the XTTS model xtts-v2, fine-tuned (Run · epoch 3) "
        "with the voice “Vera”, “Zé”."
    )


def test_each_voice_is_told_with_the_model_that_it_spoke_with():
    spoke = [Spoke("Vera", "xtts-v2", ""), Spoke("Zé", "xtts-v2", "Run · epoch 3"), Spoke("Ana", "xtts-v2", "")]
    tags, _sound = facts(encode(speechlike(0.5), FORMATS["mp3"], speech_tags(text="Yes.", spoke=spoke, date="2026")))
    assert tags["artist"] == "Vera, Zé, Ana"
    assert tags["comment"].endswith(
        "spoken by the XTTS model xtts-v2 with the voice “Vera”, “Ana”; "
        "by the XTTS model xtts-v2, fine-tuned (Run · epoch 3) with the voice “Zé”."
    )


@pytest.mark.parametrize(
    ("name", "rate"), [("wav", 8_000), ("wav", 48_000), ("flac", 44_100), ("mp3", 22_050), ("aac", 16_000)]
)
def test_speech_comes_at_the_rate_that_is_asked_for(name, rate):
    _tags, (samples, found) = facts(encode(speechlike(2.0), Output(FORMATS[name], rate)))
    assert found == rate
    # Encoders fill up their first and last frames.
    assert samples / rate == pytest.approx(2.0, abs=0.3)


def test_opus_has_its_own_rates_and_pcm_is_as_long_as_its_rate_says():
    assert len(encode(speechlike(1.0), Output(FORMATS["pcm"], 8_000))) == 2 * 8_000
    assert facts(encode(speechlike(1.0), Output(FORMATS["opus"], 16_000)))[1][0] / 48_000 == pytest.approx(1.0, abs=0.1)
    with pytest.raises(DomainError, match="not written as opus at 44100 Hz; choose one of 8000") as caught:
        Output(FORMATS["opus"], 44_100)
    assert (caught.value.code, caught.value.field) == ("rate_unsupported", "sample_rate")


def test_a_tagged_wav_holds_the_same_sound():
    sound = speechlike(0.5)
    plain, tagged = (read_wav(io.BytesIO(encode(sound, FORMATS["wav"], tags))) for tags in ({}, TAGS))
    assert np.array_equal(plain.samples, tagged.samples)


@pytest.mark.parametrize("target", [-30.0, -16.0])
@pytest.mark.parametrize("level", [0.01, 0.9])
def test_quiet_and_loud_speech_come_to_one_loudness(level, target):
    made = at_loudness(speechlike(3.0, level=level), target)
    assert loudness_of(made) == pytest.approx(target, abs=0.2)
    assert 20 * math.log10(true_peak(made)) <= CEILING_DB + 0.01


def test_peaks_are_held_below_the_ceiling_without_jumps():
    sound = speechlike(3.0, level=0.05)
    samples = sound.samples.copy()
    samples[3000::6000] = 0.9
    made = at_loudness(Audio(samples, 24_000), -12.0)
    assert loudness_of(made) == pytest.approx(-12.0, abs=0.5)
    assert 20 * math.log10(true_peak(made)) <= CEILING_DB + 0.01
    # The gain moves within milliseconds, never from one sample to the next.
    loud = np.abs(samples) > 1e-2
    gains = np.where(loud, made.samples / np.where(loud, samples, 1.0), 0.0)
    beside = loud[1:] & loud[:-1]
    assert np.abs(np.diff(gains))[beside].max() < 0.02 * gains.max()


def test_silence_and_what_is_too_short_to_measure_stay_as_they_are():
    for samples in (np.zeros(24_000, np.float32), speechlike(0.2).samples):
        audio = Audio(samples, 24_000)
        assert at_loudness(audio, -16.0) is audio


@pytest.mark.parametrize("lufs", [-50.0, 0.0, math.nan])
def test_a_loudness_that_is_none_is_refused(lufs):
    with pytest.raises(DomainError) as caught:
        Output(FORMATS["wav"], None, lufs)
    assert (caught.value.code, caught.value.field) == ("loudness_invalid", "loudness")
