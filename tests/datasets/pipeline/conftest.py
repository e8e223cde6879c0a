"""Recordings that several tests of the pipeline read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.datasets.pipeline.makers import tone, write_media
from tests.datasets.pipeline.recordings import DemoRecording, rendered_in
from tests.datasets.pipeline.server import MisbehavingServer, serving


@pytest.fixture(scope="session")
def tone_wav(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds of a 440 Hz tone, mono, 16 kHz, 16-bit."""
    path = tmp_path_factory.mktemp("tone") / "tone.wav"
    return write_media(path, tone(2, 16_000), 16_000, codec="pcm_s16le", container="wav")


@pytest.fixture
def server(tone_wav: Path) -> Iterator[MisbehavingServer]:
    with serving(tone_wav) as running:
        yield running


@pytest.fixture(scope="session")
def demo_recording(tmp_path_factory: pytest.TempPathFactory) -> DemoRecording:
    return rendered_in(tmp_path_factory.getbasetemp())
