"""Sound as the project passes it around: mono float32 samples with their rate."""

from __future__ import annotations

import wave
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Audio:
    """Mono sound.

    ``samples`` has shape ``(n,)``, float32, nominally within -1..1; ``sample_rate`` is in hertz.
    """

    samples: Samples
    sample_rate: int

    def __post_init__(self) -> None:
        if self.samples.ndim != 1:
            raise ValueError(f"Audio is mono: one axis expected, got shape {self.samples.shape}.")
        if self.sample_rate <= 0:
            raise ValueError(f"A sample rate is above 0 Hz, got {self.sample_rate}.")

    @property
    def seconds(self) -> float:
        return len(self.samples) / self.sample_rate

    def at_rate(self, sample_rate: int) -> Audio:
        """The same sound at another rate (libsoxr, high quality)."""
        if sample_rate == self.sample_rate:
            return self
        import soxr

        resampled = soxr.resample(self.samples, self.sample_rate, sample_rate, quality="HQ")
        return Audio(resampled.astype(np.float32, copy=False), sample_rate)

    def cut(self, start: float, end: float) -> Audio:
        """The stretch from ``start`` to ``end`` seconds, clamped to what there is."""
        first = max(0, round(start * self.sample_rate))
        last = min(len(self.samples), round(end * self.sample_rate))
        return Audio(self.samples[first:last], self.sample_rate)


def write_wav(target: Path | BinaryIO, audio: Audio) -> None:
    """Write mono 16-bit PCM whose header carries the audio's own rate. Samples beyond ±1 are clipped."""
    pcm = to_pcm16(audio.samples)
    with wave.open(str(target) if isinstance(target, Path) else target, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(audio.sample_rate)
        out.writeframes(pcm)


def read_wav(source: Path | BinaryIO, start: float = 0.0, end: float | None = None) -> Audio:
    """Read 16-bit PCM WAV of our own writing, or a stretch of it in seconds without reading the rest.

    Anything from outside goes through ``datasets.pipeline.decode`` instead.
    """
    with wave.open(str(source) if isinstance(source, Path) else source, "rb") as handle:
        if handle.getsampwidth() != 2:
            raise ValueError(f"16-bit PCM expected, got {8 * handle.getsampwidth()} bits per sample.")
        rate, channels, total = handle.getframerate(), handle.getnchannels(), handle.getnframes()
        first = min(max(0, round(start * rate)), total)
        last = total if end is None else min(max(first, round(end * rate)), total)
        handle.setpos(first)
        raw = handle.readframes(last - first)
    pcm = from_pcm16(raw)
    if channels > 1:
        pcm = pcm.reshape(-1, channels).mean(axis=1)
    return Audio(pcm.astype(np.float32, copy=False), rate)


def from_pcm16(raw: bytes) -> Samples:
    """Samples of little-endian 16-bit PCM; :func:`to_pcm16` gives the same bytes again."""
    samples: Samples = np.frombuffer(raw, dtype="<i2").astype(np.float32) / np.float32(32768.0)
    return samples


def to_pcm16(samples: Samples) -> bytes:
    """Little-endian 16-bit PCM, on the scale of :func:`read_wav`: what was read is written back to the bit.

    +1.0 has no place on that scale and becomes the step below, instead of wrapping to the most negative value.
    """
    scaled = np.rint(samples * np.float32(32768.0))
    return bytes(np.clip(scaled, -32768, 32767).astype("<i2").tobytes())
