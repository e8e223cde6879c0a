"""Media files made in code, so that none is committed."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt

Signal = npt.NDArray[np.float32]


def tone(seconds: float, rate: int, *, hertz: float = 440.0, amplitude: float = 0.5) -> Signal:
    time = np.arange(round(seconds * rate)) / rate
    return (amplitude * np.sin(2 * np.pi * hertz * time)).astype(np.float32)


def silence(seconds: float, rate: int) -> Signal:
    return np.zeros(round(seconds * rate), dtype=np.float32)


def write_media(
    path: Path,
    channels: Signal,
    rate: int,
    *,
    codec: str,
    container: str,
    layout: str = "mono",
    sample_format: str | None = None,
    video: bool = False,
    options: dict[str, str] | None = None,
) -> Path:
    """Encode ``channels`` (shape ``(n,)`` or ``(channels, n)``, -1..1); ``container`` is FFmpeg's format name."""
    planes = np.atleast_2d(channels)
    with av.open(str(path), "w", format=container, options=options or {}) as out:
        stream = out.add_stream(codec, rate=rate, layout=layout)
        if sample_format:
            stream.format = sample_format
        elif codec in ("vorbis", "opus"):
            stream.options = {"strict": "experimental"}
        picture = None
        if video:
            picture = out.add_stream("h264", rate=5)
            picture.width, picture.height, picture.pix_fmt = 64, 48, "yuv420p"
        stream.open() if hasattr(stream, "open") else None
        size = stream.codec_context.frame_size or 1024
        for start in range(0, planes.shape[1], size):
            block = np.ascontiguousarray(planes[:, start : start + size], dtype=np.float32)
            frame = av.AudioFrame.from_ndarray(block, format="fltp", layout=layout)
            frame.sample_rate, frame.pts, frame.time_base = rate, start, Fraction(1, rate)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
        if picture is not None:
            for index in range(round(planes.shape[1] / rate * 5)):
                image = np.full((48, 64, 3), index * 7 % 256, dtype=np.uint8)
                out.mux(picture.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
            out.mux(picture.encode(None))
    return path
