"""What is heard, and with what."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from voices.engine.encoding import FORMATS, encode
from voices.services.transcription import listener_close
from xttsproject.xtts.types import Sampling

SPOKEN = "Good morning, everybody. The weather is fine today."


@pytest.fixture(scope="module")
def recording(tiny_bundle: Path) -> bytes:
    """Something said, as MP3: by the tiny model, which the tiny Whisper understands."""
    from xttsproject.xtts.engine import XttsEngine

    engine = XttsEngine.load(tiny_bundle, device="cpu")
    speaker = next(iter(engine.builtin_speakers().values()))
    return encode(engine.speak(SPOKEN, "en", speaker, Sampling(seed=1)).audio, FORMATS["mp3"])


@pytest.fixture
def hearing(settings: Any, tiny_whisper_bundle: Path) -> Iterator[Path]:
    settings.MODELS_DIR = tiny_whisper_bundle.parent
    settings.WHISPER_BUNDLE = tiny_whisper_bundle.name
    settings.DEVICE = "cpu"
    settings.WHISPER_THREADS = 1
    yield tiny_whisper_bundle
    listener_close()
