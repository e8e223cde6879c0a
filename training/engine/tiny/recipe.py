"""The workshop in which stages run, and the loop that every one of them trains in: resumable, seeded, reported."""

from __future__ import annotations

import contextlib
import json
import math
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.utils.data import DataLoader, Dataset

from training.engine.tiny.corpus import Corpus
from xttsproject.lib.errors import DomainError
from xttsproject.lib.files import atomic_path, sha256_of, write_json

REPORT = "report.json"
NEEDS: Mapping[str, tuple[str, ...]] = {
    "features": ("speech",),
    "dvae": ("features",),
    "speaker": ("speech",),
    "whisper": ("speech",),
    "style": ("features", "speaker"),
    "gpt": ("dvae", "style"),
    "decoder_mel": ("features",),
    "decoder": ("gpt", "decoder_mel", "speaker"),
    "ship": ("dvae", "speaker", "whisper", "gpt", "decoder"),
    "gates": ("ship",),
}
"""What each stage is made of: it is done anew once one of these was."""
MADE_OF = "made_of"
_STATE = "state.pt"
_SPEAK_SECONDS = 20.0
_WIDER = 3
_DRAWN_AHEAD = 4

Drawn = TypeVar("Drawn")


@dataclass(frozen=True)
class Workshop:
    """Where the stages keep what they make, and what they may use. ``scale`` multiplies every stage's steps."""

    work: Path
    threads: int = 2
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    scale: float = 1.0

    def folder(self, stage: str) -> Path:
        path = self.work / stage
        path.mkdir(parents=True, exist_ok=True)
        return path

    def corpus(self, name: str) -> Corpus:
        return Corpus.open(self.work / "speech" / name)

    def steps(self, count: int) -> int:
        return max(1, round(count * self.scale))

    def finished(self, stage: str) -> bool:
        """Whether the stage is done, and what it is made of has stayed the same since."""
        path = self.work / stage / REPORT
        return path.is_file() and json.loads(path.read_text(encoding="utf-8")).get(MADE_OF) == self.made_of(stage)

    def finish(self, stage: str, figures: Mapping[str, Any]) -> None:
        """Write the stage's report, which marks it as done. What it would resume from stays: without its report, and
        with a larger ``scale``, it is trained for longer and not anew."""
        write_json(self.folder(stage) / REPORT, {**figures, MADE_OF: self.made_of(stage)})

    def made_of(self, stage: str) -> dict[str, str]:
        """The hashes of the reports of the stages that this one needs."""
        reports = {need: self.work / need / REPORT for need in NEEDS.get(stage, ())}
        return {need: sha256_of(path) if path.is_file() else "" for need, path in reports.items()}

    def rows(self, count: int) -> int:
        """How many rows a batch has: a GPU takes ``_WIDER`` times as many as a processor in the same time."""
        return count * (_WIDER if self.device.type == "cuda" else 1)

    @property
    def drawers(self) -> int:
        """Processes that draw batches ahead: a GPU must not wait for one core."""
        return max(1, self.threads - 1) if self.device.type == "cuda" else 0

    def mel_stats(self) -> Tensor:
        """Scale of each mel band, ``(80,)``, as the tiny bundle has it."""
        from training.engine.tiny.sizes import mel_stats

        return mel_stats().to(self.device)

    def autocast(self) -> contextlib.AbstractContextManager[Any]:
        """bfloat16: at least twice as fast as float32 on GPUs and on processors that compute in it (AVX-512, AMX)."""
        return torch.autocast(self.device.type, dtype=torch.bfloat16)

    def log(self, text: str) -> None:
        sys.stdout.write(f"{time.strftime('%H:%M:%S')} {text}\n")
        sys.stdout.flush()


class Steps:
    """``for step in Steps(…)``: goes on where a killed run stopped, seeds every step, reports, and saves its parts.

    Every step's random numbers depend on the stage and the step alone, so a resumed run repeats what an uninterrupted
    one would have done.
    """

    def __init__(
        self,
        workshop: Workshop,
        stage: str,
        total: int,
        parts: Mapping[str, nn.Module | Optimizer],
        every_seconds: float = 120.0,
    ):
        self.workshop, self.stage, self.total, self.parts = workshop, stage, workshop.steps(total), dict(parts)
        self.every_seconds = every_seconds
        self.seconds = 0.0
        self._figures: dict[str, list[float | Tensor]] = {}
        self._last: dict[str, float] = {}

    @property
    def figures(self) -> dict[str, float]:
        """What was last reported, averaged over about 20 seconds."""
        return dict(self._last)

    def random(self, step: int) -> Random:
        return Random(f"{self.stage} {step}")  # noqa: S311 - variation that must repeat, not a secret

    def __iter__(self) -> Iterator[int]:
        path = self.workshop.folder(self.stage) / _STATE
        step = self._restore(path)
        begun = saved = spoken = time.monotonic()
        before, first = self.seconds, step
        while step < self.total:
            torch.manual_seed(self.random(step).getrandbits(48))
            yield step
            step += 1
            now = time.monotonic()
            self.seconds = before + now - begun
            if now - spoken > _SPEAK_SECONDS or step == self.total:
                self._speak(step, (now - begun) / (step - first))
                spoken = now
            if now - saved > self.every_seconds:
                self._save(path, step)
                saved = now
        self._save(path, step)

    def drawn(self, draw: Callable[[int, Random], Drawn]) -> Iterator[tuple[int, Random, Drawn]]:
        """Each step with what ``draw`` gives for it and the random numbers that go on after the draw.

        On a GPU other processes draw ahead, so ``draw`` may use no random numbers but its own, and no GPU.
        """
        batches: Iterator[tuple[Drawn, Any]] | None = None
        for step in self:
            if batches is None:
                batches = iter(self._loader(step, draw))
            batch, state = next(batches)
            random = Random()  # noqa: S311 - set to a state that repeats
            random.setstate(state)
            yield step, random, batch

    def _loader(self, first: int, draw: Callable[[int, Random], Drawn]) -> DataLoader[Any]:
        workers = self.workshop.drawers
        return DataLoader(
            _Draws(self, draw),
            batch_size=None,
            collate_fn=as_drawn,
            sampler=range(first, self.total),
            num_workers=workers,
            prefetch_factor=_DRAWN_AHEAD if workers else None,
        )

    def report(self, **figures: float | Tensor) -> None:
        """Tensors are read only when they are told: reading one waits for the device."""
        for name, value in figures.items():
            self._figures.setdefault(name, []).append(value.detach() if isinstance(value, Tensor) else float(value))

    def cosine(self, step: int, peak: float, *, warmup: int = 100, floor: float = 0.02) -> float:
        """The learning rate of a step: a linear rise, then half a cosine down to ``floor`` of the peak."""
        rise = min(1.0, (step + 1) / max(1, min(warmup, self.total // 5)))
        return peak * rise * max(floor, 0.5 * (1 + math.cos(math.pi * step / self.total)))

    def _speak(self, step: int, seconds: float) -> None:
        self._last = {name: sum(map(float, values)) / len(values) for name, values in self._figures.items() if values}
        self._figures = {}
        told = " ".join(f"{name} {value:.4g}" for name, value in self._last.items())
        left = (self.total - step) * seconds
        self.workshop.log(f"{self.stage} {step}/{self.total} {told} · {seconds:.2f} s/step, {left / 60:.1f} min left")

    def _save(self, path: Path, step: int) -> None:
        content: dict[str, Any] = {"step": step, "seconds": self.seconds, "last": self._last}
        content[MADE_OF] = self.workshop.made_of(self.stage)
        content["parts"] = {name: part.state_dict() for name, part in self.parts.items()}
        with atomic_path(path) as temporary:
            torch.save(content, temporary)

    def _restore(self, path: Path) -> int:
        if not path.is_file():
            return 0
        content = torch.load(path, weights_only=True, map_location=self.workshop.device)
        if content.get(MADE_OF) != self.workshop.made_of(self.stage):
            raise DomainError(
                "stage_stale",
                f"{path.name} of the stage “{self.stage}” was begun upon other results of the stages before it. Remove "
                "that file to train the stage anew.",
            )
        for name, part in self.parts.items():
            part.load_state_dict(content["parts"][name])
        self.seconds, self._last = float(content["seconds"]), dict(content["last"])
        return int(content["step"])


class _Draws(Dataset[Any]):
    """By step: what is drawn for it, and the state of its random numbers afterwards."""

    def __init__(self, steps: Steps, draw: Callable[[int, Random], Any]):
        self._steps, self._draw = steps, draw

    def __getitem__(self, step: int) -> tuple[Any, Any]:
        random = self._steps.random(step)
        return self._draw(step, random), random.getstate()


def as_drawn(drawn: Any) -> Any:
    """For loaders: their own way would turn tuples into lists and arrays into tensors."""
    return drawn


ALLOCATOR = {
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": "20000000000",
    "MALLOC_TOP_PAD_": "500000000",
}
"""glibc gives large temporaries back and faults them in anew at every step; kept, small networks train far faster."""


def with_allocator(arguments: list[str]) -> None:
    """Start this program again with :data:`ALLOCATOR` in its environment; returns where it is already so."""
    if sys.platform.startswith("linux") and any(os.environ.get(name) != value for name, value in ALLOCATOR.items()):
        os.execve(sys.executable, [sys.executable, *arguments], {**os.environ, **ALLOCATOR})
