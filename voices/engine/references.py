"""Whether reference clips are fit to take a voice from. Needs numpy alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from xttsproject.lib.audio import Audio
from xttsproject.lib.errors import DomainError

MAX_CLIPS = 20
MIN_CLIP_SECONDS = 1.0
MIN_TOTAL_SECONDS = 3.0
# Thirty seconds condition the model; more is decoded and kept for nothing.
MAX_CLIP_SECONDS = 120.0
MAX_TOTAL_SECONDS = 300.0
MAX_FILE_BYTES = 200 * 1000**2
# Speech at a usable level lies 20 dB and more above this; rooms at night and digital silence lie below.
SILENCE_DBFS = -50.0
# A clip may pause, but somebody has to speak in it.
MIN_LOUD_SHARE = 0.15
FULL_SCALE = 0.999
# A peak that touches full scale now and then is how many recordings were mastered; a hundredth of all samples is
# audible distortion, which the voice would take on.
MAX_CLIPPED_SHARE = 0.01
NOTICED_CLIPPED_SHARE = 0.0005
_WINDOW_SECONDS = 0.05


@dataclass(frozen=True)
class ClipReport:
    """Measures of one clip. Shares lie within 0..1; ``warnings`` are sentences about what is usable but not good."""

    seconds: float
    level_dbfs: float
    peak_dbfs: float
    loud_share: float
    clipped_share: float
    warnings: tuple[str, ...]


def examine_clip(name: str, audio: Audio) -> ClipReport:
    """Measure one clip. DomainError ``clip_too_short``, ``clip_silent`` or ``clip_distorted`` when it is unfit."""
    seconds = audio.seconds
    if seconds < MIN_CLIP_SECONDS:
        raise DomainError(
            "clip_too_short",
            f"“{name}” lasts {seconds:.1f} s, but a reference clip needs at least {MIN_CLIP_SECONDS:g} s; "
            "choose a longer one.",
            field="clips",
        )
    magnitudes = np.abs(audio.samples)
    levels = _window_levels(audio)
    loud_share = float(np.mean(levels > SILENCE_DBFS))
    if loud_share < MIN_LOUD_SHARE:
        raise DomainError(
            "clip_silent",
            f"“{name}” is silent for {100 * (1 - loud_share):.0f} % of its {seconds:.1f} s; "
            "choose one in which somebody speaks.",
            field="clips",
        )
    clipped_share = float(np.mean(magnitudes >= FULL_SCALE))
    if clipped_share > MAX_CLIPPED_SHARE:
        raise DomainError(
            "clip_distorted",
            f"“{name}” was recorded too loud: {100 * clipped_share:.1f} % of its samples are cut off; "
            "choose a cleaner clip.",
            field="clips",
        )
    warnings = []
    if clipped_share > NOTICED_CLIPPED_SHARE:
        warnings.append(f"{100 * clipped_share:.2f} % of the samples are cut off; the voice may sound rough.")
    if loud_share < 0.5:
        warnings.append(f"Somebody speaks in {100 * loud_share:.0f} % of it only.")
    return ClipReport(
        seconds=seconds,
        level_dbfs=float(np.median(levels[levels > SILENCE_DBFS])),
        peak_dbfs=_dbfs(float(magnitudes.max())),
        loud_share=loud_share,
        clipped_share=clipped_share,
        warnings=tuple(warnings),
    )


def require_enough(seconds: float) -> None:
    """DomainError ``clips_too_short`` when all clips of a voice last too short a time together."""
    if seconds < MIN_TOTAL_SECONDS:
        raise DomainError(
            "clips_too_short",
            f"The reference clips last {seconds:.1f} s together, but a voice needs at least {MIN_TOTAL_SECONDS:g} s; "
            "add another.",
            field="clips",
        )


def require_not_too_much(seconds: float) -> None:
    """DomainError ``clips_too_long`` when the clips so far last longer than all of a voice's may."""
    if seconds > MAX_TOTAL_SECONDS:
        raise DomainError(
            "clips_too_long",
            f"The reference clips last longer than {MAX_TOTAL_SECONDS / 60:g} minutes together, which is the limit; "
            "half a minute of clean speech is best, so leave some out.",
            field="clips",
        )


def require_file_size(name: str, size: int) -> None:
    """Ask before decoding: DomainError ``too_large``. ``size`` in bytes."""
    if size > MAX_FILE_BYTES:
        raise DomainError(
            "too_large",
            f"“{name}” has {size / 1e6:.0f} MB, but {MAX_FILE_BYTES / 1e6:.0f} MB are the limit of a reference clip; "
            "cut out the part in which the person speaks.",
            field="clips",
        )


def require_count(count: int) -> None:
    """Ask before decoding anything: DomainError ``clips_missing`` or ``clips_too_many``."""
    if count == 0:
        raise DomainError("clips_missing", "A voice needs at least one reference clip; add one.", field="clips")
    if count > MAX_CLIPS:
        raise DomainError(
            "clips_too_many",
            f"{count} reference clips were given, but {MAX_CLIPS} are the limit; leave some out.",
            field="clips",
        )


def _window_levels(audio: Audio) -> np.ndarray:
    """RMS of 50 ms windows in dBFS, shape ``(windows,)``; a last part of a window is left out."""
    size = max(1, round(_WINDOW_SECONDS * audio.sample_rate))
    count = len(audio.samples) // size
    windows = audio.samples[: count * size].reshape(count, size).astype(np.float64)
    powers: np.ndarray = np.mean(windows**2, axis=1)
    levels: np.ndarray = 10.0 * np.log10(np.maximum(powers, 1e-12))
    return levels


def _dbfs(value: float) -> float:
    return 20.0 * float(np.log10(max(value, 1e-6)))
