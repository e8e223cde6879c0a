"""Which of several renderings a spoken sentence is most like: mel cepstra, compared by dynamic time warping.

The voice's colour and loudness are taken out (each coefficient's mean over the clip), so that what is compared is what
was said. Dynamic time warping: Sakoe and Chiba, 1978, https://doi.org/10.1109/TASSP.1978.1163055.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch

from xttsproject.lib.audio import Samples
from xttsproject.xtts.mel import dvae_mel

Cepstra = npt.NDArray[np.float64]
"""``(frames, 15)``, 23 ms from frame to frame."""

_COEFFICIENTS = 15
_FLOOR_NATS = 11.0
"""48 dB below the loudest: what lies deeper is the room, not the voice."""
_SOUNDING = 0.15
_EVERY = 2


def cepstra(samples: Samples) -> Cepstra:
    """Mel cepstra of the sounding part of a clip at 22 050 Hz."""
    wave = torch.from_numpy(np.ascontiguousarray(samples))[None]
    mel = dvae_mel(wave, torch.ones(80))[0].numpy().T.astype(np.float64)[::_EVERY]
    level = mel.mean(axis=1)
    loud = np.flatnonzero(level > level.min() + _SOUNDING * (level.max() - level.min()))
    mel = mel[loud[0] : loud[-1] + 1] if len(loud) else mel
    coefficients = np.maximum(mel, mel.max() - _FLOOR_NATS) @ _cosines(mel.shape[1])
    centred: Cepstra = coefficients - coefficients.mean(axis=0)
    return centred


def distances(spoken: Cepstra, candidates: Sequence[Cepstra]) -> npt.NDArray[np.float64]:
    """Mean cost per step of the best alignment with each candidate ``(candidates,)``, all aligned at once."""
    lengths = np.array([len(candidate) for candidate in candidates])
    rows, columns, count = len(spoken), int(lengths.max()), len(candidates)
    stacked = np.zeros((count, columns, spoken.shape[1]))
    for number, candidate in enumerate(candidates):
        stacked[number, : len(candidate)] = candidate
    squared = (spoken**2).sum(1)[None, :, None] + (stacked**2).sum(2)[:, None, :]
    local = np.sqrt(np.maximum(squared - 2 * np.einsum("id,kjd->kij", spoken, stacked), 0.0))
    # One row and one column of infinity around the costs spare every question about the edges.
    cost = np.full((count, rows + 1, columns + 1), np.inf)
    steps = np.zeros((count, rows + 1, columns + 1))
    cost[:, 0, 0] = 0.0
    for total in range(rows + columns - 1):
        # The cells of an anti-diagonal depend on the two before it alone.
        i = np.arange(max(0, total - columns + 1), min(rows - 1, total) + 1)
        j = total - i
        before = np.stack([cost[:, i, j], cost[:, i, j + 1], cost[:, i + 1, j]])
        taken = before.argmin(axis=0)[None]
        walked = np.stack([steps[:, i, j], steps[:, i, j + 1], steps[:, i + 1, j]])
        cost[:, i + 1, j + 1] = local[:, i, j] + np.take_along_axis(before, taken, 0)[0]
        steps[:, i + 1, j + 1] = 1 + np.take_along_axis(walked, taken, 0)[0]
    every = np.arange(count)
    found: npt.NDArray[np.float64] = cost[every, rows, lengths] / steps[every, rows, lengths]
    return found


def is_most_like(spoken: Samples, own: Samples, others: Sequence[Cepstra]) -> bool:
    """Whether a clip is nearer to its own text's rendering than to any other's."""
    found = distances(cepstra(spoken), [cepstra(own), *others])
    return bool(found[0] < found[1:].min())


def _cosines(bands: int) -> npt.NDArray[np.float64]:
    """``(bands, 15)``: the orthonormal cosines (DCT-II) of the orders 1 to 15."""
    order = np.arange(1, _COEFFICIENTS + 1)[None, :]
    place = (np.arange(bands)[:, None] + 0.5) / bands
    basis: npt.NDArray[np.float64] = np.sqrt(2 / bands) * np.cos(np.pi * order * place)
    return basis


def sounding_seconds(samples: Samples, rate: int) -> float:
    """How long a clip sounds: from the first to the last hundredth of a second within 35 dB of the loudest one."""
    frame = rate // 100
    whole = samples[: len(samples) // frame * frame].reshape(-1, frame)
    if not len(whole):
        return 0.0
    level = np.sqrt(np.mean(whole.astype(np.float64) ** 2, axis=1))
    loud = np.flatnonzero(level > level.max() * 10 ** (-35 / 20))
    return float(loud[-1] + 1 - loud[0]) / 100 if len(loud) else 0.0
