"""Sounds on disk as one, block by block: hours of speech never lie in memory. Loads no ML library."""

from __future__ import annotations

import wave
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from xttsproject.lib.audio import Samples, from_pcm16, read_wav, to_pcm16
from xttsproject.xtts.joining import faded, silence

_BLOCK_SECONDS = 10.0
_HEADER_BYTES = 44
"""Before the samples of a WAV that Python's library has written."""


@dataclass(frozen=True)
class Stitch:
    """A sound's file, how long it is and the silence before it, in seconds."""

    path: Path
    seconds: float
    before: float


def stitched(stitches: Sequence[Stitch], rate: int, *, after: float = 0.0) -> Iterator[Samples]:
    """The sounds one after the other as :func:`xttsproject.xtts.joining.join_speeches` joins them, a block at a time.

    Only the seams are faded. ``after`` is the silence at the end. FileNotFoundError where a sound has gone, ValueError
    for one at another rate.
    """
    last = len(stitches) - 1
    for place, stitch in enumerate(stitches):
        if stitch.before:
            yield silence(stitch.before, rate)
        audio = read_wav(stitch.path)
        if audio.sample_rate != rate:
            raise ValueError(f"{stitch.path.name} is at {audio.sample_rate} Hz, the others at {rate} Hz.")
        yield faded(audio.samples, rate, begin=place > 0, end=place < last)
    if after:
        yield silence(after, rate)


def starts_of(stitches: Sequence[Stitch], rate: int, *, after: float = 0.0) -> tuple[list[int], int]:
    """The sample at which each sound begins, and how many there are in all."""
    starts: list[int] = []
    position = 0
    for stitch in stitches:
        position += round(stitch.before * rate)
        starts.append(position)
        position += round(stitch.seconds * rate)
    return starts, position + round(after * rate)


def write_blocks(path: Path, blocks: Iterator[Samples], rate: int) -> None:
    """Mono 16-bit PCM of any length in flat memory."""
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(rate)
        for block in blocks:
            out.writeframesraw(to_pcm16(block))


def read_blocks(path: Path) -> Iterator[Samples]:
    """What :func:`write_blocks` wrote, some seconds at a time.

    Opened once: of a file that another takes the place of meanwhile, what is read is the one of the beginning.
    """
    with wave.open(str(path), "rb") as handle:
        step = round(_BLOCK_SECONDS * handle.getframerate())
        while raw := handle.readframes(step):
            yield from_pcm16(raw)


def wav_facts(path: Path) -> tuple[int, int]:
    """Rate in hertz, and how many samples."""
    with wave.open(str(path), "rb") as handle:
        return handle.getframerate(), handle.getnframes()


def is_whole(path: Path, seconds: float) -> bool:
    """Whether a sound of that length is really there: not gone, and not cut short by a disk that was full or broke."""
    try:
        rate, samples = wav_facts(path)
        size = path.stat().st_size
    except (OSError, EOFError, wave.Error):
        return False
    return samples == round(seconds * rate) and size >= _HEADER_BYTES + 2 * samples
