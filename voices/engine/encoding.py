"""Spoken sound to bytes in the formats that players and OpenAI's clients ask for."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from xttsproject.lib.audio import Audio, to_pcm16, write_wav
from xttsproject.lib.errors import DomainError


@dataclass(frozen=True)
class Format:
    """``container`` and ``codec`` are FFmpeg's names, empty where no encoder is needed; ``bit_rate`` is per second."""

    name: str
    content_type: str
    container: str = ""
    codec: str = ""
    bit_rate: int | None = None


FORMATS = {
    known.name: known
    for known in (
        Format("wav", "audio/wav"),
        # Headerless little-endian 16-bit mono at the audio's own rate, as OpenAI's ``pcm`` (24 000 Hz).
        Format("pcm", "audio/pcm"),
        Format("flac", "audio/flac", "flac", "flac"),
        Format("mp3", "audio/mpeg", "mp3", "libmp3lame", 96_000),
        Format("opus", "audio/ogg", "ogg", "libopus", 48_000),
        Format("aac", "audio/aac", "adts", "aac", 96_000),
    )
}


def require_format(name: str, *, field: str = "format") -> Format:
    """The format of that name; DomainError ``format_unsupported`` names those there are."""
    try:
        return FORMATS[name]
    except KeyError:
        raise DomainError(
            "format_unsupported",
            f"Speech is not written as “{name}”; choose one of {', '.join(FORMATS)}.",
            field=field,
        ) from None


def encode(audio: Audio, wanted: Format) -> bytes:
    """The whole sound as one file's bytes, mono, at the audio's own sample rate."""
    if wanted.name == "pcm":
        return to_pcm16(audio.samples)
    target = io.BytesIO()
    if wanted.name == "wav":
        write_wav(target, audio)
    else:
        _encode_with_ffmpeg(audio, wanted, target)
    return target.getvalue()


def _encode_with_ffmpeg(audio: Audio, wanted: Format, target: io.BytesIO) -> None:
    import av

    pcm = np.frombuffer(to_pcm16(audio.samples), dtype="<i2").reshape(1, -1)
    with av.open(target, mode="w", format=wanted.container) as container:
        # PyAV's annotations know streams by the codec's literal name only.
        stream = cast(Any, container.add_stream(wanted.codec, rate=audio.sample_rate, layout="mono"))
        if wanted.bit_rate:
            stream.bit_rate = wanted.bit_rate
        # A second at a time; the encoder takes what it needs and keeps the rest.
        for start in range(0, pcm.shape[1], audio.sample_rate):
            block = np.ascontiguousarray(pcm[:, start : start + audio.sample_rate])
            frame = av.AudioFrame.from_ndarray(block, format="s16", layout="mono")
            frame.sample_rate = audio.sample_rate
            frame.pts = start
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
