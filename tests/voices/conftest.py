"""Voices that really speak: the tiny model, and clips on disk."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.voices.factories import SpeakerFactory, speechlike
from voices.models import Voice
from voices.services import Upload, voice_create
from voices.services.runtime import speech_owner_close
from xttsproject.lib.audio import write_wav


@pytest.fixture
def speaking(settings: Any, tiny_bundle: Path) -> Iterator[Path]:
    """The portal finds the tiny model; the process's engine starts cold and is gone afterwards."""
    settings.MODELS_DIR = tiny_bundle.parent
    settings.XTTS_BUNDLE = tiny_bundle.name
    settings.DEVICE = "cpu"
    speech_owner_close()
    yield tiny_bundle
    speech_owner_close()


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """Five seconds of something like speech."""
    path = tmp_path / "mum.wav"
    write_wav(path, speechlike(5.0))
    return path


@pytest.fixture
def make_voice(db: None, speaking: Path, clip: Path, work: Callable[[], list[str]]) -> Callable[..., Voice]:
    """A ready voice of the base model (or what is asked for), prepared by its job."""

    def make(owner: Any, name: str = "Vera", **changes: Any) -> Voice:
        fields = {"uploads": [Upload("mum.wav", clip)], "speaker": None, "language": "en", **changes}
        if fields["speaker"] is None and "checkpoint" not in changes and "segments" not in changes:
            fields["speaker"] = SpeakerFactory(owner=owner)
        voice = voice_create(owner=owner, name=name, **fields)
        assert work() == ["succeeded"]
        voice.refresh_from_db()
        return voice

    return make
