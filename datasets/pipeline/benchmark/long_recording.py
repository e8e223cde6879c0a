"""A long recording made of short ones: clips in changing order, at changing levels, with pauses and room noise."""

from __future__ import annotations

import subprocess
import sys
import wave
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from datasets.pipeline.media import MASTER_RATE, decode_audio
from xttsproject.lib.audio import to_pcm16
from xttsproject.lib.errors import DomainError

Samples = npt.NDArray[np.float32]

PAUSE_SECONDS = (0.1, 2.5)
GAIN_DB = (-9.0, 3.0)
NOISE_DBFS = (-75.0, -45.0)
_SUFFIXES = {".wav", ".flac", ".mp3", ".m4a", ".mp4", ".ogg", ".opus", ".webm", ".mkv"}


def clips_in(path: Path) -> list[Path]:
    """The recordings in a folder by name, or the one file. DomainError ``media_missing``."""
    if path.is_file():
        return [path]
    found = sorted(child for child in path.glob("*") if child.suffix.lower() in _SUFFIXES) if path.is_dir() else []
    if not found:
        raise DomainError("media_missing", f"There is no recording at {path}; give a file or a folder of recordings.")
    return found


def synthetic_clips(folder: Path) -> list[Path]:
    """The demo's recording, spoken by espeak-ng in a process of its own. DomainError ``espeak_missing``."""
    target = folder / "demo.mp4"
    command = [sys.executable, "-m", "xttsproject.demo.recording", str(target)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    if ran.returncode:
        raise DomainError(
            "espeak_missing",
            "No recording was given, and synthetic speech needs the extra “demo”; install it, or name a recording "
            "with --audio.",
        )
    return [target]


def write_long_recording(clips: Sequence[Path], seconds: float, target: Path, seed: int = 1) -> None:
    """Write a mono 24 kHz master of ``seconds`` out of ``clips``; memory holds the clips and one piece.

    The same clips and ``seed`` give the same file. DomainErrors: those of :func:`datasets.pipeline.media.decode_audio`.
    """
    voices = [decode_audio(clip, MASTER_RATE).samples for clip in clips]
    left = round(seconds * MASTER_RATE)
    with wave.open(str(target), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(MASTER_RATE)
        for piece in _pieces(voices, np.random.default_rng(seed)):
            out.writeframes(to_pcm16(piece[:left]))
            left -= len(piece)
            if left <= 0:
                return


def _pieces(voices: Sequence[Samples], chance: np.random.Generator) -> Iterator[Samples]:
    """A clip with the pause before it, without end; each has its own level and its own room."""
    while True:
        for index in chance.permutation(len(voices)):
            pause = np.zeros(round(chance.uniform(*PAUSE_SECONDS) * MASTER_RATE), np.float32)
            piece = np.concatenate([pause, voices[index] * np.float32(_amplitude(chance.uniform(*GAIN_DB)))])
            noise = chance.standard_normal(len(piece), np.float32) * _amplitude(chance.uniform(*NOISE_DBFS))
            yield (piece + noise).astype(np.float32)


def _amplitude(decibels: float) -> float:
    return float(10 ** (decibels / 20))
