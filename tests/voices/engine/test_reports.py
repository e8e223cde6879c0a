"""Reference clips are measured and judged; what is done to them before the model hears them does what it says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from datasets.pipeline.quality import measure
from tests.voices.factories import speechlike
from voices.engine.loudness import loudness_of
from voices.engine.preparing import LOUDNESS_LUFS, PAUSE_SECONDS, Preparation, denoised, trimmed
from voices.engine.reports import ANOTHER_VOICE, Embeddings, advice, report_clips, two_voices
from xttsproject.lib.audio import Audio, read_wav, write_wav
from xttsproject.lib.errors import DomainError
from xttsproject.lib.progress import Silent
from xttsproject.xtts.types import ConditioningSettings, Sampling

WIDTH = 64


def voice(seed: int, pieces: int, spread: float = 0.05) -> Embeddings:
    """Embeddings of one person: the whole clip and its pieces, as near to each other as ``spread`` lets them be."""
    draw = np.random.default_rng(seed)
    centre = np.random.default_rng(1000 + seed).standard_normal(WIDTH)
    rows = centre / np.linalg.norm(centre) + spread * draw.standard_normal((1 + pieces, WIDTH))
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), dtype=np.float32)


def joined(first: Embeddings, second: Embeddings) -> Embeddings:
    whole = first[:1] + second[:1]
    return np.concatenate([whole / np.linalg.norm(whole), first[1:], second[1:]])


def test_two_people_in_a_clip_are_told_and_one_person_with_a_cough_is_not():
    found = two_voices(joined(voice(1, 4), voice(2, 3)))
    assert found is not None
    assert found < ANOTHER_VOICE
    assert two_voices(voice(1, 9)) is None
    assert two_voices(joined(voice(1, 8), voice(2, 1))) is None
    assert two_voices(voice(1, 2)) is None
    assert two_voices(None) is None


def test_one_persons_clips_are_seldom_taken_for_two_peoples_however_they_vary():
    alarms = [two_voices(voice(seed, 20, spread=0.09)) for seed in range(50)]
    assert alarms.count(None) == 50


def test_the_models_own_ear_tells_two_of_its_voices_in_one_clip(tiny_bundle: Path):
    from xttsproject.xtts.engine import Saying, XttsEngine
    from xttsproject.xtts.likeness import SpeakerEar

    engine, ear = XttsEngine.load(tiny_bundle), SpeakerEar.load(tiny_bundle)
    text = "The weather is fine today. We walked along the river and came home late."
    first, second, *_ = engine.builtin_speakers().values()
    sounds = [
        spoken.audio.samples
        for spoken in engine.speak_all([Saying(text, "en", each, Sampling(seed=3)) for each in (first, second)])
    ]
    assert [two_voices(ear.embed(Audio(sound, 24_000))) for sound in sounds] == [None, None]
    assert two_voices(ear.embed(Audio(np.concatenate(sounds), 24_000))) is not None


class Planted:
    """Gives clips the voices that were planted, by their length in seconds."""

    def __init__(self, voices: dict[float, Embeddings]):
        self.voices = voices

    def embed(self, audio: Audio) -> Any:
        return self.voices[round(audio.seconds, 1)]


def test_a_clip_that_sounds_like_nobody_in_the_others_is_named(tmp_path: Path):
    voices = {4.0: voice(1, 3), 5.0: voice(1, 4), 6.0: voice(1, 5), 7.0: voice(2, 6)}
    paths = []
    for seconds in voices:
        paths.append(tmp_path / f"{seconds:g}.wav")
        write_wav(paths[-1], speechlike(seconds))
    reports = report_clips(paths, Planted(voices), Silent())
    strange = ["in the other clips" in " ".join(report.advice) for report in reports]
    assert strange == [False, False, False, True]
    assert [report.values["seconds"] for report in reports] == list(voices)
    (alone,) = report_clips(paths[:1], Planted(voices), Silent())
    assert alone.values["likeness"] is None


@pytest.mark.shared_data
def test_clean_speech_that_begins_at_once_is_not_taken_for_speech_over_music(shared_data: Path):
    """The network that tells speech from pauses misses the first words of a file that begins with them."""
    for path in sorted((shared_data / "lj").glob("*.wav")):
        (report,) = report_clips([path], Planted({round(read_wav(path).seconds, 1): voice(1, 3)}), Silent())
        assert not [each for each in report.advice if "Somebody speaks in it for" not in each], path.name
        assert report.values["speech_ratio"] > 0.9


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"speech_seconds": 1.2}, "1.2 s only"),
        ({"snr_db": 12.0}, "noisy (signal to noise 12.0 dB)"),
        ({"clipped_share": 0.01}, "overdriven"),
        ({"bandwidth_hz": 3600.0}, "telephone"),
        ({"loudness_lufs": -50.0}, "very quiet"),
        ({"speech_ratio": 0.2}, "trimmed"),
        ({"other_voice": 0.1}, "several people"),
        ({"likeness": 0.2}, "other clips"),
    ],
)
def test_each_fault_is_said_with_what_to_do(values: dict[str, Any], said: str):
    (sentence,) = advice(values)
    assert said in sentence
    assert sentence.endswith((".", "nobody's."))


def test_nothing_is_said_of_a_good_clip_nor_of_what_could_not_be_told():
    good = {"snr_db": 40.0, "clipped_share": 0.0, "bandwidth_hz": 11_000.0, "speech_seconds": 8.0, "likeness": 0.9}
    assert advice(good) == []
    assert advice(dict.fromkeys(good)) == []


def test_denoising_lowers_the_noise_that_the_pauses_have_and_keeps_the_voice():
    clean = speechlike(4.0)
    clean.samples[: clean.sample_rate] = clean.samples[-clean.sample_rate :] = 0
    noise = 0.02 * np.random.default_rng(3).standard_normal(len(clean.samples)).astype(np.float32)
    noisy = Audio(clean.samples + noise, clean.sample_rate)
    better = denoised(noisy, [(1.0, 3.0)])
    assert len(better.samples) == len(noisy.samples)
    assert measure(better).snr_db > measure(noisy).snr_db + 6
    assert np.corrcoef(better.samples, clean.samples)[0, 1] > np.corrcoef(noisy.samples, clean.samples)[0, 1]
    unpaused = denoised(noisy, [(0.0, 4.0)])
    assert np.corrcoef(unpaused.samples, clean.samples)[0, 1] > 0.8


@pytest.mark.shared_data
def test_denoising_leaves_a_reader_who_hardly_pauses_as_loud_as_she_is(shared_data: Path):
    for name in ("LJ001-0001", "LJ001-0006"):
        clean, speech = read_wav(shared_data / "lj" / f"{name}.wav"), [(0.0, 60.0)]
        assert loudness_of(denoised(clean, speech)) == pytest.approx(loudness_of(clean), abs=0.5)
        hiss = 0.01 * np.random.default_rng(1).standard_normal(len(clean.samples))
        noisy = Audio((clean.samples + hiss).astype(np.float32), clean.sample_rate)
        assert measure(denoised(noisy, speech)).snr_db > measure(noisy).snr_db + 6


def test_trimming_leaves_the_speech_and_short_pauses():
    rate = 1000
    samples = np.zeros(10 * rate, np.float32)
    speech = [(1.0, 3.0), (3.2, 4.0), (7.0, 9.0)]
    for number, (start, end) in enumerate(speech, start=1):
        samples[round(start * rate) : round(end * rate)] = number / 10
    short = trimmed(Audio(samples, rate), speech)
    # Half a pause before and after, one whole between the second and the third, and 0.2 s as they were.
    assert short.seconds == pytest.approx(2.0 + 0.2 + 0.8 + 2.0 + 2 * PAUSE_SECONDS, abs=0.01)
    for number, (start, end) in enumerate(speech, start=1):
        assert np.sum(np.isclose(short.samples, number / 10)) == pytest.approx((end - start) * rate, abs=2)
    nobody = Audio(samples, rate)
    assert trimmed(nobody, []) is nobody


@pytest.mark.parametrize("level", [0.005, 0.3])
def test_loudness_is_evened_out(tmp_path: Path, level: float):
    path = tmp_path / "a.wav"
    write_wav(path, speechlike(3.0, level=level))
    assert loudness_of(Preparation(loudness=True).apply(path)) == pytest.approx(LOUDNESS_LUFS, abs=0.3)


def test_the_default_is_the_one_that_every_tool_has_and_changes_nothing(tmp_path: Path):
    assert Preparation().settings == ConditioningSettings()
    assert (Preparation().changes, Preparation().chosen) == ({}, {})
    assert Preparation(trim=True, seconds=12.0).chosen == {"trim": True, "seconds": 12.0}
    path = tmp_path / "a.wav"
    write_wav(path, speechlike(3.0))
    np.testing.assert_allclose(Preparation().apply(path).samples, speechlike(3.0).samples, atol=1 / 32768)


@pytest.mark.parametrize("seconds", [2.0, 121.0, float("nan"), True])
def test_seconds_out_of_bounds_are_refused(seconds: Any):
    with pytest.raises(DomainError) as caught:
        Preparation(seconds=seconds)
    assert (caught.value.code, caught.value.field) == ("preparation_invalid", "seconds")
