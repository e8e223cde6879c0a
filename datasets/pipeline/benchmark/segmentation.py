"""How fast, how alike and how small speech detection is, beside silero's own function on the same recording."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from datasets.pipeline.benchmark.long_recording import clips_in, synthetic_clips, write_long_recording
from datasets.pipeline.media import decode_to_master
from datasets.pipeline.voice_activity import RATE, WINDOW_SECONDS, sound_blocks
from xttsproject.lib.errors import DomainError

Stretch = tuple[float, float]

_ROUNDING = 1e-6


def measure_segmentation(audio: Path | None, seconds: float, log: Callable[[str], None]) -> dict[str, Any]:
    """Measure on ``audio``: a folder of clips to be joined, or one recording, repeated where it is shorter than
    ``seconds`` and taken as it is where it is not; None for synthetic speech.

    - ``speedup``: seconds of ``silero_vad.get_speech_timestamps`` (its default model, loaded and warm) over seconds of
      ours, which include loading, reading and resampling; ``speedup_onnx``: the same against silero's ONNX model.
    - ``boundaries_within_32ms``: share of silero's stretches whose both ends ours has within one window; a stretch that
      only ours has counts as one missed.
    - ``peak_growth_mb``: highest resident memory during the whole cutting, less that before it, in a fresh process.
    - ``under_4_s``, ``from_4_to_8_s``, ``over_8_s``: shares of the segments that the cutting made, by length.

    DomainErrors: ``media_missing``, ``espeak_missing`` and those of decoding.
    """
    with tempfile.TemporaryDirectory(prefix="segmentation-") as name:
        folder = Path(name)
        master, samples = folder / "master.wav", folder / "samples.npy"
        heard = _make_master(audio, seconds, folder, master)
        # Both sides hear the same samples, so that what differs is the detection.
        blocks = [block for block, _fraction in sound_blocks(master)]
        total = sum(map(len, blocks)) / RATE
        np.save(samples, np.concatenate(blocks))
        del blocks
        log(f"{total / 60:.1f} min of sound: {heard}")
        ours = _run("ours", master, folder)
        log(f"ours: {ours['seconds']:.2f} s, {len(ours['stretches'])} stretches of speech")
        cutting = _run("cutting", master, folder)
        log(
            f"cut into {len(cutting['spans'])} segments: {cutting['seconds']:.2f} s, {cutting['growth_mb']:.0f} MB more"
        )
        silero = _run("jit", samples, folder)
        log(f"silero: {silero['seconds']:.2f} s, {len(silero['stretches'])} stretches of speech")
        onnx = _run("onnx", samples, folder)
        log(f"silero with its ONNX model: {onnx['seconds']:.2f} s")
    lengths = np.array([end - start for start, end, _flags in cutting["spans"]])
    return {
        "speedup": round(silero["seconds"] / ours["seconds"], 2),
        "boundaries_within_32ms": round(alike(silero["stretches"], ours["stretches"]), 5),
        "peak_growth_mb": round(cutting["growth_mb"], 1),
        "speedup_onnx": round(onnx["seconds"] / ours["seconds"], 2),
        "seconds": {
            "sound": round(total, 1),
            "ours": round(ours["seconds"], 2),
            "cutting": round(cutting["seconds"], 2),
            "silero": round(silero["seconds"], 2),
            "silero_onnx": round(onnx["seconds"], 2),
        },
        "stretches": len(silero["stretches"]),
        "segments": len(lengths),
        "under_4_s": round(float(np.mean(lengths < 4)), 3),
        "from_4_to_8_s": round(float(np.mean((lengths >= 4) & (lengths <= 8))), 3),
        "over_8_s": round(float(np.mean(lengths > 8)), 3),
        "audio": heard,
    }


def alike(reference: Sequence[Stretch], found: Sequence[Stretch], tolerance: float = WINDOW_SECONDS) -> float:
    """Share of stretches that both have, ends within ``tolerance`` seconds, of those that either has; 1 for none."""
    if not reference and not found:
        return 1.0
    starts = np.array([start for start, _end in found] or [np.inf])
    same = 0
    for start, end in reference:
        nearest = int(np.argmin(np.abs(starts - start)))
        if nearest < len(found):
            off = max(abs(found[nearest][0] - start), abs(found[nearest][1] - end))
            same += off <= tolerance + _ROUNDING
    return same / max(len(reference), len(found))


def _make_master(audio: Path | None, seconds: float, folder: Path, master: Path) -> str:
    if audio is not None and audio.is_file():
        facts = decode_to_master(audio, master, max_seconds=24 * 3600)
        if facts.seconds >= seconds:
            return audio.name
    clips = synthetic_clips(folder) if audio is None else clips_in(audio)
    write_long_recording(clips, seconds, master)
    what = "synthetic speech of the demo" if audio is None else f"{len(clips)} recording(s) of {audio.name}"
    return f"{what}, repeated at changing levels with pauses and room noise"


def _run(what: str, source: Path, folder: Path) -> Any:
    result = folder / f"{what}.json"
    command = [sys.executable, "-m", "datasets.pipeline.benchmark.segmentation_child", what, str(source), str(result)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    if ran.returncode:
        last = ran.stderr.strip().splitlines()[-1:] or ["no message"]
        raise DomainError("benchmark_failed", f"The measurement “{what}” ended early: {last[0]}")
    return json.loads(result.read_text(encoding="utf-8"))
