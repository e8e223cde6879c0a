"""Samples are measured against what was to be said, and against clips that no training has seen."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from datasets.pipeline.transcribe import Listening, Transcriber
from tests.training.engine.material import voice
from training.engine.scoring import Scorer, Utterance, characters, silence_share
from xttsproject.lib.audio import Audio, write_wav
from xttsproject.lib.errors import Cancelled, DomainError
from xttsproject.lib.progress import Callback, Silent
from xttsproject.xtts.likeness import SpeakerEar

TEXT = "The boat came in."


@pytest.fixture(scope="module")
def ear(tiny_bundle: Path) -> SpeakerEar:
    return SpeakerEar.load(tiny_bundle)


@pytest.fixture
def deaf(ear: SpeakerEar) -> Scorer:
    """Without a transcription model."""
    return Scorer(ear, None, Listening(), "en")


def write(path: Path, sound: Audio) -> Utterance:
    write_wav(path, sound)
    return Utterance(path, TEXT)


def syllables(seconds: float, seed: int = 1) -> Audio:
    """Each of 0.2 s, of another pitch and colour: nothing in it repeats."""
    random = np.random.default_rng(seed)
    time = np.arange(4_800) / 24_000
    parts = []
    for _ in range(round(seconds / 0.2)):
        pitch, colour = random.uniform(100, 220), random.uniform(0.2, 1.0, 25)
        wave = sum(colour[n] * np.sin(2 * np.pi * pitch * (n + 1) * time) for n in range(25))
        parts.append(0.01 * wave * np.sin(np.pi * time / 0.2) ** 0.5)
    return Audio(np.concatenate(parts).astype(np.float32), 24_000)


def clips(folder: Path, pitch: float, count: int = 3) -> list[Utterance]:
    return [write(folder / f"{pitch:.0f}-{n}.wav", voice(2.0 + n / 4, pitch=pitch, seed=n)) for n in range(count)]


def test_the_same_voice_is_more_alike_than_another(tmp_path: Path, deaf: Scorer) -> None:
    speaker = deaf.speaker(clips(tmp_path, 110), 0.1, Silent())
    own = deaf.samples([write(tmp_path / "own.wav", voice(1.8, pitch=110, seed=9))], speaker, Silent())
    other = deaf.samples([write(tmp_path / "other.wav", voice(1.8, pitch=260, seed=9))], speaker, Silent())
    assert (own.figures["similarity"] or 0) > 0.8
    assert (own.figures["similarity"] or 0) > (other.figures["similarity"] or 0) + 0.1
    assert 0.8 < (speaker.figures["similarity"] or 0) <= 1


def test_silence_is_like_nobody(tmp_path: Path, deaf: Scorer) -> None:
    speaker = deaf.speaker(clips(tmp_path, 110), 0.1, Silent())
    mute = Audio(np.zeros(48_000, dtype=np.float32), 24_000)
    spoken = write(tmp_path / "own.wav", voice(1.8, pitch=110, seed=9))
    half = deaf.samples([spoken, write(tmp_path / "mute.wav", mute)], speaker, Silent())
    whole = deaf.samples([spoken], speaker, Silent())
    assert half.figures["similarity"] == pytest.approx((whole.figures["similarity"] or 0) / 2, abs=0.06)
    assert half.samples[1]["silence"] == 1.0


def test_levels_and_lengths_are_those_of_the_sound(tmp_path: Path, deaf: Scorer) -> None:
    time = np.arange(96_000) / 24_000
    tone = np.where(time < 3, 0.1 * np.sin(2 * np.pi * 997 * time), 0.0).astype(np.float32)
    said = write(tmp_path / "tone.wav", Audio(tone, 24_000))
    figures = deaf.samples([said], deaf.speaker([], None, Silent()), Silent()).figures
    # 13 letters in 4 s; a 997 Hz sine of 0.1 has -23.01 LUFS (BS.1770, one channel), its pause is gated away.
    assert figures["seconds_per_character"] == pytest.approx(4 / 13, abs=1e-4)
    assert figures["loudness"] == pytest.approx(-23.0, abs=0.3)
    assert figures["silence"] == pytest.approx(0.25, abs=0.01)
    assert figures["similarity"] is None
    assert figures["character_error_rate"] is None


def test_the_babble_rate_is_the_share_of_samples_that_go_on_where_the_text_has_ended(
    tmp_path: Path, deaf: Scorer
) -> None:
    letters = len("Theboatcamein")
    speaker = deaf.speaker([], 1.8 / letters, Silent())
    usual = syllables(1.8)
    babbling = np.concatenate([usual.samples, np.zeros(6_000, np.float32), syllables(1.8, seed=5).samples])
    said = [write(tmp_path / "usual.wav", usual), write(tmp_path / "long.wav", Audio(babbling, usual.sample_rate))]
    scores = deaf.samples(said, speaker, Silent())

    assert scores.figures["babble_rate"] == 0.5
    assert [sample["babble_rate"] for sample in scores.samples] == [0.0, 1.0]


def test_one_held_out_clip_has_a_voice_but_no_likeness_to_itself(tmp_path: Path, deaf: Scorer) -> None:
    speaker = deaf.speaker(clips(tmp_path, 110, count=1), 0.1, Silent())
    assert speaker.figures["similarity"] is None
    assert speaker.centre is not None
    assert np.linalg.norm(speaker.centre) == pytest.approx(1, abs=1e-5)


def test_what_is_heard_is_compared_with_what_was_to_be_said(
    tmp_path: Path, ear: SpeakerEar, random_whisper_bundle: Path
) -> None:
    """A model of random weights hears noise; the figures must be those of exactly what it wrote."""
    from xttsproject.lib.error_rates import character_error_rate
    from xttsproject.xtts.normaliser import normalise

    listener = Transcriber.load(random_whisper_bundle, device="cpu", threads=1)
    scorer = Scorer(ear, listener, Listening(beam=1, retries=()), "en")
    said = [Utterance(each.audio, text) for each, text in zip(clips(tmp_path, 110), (TEXT, "12", "No"), strict=True)]
    scores = scorer.samples(said, scorer.speaker([], None, Silent()), Silent())
    heard = [str(sample["heard"]) for sample in scores.samples]
    pairs = [(normalise(u.text, "en"), normalise(h, "en")) for u, h in zip(said, heard, strict=True)]
    assert scores.figures["character_error_rate"] == pytest.approx(character_error_rate(pairs), abs=1e-4)
    assert [sample["character_error_rate"] for sample in scores.samples] == [
        pytest.approx(character_error_rate([pair]), abs=1e-4) for pair in pairs
    ]


def test_numbers_count_as_they_are_spoken() -> None:
    assert characters("At 12!", "en") == len("attwelve")
    assert characters("…", "en") == 0


def test_silence_share_of_nothing_is_not_known() -> None:
    assert silence_share(Audio(np.zeros(10, dtype=np.float32), 24_000)) is None


def test_a_clip_that_is_no_sound_is_named(tmp_path: Path, deaf: Scorer) -> None:
    (tmp_path / "broken.wav").write_bytes(b"RIFFnothing")
    for path in (tmp_path / "broken.wav", tmp_path / "gone.wav"):
        with pytest.raises(DomainError, match=path.name) as caught:
            deaf.speaker([Utterance(path, TEXT)], None, Silent())
        assert caught.value.code == "clip_unreadable"


def test_it_stops_when_told_to(tmp_path: Path, deaf: Scorer) -> None:
    with pytest.raises(Cancelled):
        deaf.speaker(clips(tmp_path, 110), 0.1, Callback(should_stop=lambda: True))


def test_importing_it_loads_nothing_heavy() -> None:
    code = (
        "import sys, training.engine.scoring, training.engine.figures, training.engine.ranking, training.engine.levels;"
        "print(sorted({'torch', 'django', 'faster_whisper', 'scipy', 'jiwer'} & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
