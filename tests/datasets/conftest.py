"""Recordings for the tests of services, pages and API: made in code, speech by espeak-ng in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from datasets.pipeline.media import decode_audio
from tests.conftest import ROOT
from tests.datasets.pipeline.makers import silence, tone, write_media

RATE = 24_000


@pytest.fixture(scope="session")
def spoken(tmp_path_factory: pytest.TempPathFactory) -> np.ndarray[Any, Any]:
    """Some twenty seconds of spoken sentences with pauses, at 24 kHz."""
    path = tmp_path_factory.mktemp("spoken") / "demo.mp4"
    subprocess.run([sys.executable, "-m", "xttsproject.demo.recording", str(path)], cwd=ROOT, check=True)
    return decode_audio(path, RATE).samples[: 20 * RATE]


@pytest.fixture(scope="session")
def talk(spoken: np.ndarray[Any, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The speech as people bring it: an MP4 with a picture."""
    path = tmp_path_factory.mktemp("talk") / "talk.mp4"
    return write_media(path, spoken, RATE, codec="aac", container="mp4", video=True)


@pytest.fixture(scope="session")
def media(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of files that are not what a recording should be, by the names of their faults."""
    folder = tmp_path_factory.mktemp("media")
    (folder / "notes.mp4").write_bytes(b"These are only notes.\n" * 50)
    (folder / "empty.mp3").write_bytes(b"")
    write_media(folder / "silence.wav", silence(8, 16_000), 16_000, codec="pcm_s16le", container="wav")
    write_media(folder / "tone.wav", tone(3, 16_000), 16_000, codec="pcm_s16le", container="wav")
    _mute_video(folder / "mute.mp4")
    whole = write_media(folder / "whole.mp4", tone(30, 24_000), 24_000, codec="aac", container="mp4").read_bytes()
    (folder / "cut.mp4").write_bytes(whole[: len(whole) // 2])
    options = {"movflags": "+faststart"}
    fast = write_media(folder / "fast.mp4", tone(30, 24_000), 24_000, codec="aac", container="mp4", options=options)
    (folder / "cut_fast.mp4").write_bytes(fast.read_bytes()[: fast.stat().st_size // 2])
    return folder


def _mute_video(path: Path) -> None:
    import av

    with av.open(str(path), "w", format="mp4") as out:
        picture = out.add_stream("h264", rate=5)
        picture.width, picture.height, picture.pix_fmt = 64, 48, "yuv420p"
        for index in range(10):
            image = np.full((48, 64, 3), index * 20, dtype=np.uint8)
            out.mux(picture.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        out.mux(picture.encode(None))
