"""Spoken sound to bytes in the formats that players and OpenAI's clients ask for."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import numpy as np

from voices.engine.loudness import at_loudness, require_loudness
from voices.engine.tags import tag_wav
from xttsproject.lib.audio import Audio, to_pcm16, write_wav
from xttsproject.lib.errors import DomainError

RATES = (8_000, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)
_OPUS_RATES = (8_000, 12_000, 16_000, 24_000, 48_000)


@dataclass(frozen=True)
class Format:
    """``container`` and ``codec`` are FFmpeg's names, empty where no encoder is needed; ``bit_rate`` is per second.

    ``rates`` are those that the format has, in hertz; ``options`` are the container's.
    """

    name: str
    content_type: str
    container: str = ""
    codec: str = ""
    bit_rate: int | None = None
    rates: tuple[int, ...] = RATES
    options: tuple[tuple[str, str], ...] = ()


FORMATS = {
    known.name: known
    for known in (
        Format("wav", "audio/wav"),
        # Headerless little-endian 16-bit mono at the audio's own rate, as OpenAI's ``pcm`` (24 000 Hz).
        Format("pcm", "audio/pcm"),
        Format("flac", "audio/flac", "flac", "flac"),
        Format("mp3", "audio/mpeg", "mp3", "libmp3lame", 96_000),
        Format("opus", "audio/ogg", "ogg", "libopus", 48_000, _OPUS_RATES),
        # ADTS has no place for tags of its own; players know ID3 before it.
        Format("aac", "audio/aac", "adts", "aac", 96_000, options=(("write_id3v2", "1"),)),
        # In fragments, so that it can be sent while it is encoded; players of audiobooks know it by its name and brand.
        Format(
            "m4b",
            "audio/mp4",
            "mp4",
            "aac",
            96_000,
            options=(("movflags", "empty_moov+default_base_moof"), ("frag_duration", "5000000"), ("brand", "M4B ")),
        ),
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


@dataclass(frozen=True)
class Output:
    """How speech is to come: the format, hertz (None: as spoken, 24 000) and LUFS (None: as spoken).

    DomainErrors ``rate_unsupported`` and ``loudness_invalid``.
    """

    format: Format
    sample_rate: int | None = None
    loudness: float | None = None

    def __post_init__(self) -> None:
        if self.sample_rate is not None and self.sample_rate not in self.format.rates:
            raise DomainError(
                "rate_unsupported",
                f"Speech is not written as {self.format.name} at {self.sample_rate} Hz; choose one of "
                f"{', '.join(str(rate) for rate in self.format.rates)}.",
                field="sample_rate",
            )
        if self.loudness is not None:
            require_loudness(self.loudness)

    @property
    def as_spoken(self) -> bool:
        """Whether it is the WAV that is kept, to the byte."""
        return self.format.name == "wav" and self.loudness is None and self.sample_rate is None


def encode(audio: Audio, wanted: Format | Output, tags: Mapping[str, str] | None = None) -> bytes:
    """The whole sound as one file's bytes, mono. ``pcm`` is headerless and carries no ``tags``."""
    output = wanted if isinstance(wanted, Output) else Output(wanted)
    if output.sample_rate is not None:
        audio = audio.at_rate(output.sample_rate)
    if output.loudness is not None:
        # Last: resampling moves the peaks.
        audio = at_loudness(audio, output.loudness)
    if output.format.name == "pcm":
        return to_pcm16(audio.samples)
    if output.format.name == "wav":
        return _wav(audio, tags or {})
    target = io.BytesIO()
    _encode_with_ffmpeg(audio, output.format, target, tags or {})
    return target.getvalue()


def _wav(audio: Audio, tags: Mapping[str, str]) -> bytes:
    with TemporaryDirectory() as folder:
        path = Path(folder, "speech.wav")
        write_wav(path, audio)
        if tags:
            tag_wav(path, tags)
        return path.read_bytes()


def _encode_with_ffmpeg(audio: Audio, wanted: Format, target: io.BytesIO, tags: Mapping[str, str]) -> None:
    import av

    pcm = np.frombuffer(to_pcm16(audio.samples), dtype="<i2").reshape(1, -1)
    with av.open(target, mode="w", format=wanted.container, options=dict(wanted.options)) as container:
        # PyAV's annotations know streams by the codec's literal name only.
        stream = cast(Any, container.add_stream(wanted.codec, rate=audio.sample_rate, layout="mono"))
        if wanted.bit_rate:
            stream.bit_rate = wanted.bit_rate
        container.metadata.update(tags)
        if wanted.container == "ogg":
            # Ogg's comments belong to the stream.
            stream.metadata.update(tags)
        # A second at a time; the encoder takes what it needs and keeps the rest.
        for start in range(0, pcm.shape[1], audio.sample_rate):
            block = np.ascontiguousarray(pcm[:, start : start + audio.sample_rate])
            frame = av.AudioFrame.from_ndarray(block, format="s16", layout="mono")
            frame.sample_rate = audio.sample_rate
            frame.pts = start
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
