"""The defects, each planted in a clean clip with a strength drawn for that clip."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import numpy as np

from training.engine.planted.material import RATE, Clip, Material, coloured_noise
from xttsproject.lib.audio import Audio, Samples

SNR_DB = (0.0, 15.0)
BACKGROUND_DB = (12.0, 20.0)
CUT_OFF_SHARE = (0.002, 0.03)
"""Of the samples that lie beyond where the clip is cut off."""
_MU = 255.0
_CODECS = ("libmp3lame", "libopus")


def noise(clip: Clip, random: np.random.Generator) -> Clip:
    """Noise of any colour at a signal-to-noise ratio of 0 to 15 dB."""
    ratio = random.uniform(*SNR_DB)
    hiss = coloured_noise(len(clip.audio.samples), random) * _speech_level(clip) * 10 ** (-ratio / 20)
    return _with(clip, clip.audio.samples + hiss)


def clipping(clip: Clip, random: np.random.Generator) -> Clip:
    """Cut off at a level that 0.2 to 3 % of the samples exceed; half of them then turned down."""
    samples = clip.audio.samples
    level = float(np.quantile(np.abs(samples), 1 - random.uniform(*CUT_OFF_SHARE)))
    flat = np.clip(samples, -level, level) / max(level, 1e-6)
    return _with(clip, flat if random.random() < 0.5 else flat * random.uniform(0.2, 0.9), limit=False)


def cut_edge(clip: Clip, random: np.random.Generator) -> Clip | None:
    """Begins or ends within a word: after 30 to 70 % of the first one, or of the last. None without word times."""
    long = [(start, end) for _word, start, end in clip.words if end - start >= 0.15]
    if not long:
        return None
    at_start = random.random() < 0.5
    start, end = long[0] if at_start else long[-1]
    cut = start + random.uniform(0.3, 0.7) * (end - start)
    return replace(clip, audio=clip.audio.cut(cut, clip.audio.seconds) if at_start else clip.audio.cut(0.0, cut))


def telephone(clip: Clip, random: np.random.Generator) -> Clip:
    """300 to 3 400 Hz in 8 kHz µ-law, as G.711 sends it, and back at the master's rate."""
    narrow = clip.audio.at_rate(8_000).samples.astype(np.float64)
    spectrum = np.fft.rfft(narrow)
    hertz = np.fft.rfftfreq(len(narrow), 1 / 8_000)
    spectrum[(hertz < 300) | (hertz > 3_400)] = 0
    narrow = np.clip(np.fft.irfft(spectrum, len(narrow)), -1, 1)
    pressed = np.sign(narrow) * np.log1p(_MU * np.abs(narrow)) / np.log1p(_MU)
    stepped = np.round(pressed * 127) / 127
    heard = np.sign(stepped) * np.expm1(np.abs(stepped) * np.log1p(_MU)) / _MU
    samples = Audio(heard.astype(np.float32), 8_000).at_rate(RATE).samples
    return _with(clip, samples * random.uniform(0.6, 1.0))


def music(clip: Clip, random: np.random.Generator) -> Clip:
    """Chords that change twice a second, 12 to 20 dB under the speech."""
    time = np.arange(len(clip.audio.samples)) / RATE
    sound = np.zeros(len(time))
    for begin in np.arange(0, time[-1], 0.5):
        span = (time >= begin) & (time < begin + 0.5)
        root = 110 * 2 ** (random.integers(0, 24) / 12)
        for step in (0, 4, 7):
            for overtone in (1, 2, 3):
                sound[span] += np.sin(2 * np.pi * root * 2 ** (step / 12) * overtone * time[span]) / overtone
    return _under(clip, sound, random)


def babble(clip: Clip, random: np.random.Generator, material: Material) -> Clip:
    """Four other people at once, 12 to 20 dB under the speech."""
    sound = np.zeros(len(clip.audio.samples))
    for index in random.choice(len(material.guests), 4, replace=False):
        voice = material.guests[int(index)].samples
        shift = int(random.integers(0, len(voice)))
        sound += np.resize(np.roll(voice, shift), len(sound))
    return _under(clip, sound, random)


def spliced_speaker(clip: Clip, random: np.random.Generator, material: Material) -> Clip:
    """Somebody else in the place of the last 40 to 60 % of the clip, at the same level."""
    keep = round(random.uniform(0.4, 0.6) * len(clip.audio.samples))
    return _with(
        clip,
        np.concatenate([clip.audio.samples[:keep], _guest(clip, len(clip.audio.samples) - keep, random, material)]),
    )


def other_speaker(clip: Clip, random: np.random.Generator, material: Material) -> Clip:
    """Somebody else says all of it."""
    return _with(clip, _guest(clip, len(clip.audio.samples), random, material))


def duplicate(clip: Clip, random: np.random.Generator) -> Clip:
    """The same sound once more: cut up to 0.15 s otherwise, at another level, MP3 or Opus coded."""
    begin, end = random.uniform(0.0, 0.15, 2)
    audio = clip.audio.cut(begin, clip.audio.seconds - end)
    coded = _coded(audio, _CODECS[int(random.integers(len(_CODECS)))])
    return replace(clip, audio=Audio((coded.samples * random.uniform(0.4, 1.0)).astype(np.float32), RATE))


def looping_text(clip: Clip, random: np.random.Generator) -> str:
    """Whisper's loop: a phrase of the text goes on repeating, 3 to 12 times."""
    words = clip.text.split()
    length = int(random.integers(1, min(6, len(words)) + 1))
    begin = int(random.integers(0, len(words) - length + 1))
    phrase = words[begin : begin + length]
    return " ".join([*words[: begin + length], *(phrase * int(random.integers(3, 13)))])


def _guest(clip: Clip, length: int, random: np.random.Generator, material: Material) -> Samples:
    voice = material.guests[int(random.integers(len(material.guests)))].samples
    sound = np.resize(voice, length).astype(np.float32)
    loud = sound[np.abs(sound) > 0.02]
    return sound * (_speech_level(clip) / max(float(np.sqrt(np.mean(loud**2))), 1e-6) if len(loud) else 1.0)


def _under(clip: Clip, sound: np.ndarray, random: np.random.Generator) -> Clip:
    level = _speech_level(clip) * 10 ** (-random.uniform(*BACKGROUND_DB) / 20)
    return _with(clip, clip.audio.samples + sound / max(float(np.sqrt(np.mean(sound**2))), 1e-9) * level)


def _speech_level(clip: Clip) -> float:
    """Root of the mean power of the loud half of a clip's 25 ms frames."""
    size = round(0.025 * RATE)
    samples = clip.audio.samples[: len(clip.audio.samples) // size * size].reshape(-1, size)
    powers = np.mean(samples.astype(np.float64) ** 2, axis=1)
    return float(np.sqrt(np.mean(powers[powers >= np.median(powers)])))


def _with(clip: Clip, samples: np.ndarray, *, limit: bool = True) -> Clip:
    """The clip with another sound; brought below full scale where the defect is not that it exceeds it."""
    peak = float(np.abs(samples).max())
    scale = 0.98 / peak if limit and peak > 0.98 else 1.0
    return replace(clip, audio=Audio((samples * scale).astype(np.float32), RATE))


def _coded(audio: Audio, codec: str) -> Audio:
    """Through a lossy codec at 48 kbit/s and back."""
    import av

    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp3" if codec == "libmp3lame" else "ogg") as out:
        stream: Any = out.add_stream(codec, rate=RATE, layout="mono")
        stream.bit_rate = 48_000
        frame = av.AudioFrame.from_ndarray(audio.samples[None, :], format="fltp", layout="mono")
        frame.sample_rate = RATE
        resampler = av.AudioResampler(format=stream.format, layout="mono", rate=stream.rate)
        for part in resampler.resample(frame):
            part.pts = None
            out.mux(stream.encode(part))
        out.mux(stream.encode(None))
    buffer.seek(0)
    with av.open(buffer, "r") as source:
        resampler = av.AudioResampler(format="fltp", layout="mono", rate=RATE)
        parts = [part.to_ndarray()[0] for frame in source.decode(audio=0) for part in resampler.resample(frame)]
    return Audio(np.concatenate(parts).astype(np.float32), RATE)
