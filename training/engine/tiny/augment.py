"""What happens to speech before a microphone's file reaches Whisper: noise, rooms, telephones, codecs, vocoders.

Noise is added to the samples. Everything else is done to the power spectrum that the features are made of, where a
filter is one multiplication, and a room's late echo or a vocoder's smeared envelope is one pass over it.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.fft import irfft, rfft
from scipy.ndimage import uniform_filter1d
from scipy.signal import lfilter

from xttsproject.lib.audio import Samples

SAMPLE_RATE = 16_000
WINDOW, HOP = 400, 160
_COLOURS = (0.0, 0.5, 1.0)
"""White, pink, brown: exponents of the amplitude's fall with frequency."""
_BANK_SECONDS = 40

Power = npt.NDArray[np.float32]
"""Shape (frames, WINDOW // 2 + 1)."""


class Noises:
    """A bank of noises of power 1; stretches of it are cheaper than new noise for every clip."""

    def __init__(self, seed: int = 0):
        chance = np.random.default_rng(seed)
        length = _BANK_SECONDS * SAMPLE_RATE
        self._bank: list[Samples] = []
        for exponent in _COLOURS:
            spectrum = rfft(chance.standard_normal(length, dtype=np.float32))
            # Below 50 Hz all colours are flat: brown noise would be nothing but rumble.
            spectrum /= np.maximum(np.fft.rfftfreq(length, 1 / SAMPLE_RATE), 50.0).astype(np.float32) ** exponent
            noise = irfft(spectrum, length).astype(np.float32)
            self._bank.append(noise / np.sqrt(np.mean(noise**2)))

    def draw(self, length: int, chance: np.random.Generator) -> Samples:
        noise = self._bank[int(chance.integers(len(self._bank)))]
        start = int(chance.integers(len(noise)))
        return np.resize(np.roll(noise, -start)[:length] if start + length > len(noise) else noise[start:], length)


def with_noise(samples: Samples, chance: np.random.Generator, noises: Noises, babble: Samples | None = None) -> Samples:
    """At a random level, with a quiet room's noise, and half of the time with noise or other voices 5 to 40 dB below.

    ``babble``: other speech at the same rate, mixed in lower than noise would be.
    """
    loudness = float(np.sqrt(np.mean(samples**2))) or 0.1
    mixed = samples + noises.draw(len(samples), chance) * np.float32(loudness * 10 ** -chance.uniform(2.0, 3.5))
    if chance.random() < 0.5:
        mixed += noises.draw(len(samples), chance) * np.float32(loudness * 10 ** (-chance.uniform(5, 40) / 20))
    if babble is not None:
        other = np.resize(babble, len(samples))
        mixed += (
            other
            * np.float32(loudness / (float(np.sqrt(np.mean(other**2))) + 1e-6))
            * np.float32(10 ** (-chance.uniform(15, 35) / 20))
        )
    return np.asarray(mixed * np.float32(10 ** chance.uniform(-1.3, 0.2)), dtype=np.float32)


def power_spectrum(samples: Samples) -> Power:
    """As Whisper's features begin: centred windows with reflected ends, the last frame dropped."""
    padded = np.pad(samples, (0, HOP))
    padded = np.pad(padded, WINDOW // 2, mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP][:-1]
    spectrum = rfft(frames * _HANN, axis=-1)
    return np.asarray(spectrum.real**2 + spectrum.imag**2, dtype=np.float32)


_HANN = np.hanning(WINDOW + 1)[:-1].astype(np.float32)
_HERTZ = np.linspace(0, SAMPLE_RATE / 2, WINDOW // 2 + 1, dtype=np.float32)


def degraded(power: Power, chance: np.random.Generator) -> Power:
    """Each of the losses below now and then; about half of all clips keep their spectrum."""
    if chance.random() < 0.45:
        return power
    for change, share in ((_smeared, 0.25), (_echoing, 0.25), (_coloured, 0.4), (_narrowed, 0.4)):
        if chance.random() < share:
            power = change(power, chance)
    return power


def _narrowed(power: Power, chance: np.random.Generator) -> Power:
    """A codec's or a cheap microphone's low-pass, or a telephone's band."""
    low, high = (300.0, 3400.0) if chance.random() < 0.3 else (0.0, chance.uniform(3000, 7500))
    outside = np.maximum(low - _HERTZ, 0) / 100 + np.maximum(_HERTZ - high, 0) / 150
    # 10 dB for every 100 Hz below and every 150 Hz above, down to what is numerically nothing.
    return np.asarray(power * 10 ** -np.minimum(outside, 7.0), dtype=np.float32)


def _coloured(power: Power, chance: np.random.Generator) -> Power:
    """A slope over the octaves and one broad bump or dip."""
    octaves = np.log2(np.maximum(_HERTZ, 60.0) / 1000)
    bump = np.exp(-0.5 * ((octaves - chance.uniform(-2, 2.5)) / chance.uniform(0.3, 1.0)) ** 2)
    decibels = octaves * chance.uniform(-3, 3) + bump * chance.uniform(-8, 8)
    return np.asarray(power * 10 ** (decibels / 10), dtype=np.float32)


def _echoing(power: Power, chance: np.random.Generator) -> Power:
    """A room: energy that dies away by 60 dB within 0.15 to 0.5 seconds, 8 to 20 dB below the voice."""
    decay = 10 ** (-6 * HOP / SAMPLE_RATE / chance.uniform(0.15, 0.5))
    tail = lfilter([0.0, 1.0 - decay], [1.0, -decay], power, axis=0)
    return np.asarray(power + tail * 10 ** chance.uniform(-0.8, 0.4), dtype=np.float32)


def _smeared(power: Power, chance: np.random.Generator) -> Power:
    """What a small vocoder makes of speech: harmonics blurred over bands and frames, with a grain of its own."""
    power = uniform_filter1d(power, 2 * int(chance.integers(1, 5)) + 1, axis=1)
    if chance.random() < 0.5:
        power = uniform_filter1d(power, 3, axis=0)
    grain = chance.standard_gamma(chance.uniform(1.5, 6.0), power.shape, dtype=np.float32)
    return np.asarray(power * (grain / grain.mean()), dtype=np.float32)
