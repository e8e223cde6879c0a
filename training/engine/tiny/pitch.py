"""The pitch of speech, one value for each mel frame, by normalised autocorrelation.

A frame is compared with itself, later by each possible period; the shortest period that fits about as well as the best
one is taken. What fits twice as late (an octave below) is kept out by a second pass: once a voice's median is known,
only periods near it are looked for.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional as fn

RATE = 22_050
HOP = 256
"""Samples from frame to frame: that of the mels, and frames are centred as theirs are."""

LOW, HIGH = 60.0, 400.0
"""Hertz; where the median of a voice is looked for when nothing is known about it."""

# Periods are found at half the rate: the harmonics that show them lie below 4 kHz, and it costs a third.
_DECIMATION = 2
_WINDOW = 640
"""Samples at half the rate, 58 ms: three periods of the lowest voices."""
_BLOCK = 2_048
_AS_GOOD = 0.08
_SURE, _VOICED = 0.8, 0.62
_LOUD, _AUDIBLE = 0.25, 0.03
"""Shares of the loudest frame's level."""
_FEWEST = 8
_AROUND = (0.62, 1.6)
"""How far from its median a voice is followed: more than half an octave either way, less than an octave."""

Track = tuple[Tensor, Tensor, Tensor]


def track(wave: Tensor, low: float, high: float) -> Track:
    """The pitch between ``low`` and ``high`` Hz of ``wave`` ``(samples,)`` at 22 050 Hz.

    Returns F0 in hertz, its strength (1 where a period repeats exactly) and the level (root mean square), each
    ``(samples // 256,)``. F0 is given for every frame, sound or noise: the strength tells what it is worth.
    """
    if not 40.0 <= low < high <= 1_000.0:
        raise ValueError(f"The range of pitch is {low:g} to {high:g} Hz, but must lie within 40 to 1000 Hz.")
    frames = wave.numel() // HOP
    if frames == 0:
        return wave.new_zeros(0), wave.new_zeros(0), wave.new_zeros(0)
    half = _decimated(wave.float())
    padded = fn.pad(half, (_WINDOW // 2, _WINDOW))
    windows = padded.unfold(0, _WINDOW, HOP // _DECIMATION)[:frames]
    blocks = [_analyse(windows[begin : begin + _BLOCK], low, high) for begin in range(0, frames, _BLOCK)]
    f0, strength, level = (torch.cat(parts) for parts in zip(*blocks, strict=True))
    return f0, strength, level


def contour(wave: Tensor, median: float) -> Tensor:
    """F0 in hertz, 0 where unvoiced, of a voice whose median pitch is known: ``(samples // 256,)``."""
    f0, strength, level = track(wave, max(45.0, median * _AROUND[0]), min(1_000.0, median * _AROUND[1]))
    if not f0.numel():
        return f0
    voiced = (strength > _VOICED) & (level > _AUDIBLE * level.max())
    return torch.where(voiced, f0, torch.zeros_like(f0))


def median_pitch(wave: Tensor) -> float | None:
    """The median F0 in hertz of one clip ``(samples,)``, knowing nothing of its voice; None where nothing is voiced."""
    return voice_pitch([wave])


def voice_pitch(waves: Iterable[Tensor]) -> float | None:
    """The median F0 in hertz over clips of one voice; None where they hold too little voiced sound."""
    clips = list(waves)
    first = _sure(track(wave, LOW, HIGH) for wave in clips)
    if first is None:
        return None
    # The first pass takes some frames for an octave above or below: near its median there are none of those.
    low, high = max(45.0, first * _AROUND[0]), min(1_000.0, first * _AROUND[1])
    return _sure(track(wave, low, high) for wave in clips) or first


def _sure(tracks: Iterable[Track]) -> float | None:
    chosen = []
    for f0, strength, level in tracks:
        if f0.numel():
            chosen.append(f0[(strength > _SURE) & (level > _LOUD * level.max())])
    values = torch.cat(chosen) if chosen else torch.zeros(0)
    return float(values.median()) if values.numel() >= _FEWEST else None


def _decimated(wave: Tensor) -> Tensor:
    kernel = _low_pass().to(wave)
    reach = kernel.numel() // 2
    # For one channel a product of windows is many times faster than a convolution.
    return fn.pad(wave, (reach, reach)).unfold(0, kernel.numel(), _DECIMATION) @ kernel


@lru_cache(maxsize=1)
def _low_pass() -> Tensor:
    taps = torch.arange(-15, 16, dtype=torch.float64)
    kernel = torch.sinc(taps * 0.4) * torch.hann_window(33, periodic=False, dtype=torch.float64)[1:-1]
    return (kernel / kernel.sum()).float()


def _analyse(windows: Tensor, low: float, high: float) -> Track:
    """One block: windows ``(frames, _WINDOW)``."""
    rate = RATE / _DECIMATION
    shortest, longest = max(3, math.floor(rate / high) - 1), math.ceil(rate / low) + 1
    sound = windows - windows.mean(1, keepdim=True)
    energy = torch.cumsum(sound.square(), 1)
    level = (energy[:, -1] / _WINDOW).sqrt()
    # Long enough that the end does not wrap around onto the beginning for any lag in question.
    size = 1 << (_WINDOW + longest).bit_length()
    spectrum = torch.fft.rfft(sound, size)
    alike = torch.fft.irfft(spectrum.real.square() + spectrum.imag.square(), size)[:, shortest : longest + 1]
    lags = torch.arange(shortest, longest + 1, device=sound.device)
    before = energy[:, _WINDOW - 1 - longest : _WINDOW - shortest].flip(1)
    after = energy[:, -1:] - energy[:, shortest - 1 : longest]
    alike = alike * (before * after).clamp(min=1e-16).rsqrt()

    middle = alike[:, 1:-1]
    peak = (middle >= alike[:, :-2]) & (middle >= alike[:, 2:])
    best = torch.where(peak, middle, torch.full_like(middle, -1.0)).amax(1, keepdim=True)
    at = (peak & (middle > best - _AS_GOOD)).to(torch.uint8).argmax(1, keepdim=True)
    left, centre, right = alike.gather(1, at), middle.gather(1, at), alike.gather(1, at + 2)
    # The top of the parabola through three points.
    shift = (left - right) / (2 * (left - 2 * centre + right)).clamp(max=-1e-6)
    period = lags[1:-1][at] + shift.clamp(-0.5, 0.5)
    strength = torch.where(peak.any(1, keepdim=True), centre, torch.zeros_like(centre))
    return rate / period[:, 0], strength[:, 0], level
