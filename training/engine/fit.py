"""The training loop: epochs, steps, validation. It knows neither files nor events; its listener does."""

from __future__ import annotations

import logging
import math
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import InitProcessGroupKwargs
from torch import Tensor

from training.engine.batches import Reference, draw_references, epoch_batches
from training.engine.checkpoint import Losses
from training.engine.losses import Batch, collate, count_targets, forward_losses, misled
from training.engine.memory import give_back
from training.engine.objective import Objective, settle
from training.engine.optimizer import build_optimizer, load_optimizer_state, optimizer_state
from training.engine.precision import TYPES, resolve
from training.engine.ranks import Ranks
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

PATIENCE = timedelta(days=1)

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
        spare: Callable[[], bool] = lambda: False,
    ):
        """``on_smaller`` hears that batches became smaller; ``spare`` lets go of what training can do without when
        memory runs out, and says whether there was anything."""
        self.spec = spec
        self.accelerator = accelerator
        self.device: torch.device = accelerator.device
        self._train, self._validation = train, HeldOut(validation, train)
        self._stop_token = stop_token
        self._on_smaller, self._spare = on_smaller, spare
        self.ranks = Ranks(accelerator)
        # Into how many pieces a rank's share of every batch is divided, since memory ran out: 1, 2, 4 …
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
        objective = Objective(gpt, FULL_DROPOUT if spec.method == FULL else 0.0)
        # Precision and place, but no DistributedDataParallel: see `ranks`.
        self._gpt = accelerator.prepare_model(objective, evaluation_mode=True)
        self._optimizer = accelerator.prepare_optimizer(optimizer)
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
            sums = self.ranks.together(lambda: self._gradients(epoch, step, first, group, progress))
            if sums is None:
                self._halve(max(len(batch) for batch in group))
        self.ranks.sum_gradients(self.parameters.values())
        norm = self.accelerator.clip_grad_norm_(list(self.parameters.values()), self.spec.max_grad_norm)
        # With a loss scaler (fp16) gradients overflow now and then by design, and the scaler skips the step.
        if self.accelerator.scaler is None and norm is not None and not math.isfinite(float(norm)):
            ids = [self._train.clips[index].id for index in group[-1]]
            raise self._not_finite("the gradient", float(norm), epoch, step, ids)
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)
        return float(sums[0]), float(sums[1])

    def _gradients(self, epoch: int, step: int, first: int, group: list[list[int]], progress: Progress) -> Tensor:
        """Sum this rank's gradients of a step up; its part of the step's mean losses."""
        progress.check()
        sums = torch.zeros(2, dtype=torch.float64)
        for number, indices in enumerate(group):
            for place, shares, batch in self._batches(indices, epoch, first + number):
                progress.check()
                # Dropout and noise too depend on the place alone.
                where = (first + number, place) if self._parts > 1 else (first + number,)
                torch.manual_seed(derive(self.spec.seed, "dropout", epoch, *where))
                of_text, of_mel = (value / len(group) for value in shares)
                read = misled(batch.codes, self.spec.code_noise)
                text, mel = forward_losses(self._gpt, replace(batch, codes=read))
                loss = self.spec.text_loss_weight * of_text * text + self.spec.mel_loss_weight * of_mel * mel
                losses = torch.stack([text.detach(), mel.detach()]).double().cpu()
                self._check_finite(losses, epoch, step, batch.ids)
                self.accelerator.backward(loss)
                sums += losses * torch.tensor([of_text, of_mel], dtype=torch.float64)
        return sums

    @property
    def _parts(self) -> int:
        return self.pieces * self.ranks.count

    def _divided(self, indices: list[int]) -> list[slice]:
        size = math.ceil(len(indices) / self._parts)
        return [slice(start, start + size) for start in range(0, len(indices), size)]

    def _halve(self, clips: int) -> None:
        """Batches of half as many clips from now on, twice as many to a step: the step itself stays what it was.
        As they are where something else could make room first.

        ``clips`` is how many the batch had that did not fit. DomainError ``out_of_memory`` where one alone does not.
        """
        self._optimizer.zero_grad(set_to_none=True)
        spared = self._spare()
        give_back()
        if spared:
            logger.warning("Memory ran out: the model that speaks is loaded anew for each epoch from now on.")
            return
        if math.ceil(clips / self._parts) <= 1:
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

    def _batches(self, indices: list[int], epoch: int, number: int) -> Iterator[tuple[int, tuple[float, float], Batch]]:
        """This rank's pieces of a batch, each with its place among all and its shares of the text and mel losses.

        References are drawn for the whole, so they depend on neither the memory nor the devices there are.
        """
        random = generator(self.spec.seed, "references", epoch, number)
        variants = VARIANTS if self.spec.augment_conditioning else 0
        references = draw_references(
            indices, self._frames, self._speakers, self._by_speaker, FRAMES_PER_SECOND, random, variants
        )
        clips, features = self._train.clips, self._train.features
        pieces = self._divided(indices)
        targets = count_targets(indices, references, clips, features) if len(pieces) > 1 else None
        for place, piece in self.ranks.mine(pieces):
            batch = collate(indices[piece], references[piece], clips, features, self._stop_token, mask_references=True)
            yield place, shares_of(targets, piece), batch.to(self.device)

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
                found = self.ranks.together(partial(self._validated, indices, progress))
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
        """This rank's part of the text and mel losses of a batch, times the batch's clips."""
        progress.check()
        sums = torch.zeros(2, dtype=torch.float64)
        held_out = self._validation
        references = held_out.references(indices)
        pieces = self._divided(indices)
        targets = held_out.count_targets(indices, references) if len(pieces) > 1 else None
        for _, piece in self.ranks.mine(pieces):
            progress.check()
            mine = indices[piece]
            means = batch_losses(self._gpt, held_out, mine, references[piece], self._stop_token, self.device) / len(
                mine
            )
            sums += means * torch.tensor(shares_of(targets, piece), dtype=torch.float64) * len(indices)
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
        """Clips that are in a device's memory at once."""
        return math.ceil(self.spec.batch_size / self._parts)

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


def shares_of(targets: Tensor | None, piece: slice) -> tuple[float, float]:
    """What a piece has of its batch's text and mel targets ``(b, 2)``; all of them where the batch is not divided."""
    if targets is None:
        return 1.0, 1.0
    text, mel = (targets[piece].sum(0) / targets.sum(0)).tolist()
    return text, mel


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
    count = torch.cuda.device_count() if cuda else 0
    if spec.devices > 1 and spec.device != "cpu" and spec.devices > count:
        raise DomainError(
            "device_missing",
            f"The run is to train on {spec.devices} GPUs, and {count} were found; take fewer.",
            field="devices",
        )
    if spec.devices == 1 and spec.device.startswith("cuda"):
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
    # While the main process speaks and scores the others wait for it; who dies is noticed by the launcher.
    waits = [InitProcessGroupKwargs(backend=None, timeout=PATIENCE)] if spec.devices > 1 else None
    mixed = "no" if precision == "fp32" else precision
    return Accelerator(mixed_precision=mixed, cpu=on_cpu, kwargs_handlers=waits)
