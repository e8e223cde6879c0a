"""The training loop: epochs, steps, validation. It knows neither files nor events; its listener does."""

from __future__ import annotations

import logging
import math
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor

from training.engine.batches import Reference, draw_references, epoch_batches
from training.engine.checkpoint import Losses
from training.engine.losses import Batch, collate, forward_losses, misled
from training.engine.memory import give_back, is_out_of_memory
from training.engine.objective import Objective, settle
from training.engine.optimizer import build_optimizer, load_optimizer_state, optimizer_state
from training.engine.precision import TYPES, resolve
from training.engine.schedule import Schedule
from training.engine.seeds import derive, generator
from training.engine.sizes import VARIANTS
from training.engine.spec import FULL, TrainSpec
from training.engine.splits import FRAMES_PER_SECOND, HeldOut, Split
from xttsproject.lib.errors import DomainError
from xttsproject.lib.progress import Progress

logger = logging.getLogger(__name__)

FULL_DROPOUT = 0.1
"""What is dropped where every weight is trained: as much as in Coqui's training."""

SCALER = "#scaler"
"""Where fp16's loss scale stands among the optimizer's tensors."""


@dataclass(frozen=True)
class StepFacts:
    """One optimizer step, counted from 1 over the whole run; ``loss`` is text and mel under the run's weights."""

    epoch: int
    step: int
    loss: float
    loss_text: float
    loss_mel: float
    learning_rate: float
    clips_per_second: float


@dataclass
class EpochProgress:
    """Where the loop stands: ``steps`` of epoch ``epoch`` are done, ``step`` of all."""

    epoch: int
    step: int
    steps: int = 0
    loss_sum: float = 0.0
    seconds: float = 0.0


class Fit:
    """One model being fitted. ``gpt`` is Coqui's GPT whose trainable parameters require gradients."""

    def __init__(
        self,
        spec: TrainSpec,
        gpt: Any,
        train: Split,
        validation: Split,
        stop_token: int,
        accelerator: Accelerator,
        on_smaller: Callable[[], None] = lambda: None,
    ):
        self.spec = spec
        self.accelerator = accelerator
        self.device: torch.device = accelerator.device
        self._train, self._validation = train, HeldOut(validation, train)
        self._stop_token = stop_token
        self._on_smaller = on_smaller
        # Into how many pieces every batch is divided, since memory ran out: 1, 2, 4 …
        self.pieces = 1
        self._frames = [features.frames for features in train.features]
        self._speakers = [clip.speaker for clip in train.clips]
        self._by_speaker: dict[str, list[int]] = defaultdict(list)
        for index, speaker in enumerate(self._speakers):
            self._by_speaker[speaker].append(index)
        self.parameters = {name: value for name, value in gpt.named_parameters() if value.requires_grad}
        self.precision = resolve(spec.precision, self.device)
        settle(gpt, TYPES.get(self.precision, torch.float32))
        optimizer = build_optimizer(gpt, spec.learning_rate, spec.weight_decay)
        self._raw_optimizer = optimizer
        self._gpt, self._optimizer = accelerator.prepare(
            Objective(gpt, FULL_DROPOUT if spec.method == FULL else 0.0), optimizer
        )
        self.steps_per_epoch = steps_per_epoch(len(train.clips), spec)
        self.schedule = Schedule(
            spec.schedule, spec.learning_rate, self.steps_per_epoch * spec.epochs, spec.warmup_fraction
        )

    # -- one epoch ------------------------------------------------------------------------------------------------

    def epoch(
        self, at: EpochProgress, progress: Progress, on_step: Callable[[EpochProgress, StepFacts], None]
    ) -> float:
        """Train what is left of epoch ``at.epoch`` and return the mean loss of its steps; ``at`` moves along.

        ``on_step`` is called when a step is whole, and may raise to stop. DomainError ``loss_not_finite``.
        """
        batches = epoch_batches(
            [clip.samples for clip in self._train.clips], self.spec.batch_size, self.spec.seed, at.epoch
        )
        size = self.spec.accumulation
        groups = [batches[first : first + size] for first in range(0, len(batches), size)]
        self._gpt.train()
        for group in groups[at.steps :]:
            progress.check()
            began = time.monotonic()
            rate = self.schedule.rate(at.step + 1)
            for parameters in self._raw_optimizer.param_groups:
                parameters["lr"] = rate
            text, mel = self._step(at.epoch, at.step + 1, at.steps * size, group, progress)
            loss = self.spec.text_loss_weight * text + self.spec.mel_loss_weight * mel
            elapsed = time.monotonic() - began
            at.step += 1
            at.steps += 1
            at.loss_sum += loss
            at.seconds += elapsed
            clips = sum(len(batch) for batch in group)
            on_step(at, StepFacts(at.epoch, at.step, loss, text, mel, rate, clips / max(elapsed, 1e-9)))
        return at.loss_sum / max(at.steps, 1)

    def _step(
        self, epoch: int, step: int, first: int, group: list[list[int]], progress: Progress
    ) -> tuple[float, float]:
        """One optimizer step over the group's batches; the mean text and mel losses."""
        sums = None
        while sums is None:
            try:
                sums, ids = self._gradients(epoch, step, first, group, progress)
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
            # Not in the handler: the error holds on to the frames, and so to the tensors, of what did not fit.
            if sums is None:
                self._halve(max(len(batch) for batch in group))
        norm = self.accelerator.clip_grad_norm_(list(self.parameters.values()), self.spec.max_grad_norm)
        # With a loss scaler (fp16) gradients overflow now and then by design, and the scaler skips the step.
        if self.accelerator.scaler is None and norm is not None and not math.isfinite(float(norm)):
            raise self._not_finite("the gradient", float(norm), epoch, step, ids)
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)
        return float(sums[0]), float(sums[1])

    def _gradients(
        self, epoch: int, step: int, first: int, group: list[list[int]], progress: Progress
    ) -> tuple[Tensor, tuple[str, ...]]:
        """Sum the gradients of a step up; its mean losses, and the clips of its last batch."""
        sums = torch.zeros(2, dtype=torch.float64)
        ids: tuple[str, ...] = ()
        for number, indices in enumerate(group):
            pieces = self._divided(indices)
            for place, batch in enumerate(self._batches(indices, pieces, epoch, first + number)):
                progress.check()
                # Dropout and noise too depend on the place alone.
                where = (first + number, place) if self.pieces > 1 else (first + number,)
                torch.manual_seed(derive(self.spec.seed, "dropout", epoch, *where))
                last = number == len(group) - 1 and place == len(pieces) - 1
                share = len(batch.ids) / len(indices) / len(group)
                with nullcontext() if last else self.accelerator.no_sync(self._gpt):
                    read = misled(batch.codes, self.spec.code_noise)
                    text, mel = forward_losses(self._gpt, replace(batch, codes=read))
                    loss = self.spec.text_loss_weight * text + self.spec.mel_loss_weight * mel
                    losses = torch.stack([text.detach(), mel.detach()]).double().cpu()
                    self._check_finite(losses, epoch, step, batch.ids)
                    self.accelerator.backward(loss * share)
                sums += losses * share
                ids = batch.ids
        return sums, ids

    def _divided(self, indices: list[int]) -> list[slice]:
        size = math.ceil(len(indices) / self.pieces)
        return [slice(start, start + size) for start in range(0, len(indices), size)]

    def _halve(self, clips: int) -> None:
        """Batches of half as many clips from now on, twice as many to a step: the step itself stays what it was.

        ``clips`` is how many the batch had that did not fit. DomainError ``out_of_memory`` where one alone does not.
        """
        self._optimizer.zero_grad(set_to_none=True)
        give_back()
        if math.ceil(clips / self.pieces) <= 1:
            raise DomainError(
                "out_of_memory",
                f"The memory of {self.device} does not hold one clip at a time. Leave out the longest clips, take "
                f"another precision than {self.spec.precision}, {self._smaller()}, or a larger device.",
                permanent=False,
            )
        self.pieces *= 2
        logger.warning("Memory ran out: batches are divided by %d from now on.", self.pieces)
        self._on_smaller()

    def _smaller(self) -> str:
        return "LoRA instead" if self.spec.method == FULL else f"a LoRA rank below {self.spec.lora.rank}"

    def _batches(self, indices: list[int], pieces: list[slice], epoch: int, number: int) -> Iterator[Batch]:
        """A batch in its pieces. References are drawn for the whole, so they do not depend on the memory there is."""
        random = generator(self.spec.seed, "references", epoch, number)
        variants = VARIANTS if self.spec.augment_conditioning else 0
        references = draw_references(
            indices, self._frames, self._speakers, self._by_speaker, FRAMES_PER_SECOND, random, variants
        )
        for piece in pieces:
            batch = collate(
                indices[piece],
                references[piece],
                self._train.clips,
                self._train.features,
                self._stop_token,
                mask_references=True,
            )
            yield batch.to(self.device)

    # -- validation -----------------------------------------------------------------------------------------------

    @torch.no_grad()
    def validate(self, progress: Progress) -> Losses | None:
        """Mean losses over the validation clips, every batch counting by its clips; None without any.

        References are fixed, so that epochs can be compared.
        """
        clips = self._validation.clips
        if not clips:
            return None
        self._gpt.eval()
        sums = torch.zeros(2, dtype=torch.float64)
        for indices in self._validation.batches(self.spec.batch_size):
            found = None
            while found is None:
                try:
                    found = self._validated(indices, progress)
                except Exception as error:
                    if not is_out_of_memory(error):
                        raise
                if found is None:
                    self._halve(len(indices))
            sums += found
        text, mel = (float(value) / len(clips) for value in sums)
        if not (math.isfinite(text) and math.isfinite(mel)):
            raise DomainError(
                "loss_not_finite",
                f"The validation loss became {text + mel}: the weights are no longer usable. {self._advice()}",
            )
        return Losses(self.spec.text_loss_weight * text + self.spec.mel_loss_weight * mel, text, mel)

    def _validated(self, indices: list[int], progress: Progress) -> Tensor:
        """The text and mel losses of a batch, each times its clips."""
        sums = torch.zeros(2, dtype=torch.float64)
        references = self._validation.references(indices)
        for piece in self._divided(indices):
            progress.check()
            sums += batch_losses(
                self._gpt, self._validation, indices[piece], references[piece], self._stop_token, self.device
            )
        return sums

    # -- memory ---------------------------------------------------------------------------------------------------

    def optimizer_state(self, *, copy: bool = True) -> dict[str, Tensor]:
        state = optimizer_state(self._raw_optimizer, self.parameters, copy=copy)
        if self.accelerator.scaler is not None:
            scaler = self.accelerator.scaler.state_dict()
            state[SCALER] = torch.tensor([scaler["scale"], scaler["_growth_tracker"]], dtype=torch.float64)
        return state

    def load_optimizer_state(self, state: dict[str, Tensor]) -> None:
        moments = {key: value for key, value in state.items() if key != SCALER}
        load_optimizer_state(self._raw_optimizer, self.parameters, moments)
        scaler = self.accelerator.scaler
        if scaler is not None and SCALER in state:
            scale, tracker = state[SCALER].tolist()
            scaler.load_state_dict({**scaler.state_dict(), "scale": scale, "_growth_tracker": int(tracker)})

    @property
    def batch_size(self) -> int:
        """Clips that are in memory at once."""
        return math.ceil(self.spec.batch_size / self.pieces)

    @property
    def accumulation(self) -> int:
        """Batches of that size to an optimizer step."""
        return self.spec.accumulation * self.pieces

    # -- what went wrong ------------------------------------------------------------------------------------------

    def _check_finite(self, losses: Tensor, epoch: int, step: int, clips: Sequence[str]) -> None:
        for value in losses.tolist():
            if not math.isfinite(value):
                raise self._not_finite("the loss", value, epoch, step, clips)

    def _not_finite(self, what: str, value: float, epoch: int, step: int, clips: Sequence[str]) -> DomainError:
        return DomainError(
            "loss_not_finite",
            f"At step {step} in epoch {epoch} {what} became {value}, on the clips {', '.join(clips)}. "
            + self._advice(),
        )

    def _advice(self) -> str:
        return (
            "Checkpoints of earlier epochs are kept; look at these clips, or start a run with a learning rate below "
            f"{self.spec.learning_rate:g}."
        )


def batch_losses(
    gpt: Any,
    held_out: HeldOut,
    indices: list[int],
    references: list[Reference],
    stop_token: int,
    device: torch.device,
) -> Tensor:
    """The text and mel losses of validation clips, each times how many clips they are."""
    batch = held_out.collate(indices, references, stop_token).to(device)
    return torch.stack(forward_losses(gpt, batch)).double().cpu() * len(indices)


def steps_per_epoch(clips: int, spec: TrainSpec) -> int:
    return math.ceil(math.ceil(clips / spec.batch_size) / spec.accumulation)


def build_accelerator(spec: TrainSpec) -> Accelerator:
    """Device and precision as the spec says; DomainErrors ``device_missing`` and ``precision_unsupported``."""
    cuda = torch.cuda.is_available()
    if spec.device.startswith("cuda"):
        count = torch.cuda.device_count() if cuda else 0
        index = int(spec.device.partition(":")[2] or 0)
        if index >= count:
            raise DomainError(
                "device_missing",
                f"The device {spec.device} is not there: {count} CUDA devices were found.",
                field="device",
            )
        torch.cuda.set_device(index)
    on_cpu = spec.device == "cpu" or not cuda
    if on_cpu and spec.precision == "fp16":
        raise DomainError(
            "precision_unsupported", "fp16 needs a CUDA device; on a processor take fp32 or bf16.", field="precision"
        )
    precision = resolve(spec.precision, torch.device("cpu" if on_cpu else "cuda"))
    return Accelerator(mixed_precision="no" if precision == "fp32" else precision, cpu=on_cpu)
