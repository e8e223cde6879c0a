"""Media files made in code, so that none is committed."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

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
    video: bool = False,
    options: dict[str, str] | None = None,
) -> Path:
    """Encode ``channels`` (shape ``(n,)`` or ``(channels, n)``, -1..1); ``container`` is FFmpeg's format name.

    Sound and picture are muxed second by second, as a camera writes them.
    """
    planes = np.atleast_2d(channels)
    with av.open(str(path), "w", format=container, options=options or {}) as out:
        sound: Any = out.add_stream(codec, rate=rate, layout=layout)
        if codec == "vorbis":
            sound.options = {"strict": "experimental"}
        picture: Any = _picture(out) if video else None
        for start in range(0, planes.shape[1], rate):
            block = np.ascontiguousarray(planes[:, start : start + rate], dtype=np.float32)
            frame = av.AudioFrame.from_ndarray(block, format="fltp", layout=layout)
            frame.sample_rate, frame.pts, frame.time_base = rate, start, Fraction(1, rate)
            out.mux(sound.encode(frame))
            if picture is not None:
                _draw(out, picture, round(block.shape[1] / rate * 5))
        out.mux(sound.encode(None))
        if picture is not None:
            out.mux(picture.encode(None))
    return path


def write_silent_film(path: Path, seconds: int) -> Path:
    """A video without any sound stream."""
    with av.open(str(path), "w", format="mp4") as out:
        picture = _picture(out)
        _draw(out, picture, seconds * 5)
        out.mux(picture.encode(None))
    return path


def _picture(out: Any) -> Any:
    picture = out.add_stream("h264", rate=5, options={"preset": "ultrafast"})
    picture.width, picture.height, picture.pix_fmt = 64, 48, "yuv420p"
    return picture


def _draw(out: Any, picture: Any, frames: int) -> None:
    for index in range(frames):
        image = np.full((48, 64, 3), index * 37 % 256, dtype=np.uint8)
        out.mux(picture.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
