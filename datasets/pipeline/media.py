"""Any recording that FFmpeg decodes, to facts, to the portal's master WAV, or to samples.

The truth is the decoded stream, not the file's name and not its header.
"""

from __future__ import annotations

import wave
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from datasets.pipeline.decoding import DecodeState, Pcm, StreamFacts, open_media, pcm_blocks
from datasets.pipeline.wording import duration_words
from xttsproject.lib.audio import Audio
from xttsproject.lib.errors import DomainError
from xttsproject.lib.files import atomic_path
from xttsproject.lib.progress import Progress, Silent

MASTER_RATE = 24_000
"""Hertz of the master: the rate at which XTTS speaks; everything else is made from it."""

# Samples between two reports: ten seconds of sound, some thirty reports a second.
REPORT_EVERY = 10 * MASTER_RATE
# A stream may end a little before the header says so (encoder padding, a last frame rounded up); more is a loss.
TRUNCATION_SECONDS = 2.0
TRUNCATION_SHARE = 0.02
# Single damaged packets are heard as a click; beyond this share the recording is not what was said.
DAMAGED_SHARE = 0.05


@dataclass(frozen=True)
class MediaFacts:
    """``container`` is FFmpeg's name ("mov,mp4,…"); ``sample_rate`` (hertz) and ``channels`` are the decoded stream's.

    ``seconds`` is the decoded length after :func:`decode_to_master`, and the length by the file's packets after
    :func:`probe`. ``skipped_packets`` counts damaged packets that had to be left out.
    """

    container: str
    seconds: float
    audio_codec: str
    sample_rate: int
    channels: int
    has_video: bool
    skipped_packets: int = 0

    @property
    def note(self) -> str:
        """One sentence on what was lost in decoding; empty when nothing was."""
        if not self.skipped_packets:
            return ""
        packets = (
            "1 damaged packet was" if self.skipped_packets == 1 else f"{self.skipped_packets} damaged packets were"
        )
        return f"{packets} skipped while decoding; listen for clicks or gaps."


def probe(path: Path) -> MediaFacts:
    """Decode the beginning of a file and say what it is; no more is read than needed.

    Raises DomainError ``media_missing``, ``media_empty``, ``media_truncated``, ``not_media``, ``no_audio``.
    """
    path = Path(path)
    with open_media(path) as (container, stream, stated):
        state = DecodeState()
        blocks = pcm_blocks(container, stream, MASTER_RATE, state)
        if next(blocks, None) is None:
            raise _undecodable(path, stated)
        seconds = stated.stated_seconds
        if seconds is None and container.duration:
            seconds = container.duration / 1_000_000
        if seconds is None:
            for _ in blocks:
                pass
            seconds = state.reached
        return _facts(stated, state, seconds)


def decode_to_master(
    source: Path, target_wav: Path, *, max_seconds: float, progress: Progress | None = None
) -> MediaFacts:
    """Decode ``source`` to a mono 16-bit WAV of ``MASTER_RATE`` hertz in constant memory.

    The target appears only when all went well. The limit holds while reading, whatever the header says. Raises
    ``Cancelled`` and DomainError ``media_too_long``, ``media_damaged`` and all of :func:`probe`'s.
    """
    source, progress = Path(source), progress or Silent()
    with open_media(source) as (container, stream, stated):
        expected = stated.stated_seconds
        if expected is None and container.duration:
            expected = container.duration / 1_000_000
        if stated.stated_seconds is not None and stated.stated_seconds > max_seconds + 1:
            raise _too_long(source, stated.stated_seconds, max_seconds)
        state = DecodeState()
        with atomic_path(target_wav) as temporary:
            with wave.open(str(temporary), "wb") as out:
                out.setnchannels(1)
                out.setsampwidth(2)
                out.setframerate(MASTER_RATE)
                written = reported = 0
                for block in _checked(pcm_blocks(container, stream, MASTER_RATE, state), progress):
                    written += block.size
                    seconds = written / MASTER_RATE
                    if seconds > max_seconds:
                        raise _too_long(source, None, max_seconds)
                    out.writeframesraw(block.astype("<i2", copy=False).tobytes())
                    if written - reported >= REPORT_EVERY:
                        reported = written
                        progress.report(min(seconds / expected, 1.0) if expected else 0.0, "decoding")
            seconds = written / MASTER_RATE
            _judge(source, stated, state, seconds)
        progress.report(1.0, "decoded")
        return _facts(stated, state, seconds)


def decode_audio(path: Path, rate: int, *, max_seconds: float = 600.0) -> Audio:
    """A short recording as samples at ``rate`` hertz, wholly in memory (float32 mono); errors as for a master."""
    return decode_clip(path, rate, max_seconds=max_seconds)[0]


def decode_clip(path: Path, rate: int, *, max_seconds: float) -> tuple[Audio, MediaFacts]:
    """The same, with what the file turned out to be."""
    path = Path(path)
    with open_media(path) as (container, stream, stated):
        state = DecodeState()
        blocks: list[Pcm] = []
        written = 0
        for block in pcm_blocks(container, stream, rate, state):
            written += block.size
            if written > max_seconds * rate:
                raise _too_long(path, stated.stated_seconds, max_seconds)
            blocks.append(block)
        _judge(path, stated, state, written / rate)
    audio = Audio(np.concatenate(blocks).astype(np.float32) / np.float32(32768.0), rate)
    return audio, _facts(stated, state, audio.seconds)


def _checked(blocks: Iterator[Pcm], progress: Progress) -> Iterator[Pcm]:
    for block in blocks:
        progress.check()
        yield block


def _judge(path: Path, stated: StreamFacts, state: DecodeState, seconds: float) -> None:
    """Raise where what came out is not the recording that went in."""
    if seconds <= 0:
        raise _undecodable(path, stated)
    expected = stated.stated_seconds
    if expected is not None:
        missing = expected - max(seconds, state.reached)
        if missing > max(TRUNCATION_SECONDS, TRUNCATION_SHARE * expected):
            raise DomainError(
                "media_truncated",
                f"{path.name} should last {duration_words(expected)} but ends after {duration_words(seconds)}, so "
                "part of the file is missing; copy or download it again in full.",
            )
    if state.skipped > max(2, DAMAGED_SHARE * state.packets):
        raise DomainError(
            "media_damaged",
            f"{state.skipped} of {state.packets} packets of sound in {path.name} are damaged; "
            "use another copy of the recording.",
        )


def _facts(stated: StreamFacts, state: DecodeState, seconds: float) -> MediaFacts:
    return MediaFacts(
        container=stated.container,
        seconds=seconds,
        audio_codec=stated.audio_codec,
        sample_rate=state.sample_rate,
        channels=state.channels,
        has_video=stated.has_video,
        skipped_packets=state.skipped,
    )


def _too_long(path: Path, seconds: float | None, limit: float) -> DomainError:
    length = f"lasts {duration_words(seconds)}" if seconds is not None else "is longer than allowed"
    return DomainError(
        "media_too_long",
        f"{path.name} {length}, and the limit is {duration_words(limit)}; cut it into shorter recordings.",
    )


def _undecodable(path: Path, stated: StreamFacts) -> DomainError:
    return DomainError(
        "not_media",
        f"Nothing of the sound in {path.name} ({stated.audio_codec}) can be decoded; use another copy or format.",
    )
