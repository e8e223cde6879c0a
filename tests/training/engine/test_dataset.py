"""Every clip is used or left out with a reason; nothing is replaced in silence."""

from __future__ import annotations

import wave
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from datasets.pipeline.manifest import samples_hash
from tests.training.engine.material import manifest_line, voice, write_dataset, write_manifest
from training.engine.dataset import Dataset, read_dataset
from xttsproject.lib.audio import write_wav
from xttsproject.lib.errors import DomainError
from xttsproject.lib.progress import Silent
from xttsproject.xtts.limits import Limits

LIMITS = Limits(languages=("en", "de"), max_tokens=40, max_codes=602)


def encode(text: str, language: str) -> Sequence[int]:
    """A tokenizer of small letters; anything else is unknown."""
    return [
        2 if letter in " .," else ord(letter) - 94 if letter.isascii() and letter.isalpha() else 1
        for letter in text.lower()
    ]


def read(manifest: Path, **changes: Any) -> Dataset:
    return read_dataset(
        manifest, **{"language": "en", "encode": encode, "limits": LIMITS, "progress": Silent(), **changes}
    )


def reason(folder: Path, clip_id: str, line: dict[str, Any]) -> str:
    """Why a line is left out, of a manifest that has a good clip beside it."""
    write_wav(folder / "good.wav", voice(1.0))
    dataset = read(write_manifest(folder, [manifest_line("good", "good.wav", "a good clip"), line]))
    assert [clip.id for clip in dataset.train] == ["good"]
    assert [left.id for left in dataset.left_out] == [clip_id]
    return dataset.left_out[0].reason


def test_whole_clips_are_taken_in_the_manifests_order(tmp_path: Path) -> None:
    dataset = read(write_dataset(tmp_path, train=(1.0, 0.6, 11.6), validation=(2.0,)))
    assert [clip.id for clip in dataset.train] == ["clip-0", "clip-1", "clip-2"]
    assert [clip.id for clip in dataset.validation] == ["clip-3"]
    assert dataset.left_out == ()
    assert dataset.train[0].samples == 22050
    assert dataset.train[0].codes == 22
    assert dataset.train[0].tokens == tuple(encode(dataset.train[0].text, "en"))


def test_samples_count_at_the_models_rate_whatever_the_files(tmp_path: Path) -> None:
    write_wav(tmp_path / "a.wav", voice(2.0, rate=48000))
    dataset = read(write_manifest(tmp_path, [manifest_line("a", "a.wav", "hello")]))
    assert dataset.train[0].samples == 44100


@pytest.mark.parametrize(("seconds", "says"), [(11.7, "11.7 s is longer than the 11.6 s"), (0.4, "0.40 s is shorter")])
def test_a_clip_of_impossible_length_is_left_out(tmp_path: Path, seconds: float, says: str) -> None:
    write_wav(tmp_path / "a.wav", voice(seconds))
    assert says in reason(tmp_path, "a", manifest_line("a", "a.wav", "hello"))


def test_a_clip_that_is_not_the_sound_that_was_frozen_is_left_out(tmp_path: Path) -> None:
    audio = voice(1.0)
    write_wav(tmp_path / "a.wav", audio)
    line = manifest_line("a", "a.wav", "hello") | {"sha256": samples_hash(audio)}
    assert [clip.id for clip in read(write_manifest(tmp_path, [line])).train] == ["a"]
    write_wav(tmp_path / "a.wav", voice(2.0))
    assert "is not the sound that was frozen" in reason(tmp_path, "a", line)


def test_a_character_that_the_model_lacks_is_named(tmp_path: Path) -> None:
    write_wav(tmp_path / "a.wav", voice(1.0))
    assert "'ж', '7'" in reason(tmp_path, "a", manifest_line("a", "a.wav", "жab7"))


def test_a_text_of_too_many_tokens_is_left_out_with_both_numbers(tmp_path: Path) -> None:
    write_wav(tmp_path / "a.wav", voice(1.0))
    assert "41 tokens, the model takes 40" in reason(tmp_path, "a", manifest_line("a", "a.wav", "a" * 41))


def test_a_clip_without_text_is_left_out(tmp_path: Path) -> None:
    write_wav(tmp_path / "a.wav", voice(1.0))
    assert "no text" in reason(tmp_path, "a", manifest_line("a", "a.wav", "  "))


@pytest.mark.parametrize(("language", "says"), [("xx", "xx"), ("fr", "'fr'")])
def test_a_clip_in_a_language_that_the_model_lacks_is_left_out(tmp_path: Path, language: str, says: str) -> None:
    write_wav(tmp_path / "a.wav", voice(1.0))
    assert says in reason(tmp_path, "a", {**manifest_line("a", "a.wav", "hello"), "language": language})


def test_a_missing_file_is_left_out(tmp_path: Path) -> None:
    assert reason(tmp_path, "a", manifest_line("a", "gone.wav", "hello")) == "gone.wav is not there"


def test_a_file_cut_short_is_left_out(tmp_path: Path) -> None:
    write_wav(tmp_path / "a.wav", voice(2.0))
    whole = (tmp_path / "a.wav").read_bytes()
    (tmp_path / "a.wav").write_bytes(whole[: len(whole) // 2])
    assert "cut short" in reason(tmp_path, "a", manifest_line("a", "a.wav", "hello"))


def test_a_file_that_is_no_wav_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"this is not a sound")
    assert "no WAV file" in reason(tmp_path, "a", manifest_line("a", "a.wav", "hello"))


def test_a_stereo_file_is_left_out(tmp_path: Path) -> None:
    with wave.open(str(tmp_path / "a.wav"), "wb") as out:
        out.setnchannels(2)
        out.setsampwidth(2)
        out.setframerate(22050)
        out.writeframes(np.zeros(44100, dtype="<i2").tobytes())
    assert "16-bit mono" in reason(tmp_path, "a", manifest_line("a", "a.wav", "hello"))


def test_no_clip_left_is_an_error_that_quotes_a_reason(tmp_path: Path) -> None:
    with pytest.raises(DomainError) as caught:
        read(write_manifest(tmp_path, [manifest_line("a", "gone.wav", "hello")]))
    assert caught.value.code == "dataset_empty"
    assert "1 of 1" in caught.value.message
    assert "gone.wav is not there" in caught.value.message


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ("{broken\n", "Line 1"),
        ('{"id": "a", "text": "hello", "split": "train"}\n', "lacks audio"),
        ('\n{"id": "a", "audio": "a.wav", "text": "hello", "split": "test"}\n', "Line 2"),
        ('{"id": "a", "audio": "a", "text": "b", "split": "train"}\n' * 2, "twice"),
    ],
)
def test_a_manifest_that_is_none_is_refused_with_the_line(tmp_path: Path, lines: str, says: str) -> None:
    (tmp_path / "manifest.jsonl").write_text(lines)
    with pytest.raises(DomainError) as caught:
        read(tmp_path / "manifest.jsonl")
    assert caught.value.code == "manifest_invalid"
    assert says in caught.value.message


def test_a_manifest_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DomainError, match=r"manifest\.jsonl") as caught:
        read(tmp_path / "manifest.jsonl")
    assert caught.value.code == "manifest_missing"


@pytest.mark.parametrize(("language", "said"), [("fr", "French"), ("klingon", "klingon")])
def test_a_run_in_a_language_that_the_model_lacks_is_refused(tmp_path: Path, language: str, said: str) -> None:
    with pytest.raises(DomainError) as caught:
        read(write_dataset(tmp_path), language=language)
    assert (caught.value.code, caught.value.field) == ("language_unsupported", "language")
    assert said in caught.value.message
