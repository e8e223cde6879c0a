"""What a checkpoint and its samples cost beside an epoch: measured on a run as the portal starts it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from training.engine import events as ev
from training.engine.benchmark.material import Size, configuration
from training.engine.launch import EVENTS, start
from training.engine.sizes import adapter_bytes
from training.engine.spec import LoraSpec, Prompt, TrainSpec
from training.prompts import FIXED_PROMPTS
from xttsproject.lib.errors import DomainError
from xttsproject.xtts.config import GptShape, parse_config

EPOCH_SECONDS = 300.0
"""The epoch that the cost is held against."""

RELEASED = Size(1024, 30)


def measure_epoch_end(bundle: Path, manifest: Path, folder: Path, device: str, batch: int, threads: int) -> float:
    """Seconds from an epoch's last step to the end of its last sample: writing the checkpoint and the state to go on
    from, loading the model with the adapter, and speaking the four fixed prompts. DomainError ``benchmark_failed``.
    """
    spec = TrainSpec(
        folder,
        bundle,
        manifest,
        "en",
        epochs=1,
        batch_size=batch,
        device=device,
        threads=threads,
        sample_prompts=tuple(Prompt(text, "en") for text in FIXED_PROMPTS["en"]),
        reference_clips=(manifest.parent / "clips" / "0000.wav", manifest.parent / "clips" / "0001.wav"),
    )
    ended = start(spec, environment={"OMP_NUM_THREADS": str(threads)}).wait()
    found = list(ev.read_events(folder / EVENTS))
    failed = [event.data["message"] for event in found if event.kind == ev.FAILED]
    if ended or failed:
        raise DomainError("benchmark_failed", f"The run ended early: {failed[0] if failed else f'exit code {ended}'}")
    last = max(event.time for event in found if event.kind == ev.STEP)
    return max(event.time for event in found if event.kind == ev.SAMPLE) - last


def adapter_mb(lora: LoraSpec | None = None) -> float:
    """Megabytes of a checkpoint of the released model with an adapter as it is by default."""
    return adapter_bytes(released_shape(), lora or LoraSpec()) / 1e6


def released_shape() -> GptShape:
    vocabulary = {"[STOP]": 0, "[UNK]": 1, "[SPACE]": 2, "[START]": 261, "": 6680}
    raw: dict[str, Any] = configuration(RELEASED)
    return parse_config(raw, vocabulary).gpt
