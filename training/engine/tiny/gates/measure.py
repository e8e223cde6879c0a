"""All gates in one go, on two bundles."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from training.engine.tiny.gates.cloning import Figures
from training.engine.tiny.gates.material import FULL, QUICK, Material

if TYPE_CHECKING:
    from datasets.pipeline.transcribe import Transcriber

Part = Callable[[str], AbstractContextManager[None]]
"""Tells what is measured now, and how long it took."""

NOISE_DB = 15.0


@dataclass(frozen=True)
class Wish:
    """What is to be measured: two bundles, with sets rendered below ``work``. ``quick`` takes a small, fixed part of
    them; ``threads`` is for the CPU, None lets torch choose.
    """

    xtts: Path
    whisper: Path
    work: Path
    quick: bool = False
    finetune: bool = True
    threads: int | None = None


def measure(wish: Wish, log: Callable[[str], None]) -> Figures:
    """Every figure by name; those without a goal say more about those with one. What has no value (the error of word
    times where no word was recognised) is left out.
    """
    import torch

    if wish.threads:
        torch.set_num_threads(wish.threads)

    from datasets.pipeline.transcribe import Transcriber
    from training.engine.tiny.gates import loading
    from training.engine.tiny.listening import measure as listen

    material = Material(wish.work, QUICK if wish.quick else FULL, log)
    figures: Figures = {}

    @contextmanager
    def part(name: str) -> Iterator[None]:
        log(name)
        begun = time.monotonic()
        yield
        log(f"  {time.monotonic() - begun:.1f} s")

    with part("loading in a fresh process"):
        figures["load_s"] = loading.seconds_to_load(wish.xtts, wish.whisper)
    transcriber = Transcriber.load(wish.whisper, device="cpu", threads=wish.threads or 0)
    with part("listening, clean and with noise"):
        clips = [i for voice in material.held_voices() for i in material.others(voice, material.extent.listened)]
        clean = listen(transcriber, material.held, clips, noise_db=None)
        noisy = listen(transcriber, material.held, clips, noise_db=NOISE_DB)
        figures |= {
            "whisper_cer_clean": clean.cer,
            "whisper_cer_noise": noisy.cer,
            "word_time_error_ms": clean.word_time_error_ms,
        }
    figures |= _speaking(wish, material, transcriber, part, log)
    return {name: round(value, 5) for name, value in figures.items() if math.isfinite(value)}


def _speaking(
    wish: Wish, material: Material, transcriber: Transcriber, part: Part, log: Callable[[str], None]
) -> Figures:
    """What the model that speaks can do, judged by ear of the one that listens."""
    from training.engine.tiny.gates import cloning, finetuning
    from xttsproject.xtts.engine import XttsEngine

    figures: Figures = {}
    engine = XttsEngine.load(wish.xtts)
    with part("telling speakers apart"):
        figures |= cloning.identification(engine, material)
    with part("speaking in voices trained on"):
        figures |= cloning.seen_voices(engine, transcriber, material, log)
    with part("speaking in voices cloned"):
        figures |= cloning.cloned_voices(engine, transcriber, material, log)
    if wish.finetune:
        with part("fine-tuning on three minutes of a voice"):
            figures |= finetuning.measure(
                wish.xtts, transcriber, material.finetune, wish.work / "finetuning", log, threads=wish.threads
            )
    return figures
