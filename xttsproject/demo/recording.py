"""The demo's recording: ``python -m xttsproject.demo.recording OUT.mp4``.

Two to three minutes of synthetic speech with natural pauses and a little room noise, as an MP4 with sound (AAC) and a
small moving picture (H.264): what people bring to the portal. OUT.json beside it holds what is said and when:
[{"text", "start", "end"}], in seconds. The same installation writes the same sound every time.

The voice is espeak-ng's, licensed under the GPL, version 3 or later; PyPI's ``espeakng-loader`` carries it. Nothing
of the portal imports this module or that library: it runs as a program of its own, and only its output is used.
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt

from training.engine.tiny.espeak import Espeak
from xttsproject.demo.sentences import SENTENCES
from xttsproject.lib.files import atomic_path, write_json

Pcm = npt.NDArray[np.int16]

SEED = 20_240
PAUSE_SECONDS = (0.4, 1.2)
WORDS_PER_MINUTE = (150, 172)
PITCH = (46, 54)
# About -66 dB below full scale: the noise of a quiet room.
ROOM_NOISE = 16.0

WIDTH, HEIGHT, FRAMES_PER_SECOND = 320, 180, 10


@dataclass(frozen=True)
class Spoken:
    """A sentence with the seconds at which its sound begins and ends."""

    text: str
    start: float
    end: float


def render() -> tuple[Pcm, int, list[Spoken]]:
    """All sentences with pauses and room noise: samples, their rate in hertz, and what is said when."""
    voice = Espeak()
    chance = random.Random(SEED)  # noqa: S311 - variation that must repeat, not a secret
    pieces: list[Pcm] = []
    spoken: list[Spoken] = []
    position = 0

    def pause() -> Pcm:
        return np.zeros(round(chance.uniform(*PAUSE_SECONDS) * voice.rate), np.int16)

    for text in SENTENCES:
        silence = pause()
        sound, _words = voice.say(
            text, words_per_minute=chance.randint(*WORDS_PER_MINUTE), pitch=chance.randint(*PITCH)
        )
        start = position + len(silence)
        position = start + len(sound)
        pieces += [silence, sound]
        spoken.append(Spoken(text, round(start / voice.rate, 3), round(position / voice.rate, 3)))
    pieces.append(pause())
    speech = np.concatenate(pieces).astype(np.float64)
    noise = np.random.default_rng(SEED).normal(0.0, ROOM_NOISE, len(speech))
    # Half of full scale leaves the encoder room.
    gain = 16_384 / np.max(np.abs(speech))
    return np.clip(speech * gain + noise, -32_768, 32_767).astype(np.int16), voice.rate, spoken


def write_movie(target: Path, samples: Pcm, rate: int) -> None:
    """Mux the sound with a picture in which a bar follows its level."""
    import av

    with atomic_path(target) as temporary, av.open(str(temporary), "w", format="mp4") as out:
        sound = out.add_stream("aac", rate=rate, layout="mono", bit_rate=96_000)
        picture = out.add_stream("h264", rate=FRAMES_PER_SECOND, options={"preset": "ultrafast", "threads": "1"})
        picture.width, picture.height, picture.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for second, images in enumerate(_pictures(samples, rate)):
            block = samples[second * rate : (second + 1) * rate]
            frame = av.AudioFrame.from_ndarray(block.reshape(1, -1), format="s16", layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = rate, second * rate, Fraction(1, rate)
            out.mux(sound.encode(frame))
            for image in images:
                out.mux(picture.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        out.mux(sound.encode(None))
        out.mux(picture.encode(None))


def _pictures(samples: Pcm, rate: int) -> Iterator[list[npt.NDArray[np.uint8]]]:
    """For each second of sound its images, shape (HEIGHT, WIDTH, 3): a bar as long as the sound is loud."""
    step = rate // FRAMES_PER_SECOND
    for begin in range(0, len(samples), rate):
        images = []
        for frame in range(begin, min(begin + rate, len(samples)), step):
            level = float(np.sqrt(np.mean(samples[frame : frame + step].astype(np.float64) ** 2))) / 8_192
            image = np.full((HEIGHT, WIDTH, 3), (24, 28, 36), np.uint8)
            image[80:100, 20 : 20 + round(min(level, 1.0) * (WIDTH - 40))] = (90, 170, 250)
            images.append(image)
        yield images


def main(arguments: list[str]) -> int:
    if len(arguments) != 1 or not arguments[0].endswith(".mp4"):
        sys.stderr.write("Usage: python -m xttsproject.demo.recording OUT.mp4\n")
        return 2
    target = Path(arguments[0])
    try:
        samples, rate, spoken = render()
    except KeyboardInterrupt:
        return 130
    except ModuleNotFoundError as error:
        sys.stderr.write(f"The package {error.name} is missing; install the extra “demo” of this project.\n")
        return 1
    write_movie(target, samples, rate)
    write_json(target.with_suffix(".json"), [vars(sentence) for sentence in spoken])
    summary = {"path": str(target), "seconds": round(len(samples) / rate, 2), "sentences": len(spoken)}
    sys.stdout.write(json.dumps(summary) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
