"""Spoken sound to bytes while it comes: the same formats, for players that begin before the end is known."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Protocol, cast

import numpy as np

from voices.engine.encoding import Format, Output
from voices.engine.tags import info_chunk
from xttsproject.lib.audio import Samples, to_pcm16

_UNKNOWN_SIZE = 0xFFFFFFFF
"""As a WAV's length: until the end of the stream."""

_OPTIONS = {
    "mp3": {"write_xing": "0"},
    # In microseconds: a page of the usual second would come a second late.
    "ogg": {"page_duration": "100000"},
}


@dataclass(frozen=True)
class Chapter:
    """A stretch of the sound with a name; ``start`` and ``end`` in seconds."""

    title: str
    start: float
    end: float


class StreamEncoder(Protocol):
    """Samples go in, bytes of one file come out; :meth:`end` gives the last ones."""

    def push(self, samples: Samples) -> bytes: ...

    def end(self) -> bytes: ...


def stream_encoder(
    wanted: Output,
    sample_rate: int,
    tags: Mapping[str, str],
    *,
    chapters: Sequence[Chapter] = (),
    samples: int | None = None,
) -> StreamEncoder:
    """An encoder of mono sound that comes at ``sample_rate`` hertz.

    All formats with a container have marks of the ``chapters``. A WAV says how long it is where the number of
    ``samples`` is known and none is resampled, else that its length is unknown.
    The output's loudness is not looked at: it would have to be known before the first sample.
    """
    rate = wanted.sample_rate or sample_rate
    encoder: StreamEncoder
    if wanted.format.container:
        encoder = _Encoded(wanted.format, rate, tags, chapters)
    elif wanted.format.name == "wav":
        encoder = _Plain(_wav_header(rate, tags, samples if rate == sample_rate else None))
    else:
        encoder = _Plain(b"")
    return encoder if rate == sample_rate else _Resampled(encoder, sample_rate, rate)


class _Plain:
    def __init__(self, header: bytes):
        self._header = header

    def push(self, samples: Samples) -> bytes:
        header, self._header = self._header, b""
        return header + to_pcm16(samples)

    def end(self) -> bytes:
        header, self._header = self._header, b""
        return header


class _Resampled:
    """As :meth:`Audio.at_rate`, piece by piece."""

    def __init__(self, encoder: StreamEncoder, given: int, wanted: int):
        import soxr

        self._encoder = encoder
        self._resampler = soxr.ResampleStream(given, wanted, 1, dtype="float32", quality="HQ")

    def push(self, samples: Samples) -> bytes:
        return self._encoder.push(self._resampler.resample_chunk(samples))

    def end(self) -> bytes:
        rest = self._resampler.resample_chunk(np.zeros(0, dtype=np.float32), last=True)
        return self._encoder.push(rest) + self._encoder.end()


class _Encoded:
    """FFmpeg's encoder and container, writing into memory that is taken away as it fills."""

    def __init__(self, wanted: Format, sample_rate: int, tags: Mapping[str, str], chapters: Sequence[Chapter] = ()):
        import av

        self._out, self._rate, self._samples = _Pipe(), sample_rate, 0
        options = {"flush_packets": "1", **dict(wanted.options), **_OPTIONS.get(wanted.container, {})}
        self._container = av.open(self._out, mode="w", format=wanted.container, options=options)
        # PyAV's annotations know streams by the codec's literal name only.
        self._stream = cast(Any, self._container.add_stream(wanted.codec, rate=sample_rate, layout="mono"))
        if wanted.bit_rate:
            self._stream.bit_rate = wanted.bit_rate
        self._container.metadata.update(tags)
        if wanted.container == "ogg":
            # Ogg's comments belong to the stream. FFmpeg's own comments for chapters are up to a second off.
            self._stream.metadata.update({**tags, **_chapter_comments(chapters)})
        elif wanted.container == "flac":
            # Its writer knows no chapters; the comments are the same as Ogg's.
            self._container.metadata.update(_chapter_comments(chapters))
        elif chapters:
            self._container.set_chapters(
                [
                    {
                        "id": number,
                        "start": round(chapter.start * 1000),
                        "end": round(chapter.end * 1000),
                        "time_base": Fraction(1, 1000),
                        "metadata": {"title": chapter.title},
                    }
                    for number, chapter in enumerate(chapters)
                ]
            )

    def push(self, samples: Samples) -> bytes:
        import av

        if len(samples):
            block = np.frombuffer(to_pcm16(samples), dtype="<i2").reshape(1, -1)
            frame = av.AudioFrame.from_ndarray(block, format="s16", layout="mono")
            frame.sample_rate, frame.pts = self._rate, self._samples
            self._samples += len(samples)
            self._container.mux(self._stream.encode(frame))
        return self._out.taken()

    def end(self) -> bytes:
        self._container.mux(self._stream.encode(None))
        self._container.close()
        return self._out.taken()


class _Pipe:
    """A file that can be written to and not sought in, as a connection."""

    def __init__(self) -> None:
        self._blocks: list[bytes] = []

    def write(self, block: bytes) -> int:
        self._blocks.append(bytes(block))
        return len(block)

    def taken(self) -> bytes:
        blocks, self._blocks = self._blocks, []
        return b"".join(blocks)


def _chapter_comments(chapters: Sequence[Chapter]) -> dict[str, str]:
    """Vorbis comments as Xiph's chapter extension has them."""
    comments: dict[str, str] = {}
    for number, chapter in enumerate(chapters):
        minutes, milliseconds = divmod(round(chapter.start * 1000), 60_000)
        seconds = f"{milliseconds // 1000:02d}.{milliseconds % 1000:03d}"
        comments[f"CHAPTER{number:03d}"] = f"{minutes // 60:02d}:{minutes % 60:02d}:{seconds}"
        comments[f"CHAPTER{number:03d}NAME"] = chapter.title
    return comments


def _wav_header(rate: int, tags: Mapping[str, str], samples: int | None = None) -> bytes:
    """RIFF with mono 16-bit PCM; without ``samples`` its sizes say that nobody knows them yet."""
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, rate, 2 * rate, 2, 16)
    before = b"WAVE" + form + info_chunk(tags) + b"data"
    if samples is None or len(before) + 4 + 2 * samples > _UNKNOWN_SIZE:
        size = struct.pack("<I", _UNKNOWN_SIZE)
        return b"RIFF" + size + before + size
    return b"RIFF" + struct.pack("<I", len(before) + 4 + 2 * samples) + before + struct.pack("<I", 2 * samples)
