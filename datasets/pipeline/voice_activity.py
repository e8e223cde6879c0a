"""Where somebody speaks: silero's network over a master WAV, in constant memory.

The network comes with the ``silero-vad`` package. Its sequence form takes many windows in one call and carries the
recurrent state from call to call, so a recording of any length runs block by block as it would in one piece.
Silero VAD: https://github.com/snakers4/silero-vad (MIT).
"""

from __future__ import annotations

import wave
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from xttsproject.lib.progress import Progress, Silent

Samples = npt.NDArray[np.float32]

RATE = 16_000
WINDOW = 512
"""Samples per probability: 32 ms."""
CONTEXT = 64
"""Samples of the window before that the network sees again."""
WINDOWS_PER_CALL = 1024
STATE = (1, 1, 128)
WINDOW_SECONDS = WINDOW / RATE
CLIP_LEAD = 1.0
"""Seconds of silence before what was cut out close to its first word; see :func:`speech_probabilities`."""


@dataclass(frozen=True)
class ActivitySettings:
    """Speech begins at a probability of ``threshold`` and ends where it falls below ``release``, once a window begins
    below it ``pause`` seconds later; stretches of speech of ``shortest`` seconds or less are taken for noise.

    The law is that of ``silero_vad.get_speech_timestamps`` (there: ``threshold``, ``neg_threshold``,
    ``min_silence_duration_ms``, ``min_speech_duration_ms``) without padding and greatest length.
    """

    threshold: float = 0.5
    release: float = 0.35
    pause: float = 0.09
    shortest: float = 0.2


def speech_stretches(
    master_wav: Path,
    settings: ActivitySettings | None = None,
    progress: Progress | None = None,
    *,
    lead: float = 0.0,
) -> list[tuple[float, float]]:
    """Stretches of speech as (start, end) in seconds, in order, not overlapping; edges lie on 32 ms steps.

    ``lead`` as :func:`speech_probabilities` takes it.
    """
    settings, progress = settings or ActivitySettings(), progress or Silent()
    return list(stretches_from(speech_probabilities(master_wav, progress, lead=lead), settings))


def stretches_from(probabilities: Iterable[float], settings: ActivitySettings) -> Iterator[tuple[float, float]]:
    """Turn one probability per window into stretches: two thresholds, so that a voice that wavers is not chopped."""
    start: int | None = None
    quiet_since: int | None = None
    index = -1
    for index, probability in enumerate(probabilities):
        if probability >= settings.threshold:
            quiet_since = None
            if start is None:
                start = index
        elif start is not None and probability < settings.release:
            if quiet_since is None:
                quiet_since = index
            if (index - quiet_since) * WINDOW >= settings.pause * RATE:
                yield from _if_long_enough(start, quiet_since, settings)
                start = quiet_since = None
    if start is not None:
        # It goes on to the end of the recording: the silence after it was not long enough to end it.
        yield from _if_long_enough(start, index + 1, settings)


def _if_long_enough(start: int, end: int, settings: ActivitySettings) -> Iterator[tuple[float, float]]:
    if (end - start) * WINDOW > settings.shortest * RATE:
        yield start * WINDOW_SECONDS, end * WINDOW_SECONDS


def speech_probabilities(master_wav: Path, progress: Progress, *, lead: float = 0.0) -> Iterator[float]:
    """One probability of speech per 32 ms window of a mono 16-bit WAV of any rate.

    ``lead``: seconds of silence that the network hears before the recording. A clip that begins in the middle of
    speech it takes for none for up to a third of a second otherwise.
    """
    session = _session()
    hidden, cell = np.zeros(STATE, np.float32), np.zeros(STATE, np.float32)
    if lead:
        silent = np.zeros((round(lead / WINDOW_SECONDS), CONTEXT + WINDOW), np.float32)
        hidden, cell = session.run(["hn", "cn"], {"input": silent, "h": hidden, "c": cell})
    context = np.zeros(CONTEXT, np.float32)
    for block, fraction in sound_blocks(master_wav):
        progress.check()
        windows = block.reshape(-1, WINDOW)
        inputs = np.empty((len(windows), CONTEXT + WINDOW), np.float32)
        inputs[:, CONTEXT:] = windows
        inputs[0, :CONTEXT] = context
        inputs[1:, :CONTEXT] = windows[:-1, -CONTEXT:]
        context = windows[-1, -CONTEXT:].copy()
        values, hidden, cell = session.run(["speech_probs", "hn", "cn"], {"input": inputs, "h": hidden, "c": cell})
        progress.report(fraction, "finding speech")
        yield from values.reshape(-1).tolist()


def sound_blocks(master_wav: Path) -> Iterator[tuple[Samples, float]]:
    """The recording at 16 kHz in whole windows, ``WINDOWS_PER_CALL`` at a time; the last one filled with zeros."""
    import soxr

    wanted = WINDOW * WINDOWS_PER_CALL
    with wave.open(str(master_wav), "rb") as wav:
        if wav.getnchannels() != 1 or wav.getsampwidth() != 2:
            raise ValueError(
                f"A mono 16-bit master is expected, got {wav.getnchannels()} × {8 * wav.getsampwidth()} bits."
            )
        resampler = soxr.ResampleStream(wav.getframerate(), RATE, 1, dtype="float32")
        total, read = wav.getnframes(), 0
        pending = np.zeros(0, np.float32)
        ended = False
        while not ended:
            raw = wav.readframes(wav.getframerate() * 8)
            samples = np.frombuffer(raw, "<i2").astype(np.float32) / np.float32(32768.0)
            read += len(samples)
            ended = not len(samples) or read >= total
            pending = np.concatenate([pending, resampler.resample_chunk(samples, last=ended)])
            while len(pending) >= wanted:
                yield pending[:wanted], min(read / max(total, 1), 1.0)
                pending = pending[wanted:]
        if len(pending):
            filled = np.zeros(-(-len(pending) // WINDOW) * WINDOW, np.float32)
            filled[: len(pending)] = pending
            yield filled, 1.0


def _session() -> Any:
    import onnxruntime  # type: ignore[import-untyped]

    # Located rather than imported: importing silero_vad loads torch, which this needs nothing of.
    spec = find_spec("silero_vad")
    if spec is None or spec.origin is None:
        raise RuntimeError("The package silero-vad is not installed.")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    # The arena keeps the largest block ever used, per thread, for good.
    options.enable_cpu_mem_arena = False
    options.log_severity_level = 3
    model = Path(spec.origin).parent / "data" / "silero_vad_16k_sequence.onnx"
    return onnxruntime.InferenceSession(str(model), sess_options=options, providers=["CPUExecutionProvider"])
