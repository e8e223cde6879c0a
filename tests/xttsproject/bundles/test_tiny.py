"""The tiny models are whole, the same at every build, and run through the libraries that run the real ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from xttsproject.bundles.manifest import open_bundle, verify
from xttsproject.bundles.tiny import whisper, xtts
from xttsproject.lib.audio import Audio


def test_the_xtts_bundle_is_the_same_bytes_at_every_build(tiny_bundle: Path, tmp_path: Path) -> None:
    again = xtts.build(tmp_path / "tiny")
    assert again.files == open_bundle(tiny_bundle).files
    verify(again)
    assert (again.kind, again.licence) == ("xtts", "MIT")
    assert "synthesiser" in again.notice
    assert again.bytes < 60_000_000


def test_the_whisper_bundle_is_the_same_bytes_at_every_build(tiny_whisper_bundle: Path, tmp_path: Path) -> None:
    again = whisper.build(tmp_path / "tiny-whisper")
    assert again.files == open_bundle(tiny_whisper_bundle).files
    verify(again)
    assert (again.kind, again.licence) == ("whisper", "MIT")
    assert "synthesiser" in again.notice


def test_building_replaces_a_damaged_bundle(tmp_path: Path) -> None:
    path = whisper.build(tmp_path / "tiny-whisper").path
    (path / "model.bin").write_bytes(b"")
    verify(whisper.build(path))


@pytest.fixture(scope="module")
def model(random_whisper_bundle: Path) -> Any:
    """The one that writes of any sound."""
    from faster_whisper import WhisperModel

    return WhisperModel(str(random_whisper_bundle), device="cpu", compute_type="int8", cpu_threads=1)


def noise(seconds: float, seed: int) -> Audio:
    shape = np.random.default_rng(seed).normal(0, 0.1, round(16_000 * seconds))
    return Audio(shape.astype(np.float32), 16_000)


def test_it_writes_words_with_times_and_probabilities(model: Any) -> None:
    segments, facts = model.transcribe(noise(4.0, 1).samples, language="pt", word_timestamps=True)
    found = list(segments)
    text = "".join(segment.text for segment in found).strip()
    assert facts.language == "pt"
    assert text.isprintable()
    assert 20 < len(text) < 200
    assert len(text.split()) > 3
    words = [word for segment in found for word in segment.words]
    assert "".join(word.word for word in words).strip() == text
    assert all(0 <= word.start <= word.end <= 4.1 and 0 <= word.probability <= 1 for word in words)
    # Sure enough of itself that faster-whisper does not try again at higher temperatures.
    assert all(segment.avg_logprob > -1 and segment.temperature == 0 for segment in found)


def test_it_hears_one_of_99_languages(model: Any) -> None:
    assert model.model.is_multilingual
    assert model.model.num_languages == 99
    language, probability, everything = model.detect_language(noise(3.0, 2).samples)
    assert language in dict(everything)
    assert len(everything) == 99
    assert 0 < probability <= 1


def test_its_tokenizer_has_the_released_tokens(tiny_whisper_bundle: Path) -> None:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(tiny_whisper_bundle / "tokenizer.json"))
    ids = tokenizer.get_vocab()
    assert ids["<|30.00|>"] - ids["<|0.00|>"] == 1500
    assert ids["<|notimestamps|>"] == ids["<|0.00|>"] - 1
    for text in (" hello there", "Olá, João!", "日本語"):
        assert tokenizer.decode(tokenizer.encode(text).ids) == text
