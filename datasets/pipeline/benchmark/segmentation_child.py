"""One measurement of speech detection in a process of its own, so that its memory and its threads are its own.

``python -m datasets.pipeline.benchmark.segmentation_child WHAT SOURCE RESULT`` with WHAT one of ``ours`` (SOURCE: the
master WAV), ``cutting`` (the same, planned into segments too), ``jit`` and ``onnx`` (SOURCE: its 16 kHz samples as
.npy; silero's own function with its own model of that form). RESULT becomes a JSON object.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from datasets.pipeline.segment import find_segments
from datasets.pipeline.voice_activity import ActivitySettings, speech_stretches

THRESHOLD, PAUSE_MS, SHORTEST_MS = 0.5, 100, 250
"""What silero's function does by default; both sides are measured with it, without padding."""


def main(what: str, source: Path, result: Path) -> None:
    measured = {"ours": _ours, "cutting": _cutting, "jit": _silero, "onnx": _silero}[what](what, source)
    result.write_text(json.dumps(measured), encoding="utf-8")


def _ours(what: str, master: Path) -> dict[str, Any]:
    rules = ActivitySettings(THRESHOLD, THRESHOLD - 0.15, PAUSE_MS / 1000, SHORTEST_MS / 1000)
    begun = time.perf_counter()
    # All that a user waits for: loading the network, reading the file, resampling it.
    stretches = speech_stretches(master, rules)
    return {"seconds": time.perf_counter() - begun, "stretches": stretches}


def _cutting(what: str, master: Path) -> dict[str, Any]:
    before = _memory("VmRSS")
    begun = time.perf_counter()
    found = find_segments(master)
    seconds = time.perf_counter() - begun
    spans = [(span.start, span.end, list(span.flags)) for span in found.spans]
    return {"seconds": seconds, "growth_mb": (_memory("VmHWM") - before) / 1e6, "spans": spans}


def _silero(what: str, samples: Path) -> dict[str, Any]:
    import torch
    from silero_vad import get_speech_timestamps, load_silero_vad

    # As its own examples do; more threads only slow so small a network down.
    torch.set_num_threads(1)
    model = load_silero_vad(onnx=what == "onnx")
    audio = torch.from_numpy(np.load(samples))
    # The JIT compiles itself during its first calls, which is no part of its speed on long recordings.
    get_speech_timestamps(audio[:160_000], model)
    begun = time.perf_counter()
    found = get_speech_timestamps(
        audio,
        model,
        threshold=THRESHOLD,
        min_silence_duration_ms=PAUSE_MS,
        min_speech_duration_ms=SHORTEST_MS,
        speech_pad_ms=0,
    )
    seconds = time.perf_counter() - begun
    return {"seconds": seconds, "stretches": [(part["start"] / 16_000, part["end"] / 16_000) for part in found]}


def _memory(field: str) -> int:
    """Bytes of resident memory, now (VmRSS) or at most so far (VmHWM); without /proc the most so far for both."""
    status = Path("/proc/self/status")
    if status.is_file():
        for line in status.read_text(encoding="ascii").splitlines():
            if line.startswith(f"{field}:"):
                return int(line.split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
