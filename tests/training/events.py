"""Logs of runs as the engine writes them, by its own writer."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from training.engine import events as ev
from training.engine.launch import EVENTS
from training.models import TrainingRun
from xttsproject.lib.files import write_json

STEPS_PER_EPOCH = 3


class Log:
    """Writes what a process would; a second one on the same run is a second start."""

    def __init__(self, run: TrainingRun):
        self.folder = run.folder
        self.writer = ev.EventWriter(self.path)

    @property
    def path(self) -> Path:
        return self.folder / EVENTS

    def started(self, epochs: int = 3, resumed_from: int | None = None) -> None:
        self.writer.write(
            ev.STARTED,
            steps_total=epochs * STEPS_PER_EPOCH,
            epochs=epochs,
            clips_train=9,
            clips_validation=2,
            left_out=[{"id": "007", "reason": "it has no text"}],
            trainable_parameters=1234,
            precision="bf16",
            resumed_from_epoch=resumed_from,
            device="cpu",
        )

    def steps(self, epoch: int, steps: Iterable[int], loss: float = 5.0) -> None:
        for step in steps:
            self.writer.write(
                ev.STEP,
                epoch=epoch,
                step=step,
                loss=loss - step / 100,
                loss_text=6.0,
                loss_mel=loss - 1,
                learning_rate=1e-4 * step,
                clips_per_second=4.0,
            )

    def epoch(self, epoch: int, validation: float | None, train: float = 4.0, sha256: str = "") -> None:
        """The end of an epoch: its checkpoint on disk, the two events, and a sample."""
        step = epoch * STEPS_PER_EPOCH
        folder = f"checkpoints/epoch-{epoch:04d}"
        losses: dict[str, Any] | None = None
        base = None
        if validation is not None:
            losses, base = (
                {"total": validation, "text": 7.0, "mel": validation - 0.07},
                {"total": 9.5, "text": 7, "mel": 9.4},
            )
        write_json(
            self.folder / folder / "checkpoint.json",
            {"format": 1, "train_loss": train, "validation": losses, "base_validation": base},
        )
        self.writer.write(
            ev.EPOCH,
            epoch=epoch,
            step=step,
            train_loss=train,
            validation_loss=validation,
            validation_loss_text=7.0 if losses else None,
            validation_loss_mel=validation - 0.07 if validation is not None else None,
            seconds=1.0,
        )
        self.writer.write(
            ev.CHECKPOINT,
            epoch=epoch,
            step=step,
            path=folder,
            bytes=4000 + epoch,
            sha256=sha256 or f"{epoch:064x}",
            validation_loss=validation,
        )
        self.sample(epoch)

    def usage(self, used: int, peak: int, total: int, device: str = "cpu") -> None:
        self.writer.write(ev.USAGE, step=1, device=device, used=used, peak=peak, total=total)

    def sample(self, epoch: int, prompt: int = 0) -> None:
        name = f"epoch-{epoch:04d}" if epoch else "base"
        self.writer.write(
            ev.SAMPLE,
            epoch=epoch,
            prompt_index=prompt,
            text="A short line.",
            seed=1,
            path=f"samples/{name}/prompt-{prompt}.wav",
            seconds=2.5,
        )
