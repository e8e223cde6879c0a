"""Recordings that several tests of the pipeline read."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.datasets.pipeline.makers import tone, write_media
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


@dataclass(frozen=True)
class DemoRecording:
    """The demo's MP4 and what is said in it when."""

    path: Path
    sentences: list[SimpleNamespace]


@pytest.fixture(scope="session")
def demo_recording(tmp_path_factory: pytest.TempPathFactory) -> DemoRecording:
    """Made as the demo makes it: by a program of its own."""
    path = tmp_path_factory.mktemp("demo") / "demo.mp4"
    root = Path(__file__).resolve().parents[3]
    subprocess.run([sys.executable, "-m", "xttsproject.demo.recording", str(path)], cwd=root, check=True)
    sentences = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    return DemoRecording(path, [SimpleNamespace(**sentence) for sentence in sentences])
