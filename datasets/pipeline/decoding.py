"""Decoded sound as a stream of blocks: what the other media functions stand on.

FFmpeg recognises a file by its bytes here, never by its name: the file is handed over as a nameless stream. Formats
that merely point at other files (playlists, concatenation scripts) are barred from opening those, so that an upload can
read neither this machine's files nor its network.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from xttsproject.lib.errors import DomainError

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame
    from av.audio.resampler import AudioResampler
    from av.audio.stream import AudioStream
    from av.container import InputContainer
    from av.packet import Packet

Pcm = npt.NDArray[np.int16]

# Containers whose header states the duration. Others (MP3, ADTS, MPEG-TS, Ogg) have it guessed from the bit rate or
# read from the last page, so a stream that ends early cannot be told from a wrong guess.
HEADER_STATES_DURATION = frozenset(
    {"mov", "mp4", "matroska", "webm", "wav", "w64", "flac", "avi", "asf", "aiff", "caf", "au"}
)

# No protocol has this name, so nothing but the stream that we opened ourselves can be read.
_NO_PROTOCOL = "none"
_READ_BUFFER = 256 * 1024


class NamelessFile:
    """A file without a name, so that recognition goes by content alone."""

    def __init__(self, handle: IO[bytes]):
        self._handle = handle

    def read(self, size: int = -1) -> bytes:
        return self._handle.read(size)

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._handle.seek(offset, whence)

    def tell(self) -> int:
        return self._handle.tell()

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True


@dataclass(frozen=True)
class StreamFacts:
    """What the container says of itself. ``seconds`` is None where it states no duration that can be relied upon."""

    container: str
    stated_seconds: float | None
    audio_codec: str
    has_video: bool


@contextlib.contextmanager
def open_media(path: Path) -> Iterator[tuple[InputContainer, AudioStream, StreamFacts]]:
    """Open a file and choose its sound stream.

    Raises DomainError ``media_missing``, ``media_empty``, ``media_truncated`` (an MP4 without its index), ``not_media``
    or ``no_audio``.
    """
    import av

    path = Path(path)
    if not path.is_file():
        raise DomainError("media_missing", f"The file {path.name} is no longer there; upload it again.")
    if path.stat().st_size == 0:
        raise DomainError("media_empty", f"The file {path.name} is empty; upload the recording again.")
    with open(path, "rb") as handle:
        head = handle.read(12)
        handle.seek(0)
        try:
            container = av.open(
                NamelessFile(handle),
                mode="r",
                options={"protocol_whitelist": _NO_PROTOCOL},
                metadata_errors="replace",
                buffer_size=_READ_BUFFER,
            )
        except (av.error.FFmpegError, ValueError, OSError) as error:
            raise _unreadable(path, head) from error
        with container:
            stream, facts = _choose(container, path)
            yield container, stream, facts


def _unreadable(path: Path, head: bytes) -> DomainError:
    if head[4:8] == b"ftyp":
        return DomainError(
            "media_truncated",
            f"{path.name} is an MP4 whose index is missing, so the file is incomplete; "
            "copy or download it again in full.",
        )
    return _not_media(path)


def _not_media(path: Path) -> DomainError:
    return DomainError(
        "not_media", f"{path.name} is neither an audio nor a video file that can be read; choose a recording instead."
    )


def _choose(container: InputContainer, path: Path) -> tuple[AudioStream, StreamFacts]:
    from av.stream import Disposition

    # A cover picture in a music file is a video stream to FFmpeg, not to people.
    has_video = any(not stream.disposition & Disposition.attached_pic for stream in container.streams.video)
    name = container.format.name
    if not container.streams.audio:
        if not has_video and not container.streams.video:
            raise _not_media(path)
        raise DomainError(
            "no_audio", f"{path.name} has a picture but no sound; choose a recording in which somebody speaks."
        )
    best = container.streams.best("audio")
    stream: AudioStream = best if best is not None else container.streams.audio[0]  # type: ignore[assignment]
    if stream.codec_context is None:
        raise DomainError(
            "not_media",
            f"The sound of {path.name} is in a format that cannot be decoded here; convert it to WAV or MP4.",
        )
    stated = None
    if HEADER_STATES_DURATION & set(name.split(",")):
        if stream.duration and stream.time_base:
            stated = float(stream.duration * stream.time_base)
        elif container.duration:
            stated = container.duration / 1_000_000
        if stated is not None and name == "wav":
            stated *= _riff_share(path)
    return stream, StreamFacts(name, stated, stream.codec_context.name, has_video)


def _riff_share(path: Path) -> float:
    """How many times as long as it is a WAV file says to be; FFmpeg trusts the file's size instead.

    1 where it says nothing usable: programs that write to a pipe leave the size at zero or near its maximum.
    """
    with open(path, "rb") as handle:
        head = handle.read(8)
    stated, actual = int.from_bytes(head[4:8], "little") + 8, path.stat().st_size
    return stated / actual if head[:4] == b"RIFF" and actual < stated < 0x7FFF_0000 else 1.0


@dataclass
class DecodeState:
    """What has happened so far while blocks are drawn from :func:`pcm_blocks`.

    ``reached`` is the furthest time in seconds that any packet of the file covered, on the file's own clock from its
    start; ``sample_rate`` and ``channels`` are those of the first decoded frame.
    """

    packets: int = 0
    skipped: int = 0
    reached: float = 0.0
    sample_rate: int = 0
    channels: int = 0


def pcm_blocks(container: InputContainer, stream: AudioStream, rate: int, state: DecodeState) -> Iterator[Pcm]:
    """Draw the sound as mono int16 blocks of shape ``(n,)`` at ``rate`` hertz; memory does not grow with the file.

    Channels are mixed with weights that add up to one, so a mix never clips. A packet that cannot be decoded is counted
    in ``state.skipped`` and left out.
    """
    import av
    from av.audio.frame import AudioFrame

    mixer = _Mixer(rate)
    packets = _packets(container, stream, state)
    for packet in packets:
        if packet.stream is not stream:
            continue
        try:
            frames = packet.decode()
        except av.error.FFmpegError:
            state.skipped += 1
            continue
        for frame in frames:
            if not isinstance(frame, AudioFrame):
                continue
            if not state.sample_rate:
                state.sample_rate, state.channels = frame.sample_rate, frame.layout.nb_channels
            yield from mixer.feed(frame)
    yield from mixer.flush()


def _packets(container: InputContainer, stream: AudioStream, state: DecodeState) -> Iterator[Packet[Any]]:
    """Packets of the sound and of the moving picture; the latter only tell how far the file reaches."""
    import av

    streams = [stream, *(other for other in container.streams.video if other.codec_context is not None)]
    begins = (container.start_time or 0) / 1_000_000
    demuxer = container.demux(streams)
    while True:
        try:
            packet = next(demuxer)
        except StopIteration:
            return
        except av.error.FFmpegError:
            # The container itself ends in the middle of something. What was read is still good; whether too much is
            # missing is judged by the time that was reached.
            state.skipped += 1
            return
        clock = packet.pts if packet.pts is not None else packet.dts
        if clock is not None and packet.time_base is not None:
            end = float((clock + (packet.duration or 0)) * packet.time_base) - begins
            state.reached = max(state.reached, end)
        if packet.stream is stream and packet.size:
            state.packets += 1
        yield packet


class _Mixer:
    """Whatever the decoder gives to mono int16 at one rate; starts anew when the stream changes its shape midway."""

    def __init__(self, rate: int):
        self._rate = rate
        self._shape: tuple[str, str, int] | None = None
        self._resampler: AudioResampler | None = None

    def feed(self, frame: AudioFrame) -> Iterator[Pcm]:
        from av.audio.resampler import AudioResampler

        shape = (frame.format.name, frame.layout.name, frame.sample_rate)
        if shape != self._shape:
            yield from self.flush()
            # 16-bit output makes FFmpeg scale the mixing weights so that they add up to one.
            self._resampler = AudioResampler(format="s16", layout="mono", rate=self._rate)
            self._shape = shape
        # Blocks are simply put one after another; time stamps with gaps or repeats would be filled or refused.
        frame.pts = None
        assert self._resampler is not None
        yield from _arrays(self._resampler.resample(frame))

    def flush(self) -> Iterator[Pcm]:
        if self._resampler is not None:
            yield from _arrays(self._resampler.resample(None))
            self._resampler = None


def _arrays(frames: list[AudioFrame]) -> Iterator[Pcm]:
    for frame in frames:
        block = frame.to_ndarray().reshape(-1).astype(np.int16, copy=False)
        if block.size:
            yield block
