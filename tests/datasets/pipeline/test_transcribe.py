"""Transcribing with a real, tiny model, and making sense of whatever a model gives."""

from __future__ import annotations

import math
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from datasets.pipeline.media import decode_audio
from datasets.pipeline.transcribe import Transcriber
from datasets.pipeline.transcript import Transcript, clean_text
from tests.datasets.pipeline.recordings import DemoRecording
from xttsproject.lib.audio import Audio
from xttsproject.lib.errors import DomainError


@pytest.fixture(scope="module")
def transcriber(random_whisper_bundle: Path) -> Transcriber:
    return Transcriber.load(random_whisper_bundle, device="cpu", compute_type="int8", threads=1)


def assert_sound(transcript: Transcript, seconds: float) -> None:
    numbers = (transcript.avg_logprob, transcript.no_speech_prob, transcript.compression_ratio)
    assert all(math.isfinite(number) for number in numbers)
    assert 0 <= transcript.no_speech_prob <= 1
    assert 0 <= transcript.language_probability <= 1
    assert transcript.text.isprintable()
    latest = 0.0
    for word in transcript.words:
        assert word.text
        assert latest <= word.start <= word.end <= round(seconds, 3)
        assert 0 <= word.probability <= 1
        latest = word.start


def test_a_sentence_gets_text_words_and_numbers(transcriber: Transcriber, demo_recording: DemoRecording) -> None:
    sentence = demo_recording.sentences[0]
    audio = decode_audio(demo_recording.path, 24_000).cut(sentence.start - 0.2, sentence.end + 0.2)

    forced = transcriber.transcribe(audio, "en")
    assert_sound(forced, audio.seconds)
    assert (forced.language, forced.language_probability) == ("en", 1.0)
    detected = transcriber.transcribe(audio)
    assert_sound(detected, audio.seconds)
    assert detected.language in transcriber.languages


@pytest.mark.parametrize(
    "samples", [np.zeros(24_000), np.full(24_000, np.nan), np.random.default_rng(5).normal(0, 1, 2400)]
)
def test_silence_broken_samples_and_scraps_are_survived(transcriber: Transcriber, samples: np.ndarray) -> None:
    audio = Audio(samples.astype(np.float32), 24_000)

    assert_sound(transcriber.transcribe(audio, "en"), audio.seconds)


def test_a_language_that_the_model_does_not_know_is_refused(transcriber: Transcriber) -> None:
    with pytest.raises(DomainError) as caught:
        transcriber.transcribe(Audio(np.zeros(2400, np.float32), 24_000), "xx")

    assert (caught.value.code, caught.value.field) == ("language_unsupported", "language")


def test_a_folder_without_a_model_is_said_to_have_none(tmp_path: Path) -> None:
    with pytest.raises(DomainError) as caught:
        Transcriber.load(tmp_path, device="cpu")

    assert caught.value.code == "model_missing"


def test_a_damaged_model_is_said_to_be_damaged(tmp_path: Path) -> None:
    (tmp_path / "model.bin").write_bytes(b"not a model")
    with pytest.raises(DomainError) as caught:
        Transcriber.load(tmp_path, device="cpu")

    assert caught.value.code == "model_damaged"


class _Odd:
    """Answers as faster-whisper does, with the oddest values that its types allow."""

    supported_languages = ("en",)

    def transcribe(self, samples: np.ndarray, **options: object):
        def word(text: str, start: float, end: float, probability: float) -> SimpleNamespace:
            return SimpleNamespace(word=text, start=start, end=end, probability=probability)

        first = SimpleNamespace(
            text=" One\x00 two\u200b", tokens=[1, 2, 3], avg_logprob=-0.5, no_speech_prob=0.1, compression_ratio=1.0,
            words=[word(" One\x00", 0.1, 0.5, 0.9), word(" \x07", 0.5, 0.6, 0.5), word(" two", 0.4, 0.2, float("nan"))],
        )  # fmt: skip
        second = SimpleNamespace(
            text=" three\ufffd ", tokens=[4], avg_logprob=float("nan"), no_speech_prob=1.5, compression_ratio=2.5,
            words=[word(" three", 0.9, 29.98, 1.2), word(" four", float("inf"), 31.0, 0.5)],
        )  # fmt: skip
        return iter([first, second]), SimpleNamespace(language="en", language_probability=0.7)


def test_a_device_without_room_for_the_model_is_not_taken_for_a_damaged_model(
    tiny_whisper_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*given: object, **more: object) -> None:
        raise RuntimeError("CUDA failed with error out of memory")

    monkeypatch.setattr("faster_whisper.WhisperModel", full)
    with pytest.raises(DomainError, match="no room on the device “cuda” .* WHISPER_COMPUTE_TYPE") as told:
        Transcriber.load(tiny_whisper_bundle, device="cuda")
    assert told.value.code == "memory_full"
    assert not told.value.permanent


def test_odd_answers_become_sound_ones() -> None:
    transcript = Transcriber(_Odd()).transcribe(Audio(np.zeros(48_000, np.float32), 24_000))

    assert_sound(transcript, 2.0)
    assert transcript.text == "One two three"
    assert [word.text for word in transcript.words] == ["One", "two", "three", "four"]
    assert transcript.avg_logprob == pytest.approx((-0.5 * 3 - 10) / 4)
    assert (transcript.no_speech_prob, transcript.compression_ratio) == (1.0, 2.5)


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("a\x00b", "ab"),
        (" a\n\tb  c ", "a b c"),
        ("a\u202eb\ufeff", "ab"),
        ("é ñ 中 हिंदी", "é ñ 中 हिंदी"),
        ("\ufffd", ""),
    ],
)
def test_invisible_characters_are_taken_out(raw: str, clean: str) -> None:
    assert clean_text(raw) == clean
