"""The transcription benchmark: what it counts, and one short run of each kind."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from datasets.pipeline.benchmark import transcription
from datasets.pipeline.benchmark.transcription import Clips, character_errors
from datasets.pipeline.transcript import Transcript
from xttsproject.lib.audio import Audio

OPTIONS = {"threads": 1, "batch": 2, "repeat": 1, "compute_type": "default", "tokens_per_second": 2.0, "random": ""}


@pytest.fixture
def clips(monkeypatch: pytest.MonkeyPatch) -> Clips:
    sound = Audio(np.random.default_rng(3).normal(0, 0.05, 24_000).astype(np.float32), 24_000)
    made = Clips((sound, sound), ("One", "Two"))
    monkeypatch.setattr(transcription, "segments_of", lambda audio: made)
    return made


def test_errors_are_counted_in_letters_of_what_is_known_to_be_said() -> None:
    sound = Audio(np.zeros(10, np.float32), 10)
    heard = [Transcript(text, "en", 1.0, (), 0.0, 0.0, 1.0) for text in ("he went home", "xxxx", "ab")]
    assert character_errors(Clips((sound,) * 3, ("He went home.", "", "abcd")), heard) == round(2 / 16, 4)


@pytest.mark.usefixtures("clips")
def test_each_way_is_measured_and_compared(random_whisper_bundle: Path) -> None:
    told: list[str] = []
    found = transcription.measure_transcription(random_whisper_bundle, None, OPTIONS, told.append)
    # Seconds are told to the hundredth, of which so small a model takes a few.
    reference, batched, half = found["seconds"]["reference"], found["seconds"]["batched"], 0.005
    assert found["speedup"] >= (reference - half) / (batched + half) - half
    assert (found["speedup"] - half) * (batched - half) <= reference + half
    assert found["speedup_shared"] > 0
    assert set(found["cer"]) == {"reference", "batched", "shared"}
    assert (found["segments"], found["sound_seconds"]) == (2, 2.0)
    assert len(told) == 4


@pytest.mark.usefixtures("clips")
def test_an_architecture_is_measured_without_meaning(random_whisper_bundle: Path) -> None:
    found = transcription.measure_architecture(random_whisper_bundle, None, OPTIONS, lambda _: None)
    assert (found["segments"], found["shared_windows"]) == (2, 1)
    assert min(found["seconds"].values()) >= 0
