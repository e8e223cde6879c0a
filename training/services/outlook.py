"""What a run will ask of time and memory: reckoned where that can be, else as earlier runs alike went."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.conf import settings

from training.engine.sizes import least_memory_bytes
from training.engine.spec import FULL, LORA, TrainSpec
from training.models import TrainingRun
from xttsproject.lib.disk import size_words
from xttsproject.lib.errors import DomainError
from xttsproject.lib.memory import free_bytes, total_bytes
from xttsproject.xtts.config import GptShape

LOOKED_BACK = 50
"""Runs among which one alike is looked for."""


@dataclass(frozen=True)
class Outlook:
    """``seconds`` with validation and samples, ``memory_seen`` and its device are of the last run alike, None without.

    ``memory_least`` is what weights, gradients and optimizer take for certain. ``memory_total`` is what there is:
    of the processor's machine, of the device that the last run alike took, else (``memory_device`` "") of this
    machine, whose GPU the portal itself does not ask. None where a GPU is set and nobody has looked yet.
    """

    seconds: float | None
    memory_least: int
    memory_seen: int | None
    memory_total: int | None
    memory_free: int | None
    memory_device: str


def run_outlook(*, spec: TrainSpec, shape: GptShape, bundle: str, clips: int) -> Outlook:
    """``clips`` are those to train on. DomainError ``memory_short`` where even the least is more than there is."""
    like = _run_like(spec, bundle)
    usage: dict[str, Any] = (like.facts.get("usage") or {}) if like else {}
    # On a processor the processes of several devices share one memory.
    least = least_memory_bytes(shape, spec) * (spec.devices if settings.DEVICE == "cpu" else 1)
    total, free, device = usage.get("total"), None, str(usage.get("device") or "")
    if settings.DEVICE == "cpu" or (settings.DEVICE == "auto" and device == "cpu"):
        # As the run will count it, the container's limit included.
        total, free, device = total_bytes(), free_bytes(), "cpu"
    if total is not None and least > total:
        full = spec.method == FULL
        kind = "Full fine-tuning" if full else f"LoRA of rank {spec.lora.rank}"
        instead = "take LoRA" if full else "take a smaller model"
        raise DomainError(
            "memory_short",
            f"{kind} of the model “{bundle}” needs at least {size_words(least)} of memory, and there are "
            f"{size_words(total)}; {instead}, or another machine.",
            field="method",
        )
    if total is None and settings.DEVICE == "auto":
        # Told, but no ground to refuse: the worker may have a GPU, or another machine.
        total, free = total_bytes(), free_bytes()
    return Outlook(_seconds(like, clips * spec.epochs), least, usage.get("peak"), total, free, device)


def device_seen() -> str:
    """What the latest run that told so took: "cpu", or a CUDA device's name; empty before there was one."""
    for facts in TrainingRun.objects.order_by("-created_at").values_list("facts", flat=True)[:LOOKED_BACK]:
        if device := str((facts.get("usage") or {}).get("device") or ""):
            return device
    return ""


def _run_like(spec: TrainSpec, bundle: str) -> TrainingRun | None:
    """The latest run alike (model, method, precision, devices) whose speed is known. Whose it was does not show."""
    known = TrainingRun.objects.filter(bundle=bundle, seconds_per_step__isnull=False).order_by("-created_at")
    for run in known[:LOOKED_BACK]:
        kind = (run.spec.get("method", LORA), run.spec.get("precision"), run.spec.get("devices", 1))
        if kind == (spec.method, spec.precision, spec.devices):
            return run
    return None


def _seconds(like: TrainingRun | None, clips: int) -> float | None:
    """How long so many clips take at the pace of that run; a step of it may have held more or fewer."""
    if like is None or like.seconds_per_step is None or not like.steps_total:
        return None
    clips_per_step = int(like.facts.get("clips_train") or 0) * like.epochs_total / like.steps_total
    return clips * like.seconds_per_step / clips_per_step if clips_per_step else None
