"""One run from its spec to its last event: what is done in which order, and what is written when.

An epoch's end is written in an order that a kill at any instruction does not spoil: first the checkpoint, then the
state from which the run goes on, then the events and samples that follow from both. What is missing of the last
group is made up for at the next start.
"""

from __future__ import annotations

import logging
import math
import time
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict
from typing import Any

import torch
from torch.utils.tensorboard import SummaryWriter

from training.engine import checkpoint as keep
from training.engine import events as ev
from training.engine.augment import prepare_altered
from training.engine.checkpoint import CheckpointFacts, Losses, Position
from training.engine.dataset import Dataset, read_dataset
from training.engine.features import ClipFeatures, prepare
from training.engine.fit import EpochProgress, Fit, StepFacts, build_accelerator, steps_per_epoch
from training.engine.hearing import Hearing
from training.engine.identity import check_identity, identity_of
from training.engine.launch import EVENTS, TENSORBOARD, rank
from training.engine.model import Base, BundleAnalyser, open_base
from training.engine.precision import resolve
from training.engine.ranks import Ranks
from training.engine.sampling import BASE_EPOCH, SampleFacts, Sampler, check_prompts
from training.engine.sizes import checkpoint_bytes, state_bytes
from training.engine.spec import TrainSpec
from training.engine.splits import Split
from training.engine.stopping import patience_ran_out
from training.engine.trained import Trained
from training.engine.usage import measure
from xttsproject.lib.disk import require_free, room_for
from xttsproject.lib.errors import Cancelled, DomainError
from xttsproject.lib.progress import Progress

logger = logging.getLogger(__name__)

SAVE_SECONDS = 300.0
"""A long epoch writes its state at least this often."""

FEATURE_EVENT_SECONDS = 0.5
USAGE_EVENT_SECONDS = 5.0

CANCEL_BYTES = 500_000_000
"""A cancelled process has seconds: it writes a state of this size, and leaves a larger one as it was saved last."""


class Run:
    """Executes a spec once; events go to ``events``, and ``progress`` says when to stop."""

    def __init__(self, spec: TrainSpec, events: ev.Events, progress: Progress):
        self.spec, self._events, self._progress = spec, events, progress
        # Of several processes the first one writes and speaks; all train.
        self._writes = not rank()
        self._told = _already_told(spec)
        self._at = EpochProgress(1, 0)
        self._usage_told = -math.inf
        self._hearing: Hearing | None = None

    def execute(self) -> None:
        """Train to the end. DomainError for what a person can mend, Cancelled when asked to stop."""
        with room_for(self.spec.run_dir, 0, "The run"):
            self._execute()

    def _execute(self) -> None:
        spec = self.spec
        if self._writes:
            keep.clear_leftovers(spec.run_dir)
        base = open_base(spec.bundle)
        check_prompts(spec, base.config.languages, base.tokenizer)
        dataset = read_dataset(
            spec.manifest, spec.language, base.tokenizer.encode_sentence, base.limits, self._progress
        )
        _require_validation(spec, dataset)
        self._checkpoint_bytes = checkpoint_bytes(base.config.gpt, spec)
        self._state_bytes = state_bytes(base.config.gpt, spec)
        self._epoch_bytes = self._checkpoint_bytes + self._state_bytes
        require_free(spec.run_dir, self._epoch_bytes, "The run")
        accelerator = build_accelerator(spec)
        self._device = str(accelerator.device)
        # Of several processes the others would have to know when the one that speaks makes room.
        self._sampler = Sampler(spec, self._device, keep=spec.devices == 1)
        self._precision = resolve(spec.precision, accelerator.device)
        self._identity = identity_of(spec, base, dataset)
        resumed = keep.read_state(spec.run_dir)
        position = resumed[1] if resumed else None
        if position:
            check_identity(position.identity, self._identity)
            self._at = EpochProgress(
                position.epoch + 1, position.step, position.steps_in_epoch, position.loss_sum, position.seconds
            )
        self._progress.check()

        gpt = base.load_gpt()
        # The adapter's first weights too depend on the seed alone.
        torch.manual_seed(spec.seed)
        self._trained = Trained(gpt, spec)
        self._gpt = gpt
        if resumed:
            self._trained.load(_part(resumed[0], "adapter/"))
        self._tell_started(dataset, position, accelerator)

        ranks = Ranks(accelerator)
        analyser = BundleAnalyser(base, accelerator.device)
        # Computed once, by the first; the others then read what is kept.
        found = ranks.as_main(lambda: self._prepare(dataset, analyser))
        self._fit = self._build_fit(dataset, found, base, accelerator)
        if resumed:
            self._fit.load_optimizer_state(_part(resumed[0], "optimizer/"))
            if position and position.pieces > 1:
                self._fit.pieces = position.pieces
                self._tell_smaller()
        if spec.stops_on_score and self._writes:
            self._hearing = Hearing(spec, dataset, self._device, self._events)
        self._speak(BASE_EPOCH)
        at = self._at
        with self._open_board(at.step + 1 if position else None) as self._board:
            self._base_validation = position.base_validation if position else self._measure_base()
            if position and position.epoch and self._writes:
                self._complete(keep.read_checkpoint(spec.run_dir, position.epoch))
            while at.epoch <= spec.epochs and not ranks.as_main(lambda: self._stops_early(self._at.epoch - 1)):
                if self._writes:
                    require_free(spec.run_dir, self._epoch_bytes, f"Epoch {at.epoch}")
                self._train_epoch(at)
                self._at = at = EpochProgress(at.epoch + 1, at.step)
        done = at.epoch - 1
        self._events.write(
            ev.FINISHED, best_epoch=self._best_epoch(), stopped_early_at=done if done < spec.epochs else None
        )

    # -- an epoch -------------------------------------------------------------------------------------------------

    def _train_epoch(self, at: EpochProgress) -> None:
        saved = time.monotonic()

        def on_step(at: EpochProgress, facts: StepFacts) -> None:
            nonlocal saved
            if not self._writes:
                return
            self._tell_step(facts)
            if time.monotonic() - saved > SAVE_SECONDS:
                self._save_state(at, epochs_done=at.epoch - 1)
                saved = time.monotonic()

        try:
            train_loss = self._fit.epoch(at, self._progress, on_step)
            began = time.monotonic()
            validation = self._fit.validate(self._progress)
        except Cancelled:
            # Whatever is whole is kept: the run goes on with the very next step, or with the validation.
            if self._writes and self._state_bytes <= CANCEL_BYTES:
                self._save_state(at, epochs_done=at.epoch - 1)
            raise
        if not self._writes:
            return
        facts = keep.write_checkpoint(
            self.spec.run_dir,
            self._trained.save,
            needed=self._checkpoint_bytes,
            epoch=at.epoch,
            step=at.step,
            train_loss=train_loss,
            validation=validation,
            base_validation=self._base_validation,
            seconds=round(at.seconds + time.monotonic() - began, 3),
        )
        self._save_state(EpochProgress(at.epoch + 1, at.step), epochs_done=at.epoch)
        self._complete(facts)

    def _complete(self, facts: CheckpointFacts) -> None:
        """Tell of a written checkpoint and let it speak, as far as that has not been done."""
        folder = keep.checkpoint_folder(self.spec.run_dir, facts.epoch)
        validation = facts.validation
        if (ev.EPOCH, facts.epoch) not in self._told:
            self._events.write(
                ev.EPOCH,
                epoch=facts.epoch,
                step=facts.step,
                train_loss=facts.train_loss,
                validation_loss=validation.total if validation else None,
                validation_loss_text=validation.text if validation else None,
                validation_loss_mel=validation.mel if validation else None,
                seconds=facts.seconds,
            )
            self._board.add_scalar("train/epoch_loss", facts.train_loss, facts.step)
            self._board_validation(validation, facts.step)
        if (ev.CHECKPOINT, facts.epoch) not in self._told:
            self._events.write(
                ev.CHECKPOINT,
                epoch=facts.epoch,
                step=facts.step,
                path=folder.relative_to(self.spec.run_dir).as_posix(),
                bytes=facts.bytes,
                sha256=facts.sha256,
                validation_loss=validation.total if validation else None,
            )
        self._speak(facts.epoch)

    def _speak(self, epoch: int) -> None:
        if not self._writes:
            return
        adapter = None if epoch == BASE_EPOCH else keep.checkpoint_folder(self.spec.run_dir, epoch)
        done = frozenset(
            index for index in range(len(self.spec.sample_prompts)) if (ev.SAMPLE, epoch, index) in self._told
        )

        def on_sample(facts: SampleFacts) -> None:
            self._events.write(ev.SAMPLE, **asdict(facts))

        self._sampler.speak(epoch, adapter, self._progress, on_sample, done)
        if self._hearing:
            self._hearing.measure(epoch, self._progress)

    # -- what is kept ---------------------------------------------------------------------------------------------

    def _save_state(self, at: EpochProgress, epochs_done: int) -> None:
        tensors = {f"adapter/{key}": value for key, value in self._trained.state(copy=False).items()}
        tensors |= {f"optimizer/{key}": value for key, value in self._fit.optimizer_state(copy=False).items()}
        position = Position(
            epochs_done,
            at.step,
            at.steps,
            at.loss_sum,
            at.seconds,
            self._identity,
            self._base_validation,
            self._fit.pieces,
        )
        keep.write_state(self.spec.run_dir, tensors, position)

    def _best_epoch(self) -> int:
        """The epoch of the lowest validation loss, or of the lowest training loss without validation clips."""
        found = self._facts(self.spec.epochs)
        losses = {
            epoch: facts.validation.total if facts.validation else facts.train_loss for epoch, facts in found.items()
        }
        return min(losses, key=lambda epoch: (losses[epoch], epoch), default=self.spec.epochs)

    def _facts(self, last: int) -> dict[int, CheckpointFacts]:
        """What the epochs up to ``last`` came to, their weights still kept or not."""
        found = {}
        for epoch in range(1, last + 1):
            if not keep.checkpoint_folder(self.spec.run_dir, epoch).exists():
                continue
            try:
                found[epoch] = keep.read_facts(self.spec.run_dir, epoch)
            except DomainError as error:
                logger.warning("%s", error.message)
        return found

    def _stops_early(self, done: int) -> bool:
        patience = self.spec.early_stopping_patience
        if patience is None:
            return False
        losses = [facts.validation.total for facts in self._facts(done).values() if facts.validation]
        if self._hearing:
            # A score that rises is as a loss that falls.
            losses = [-score for score in self._hearing.scores(done)]
        return patience_ran_out(losses, patience, self.spec.early_stopping_min_delta)

    def _prepare(self, dataset: Dataset, analyser: BundleAnalyser) -> list[ClipFeatures]:
        """Features of the training clips, with their altered recordings where those are wanted, then of the others."""
        clips, tell = (*dataset.train, *dataset.validation), self._tell_features()
        altered = len(dataset.train) if self.spec.augment_conditioning else 0
        total = len(clips) + altered
        found = prepare(clips, self.spec.features_folder, analyser, self._progress, lambda done, _: tell(done, total))
        if not altered:
            return found
        heard = prepare_altered(
            dataset.train, found[:altered], analyser, self._progress, lambda done, _: tell(len(clips) + done, total)
        )
        return [*heard, *found[altered:]]

    def _build_fit(self, dataset: Dataset, found: list[ClipFeatures], base: Base, accelerator: Any) -> Fit:
        count = len(dataset.train)
        train, validation = Split(dataset.train, found[:count]), Split(dataset.validation, found[count:])
        stop_token = base.config.gpt.stop_audio_token
        return Fit(
            self.spec,
            self._gpt,
            train,
            validation,
            stop_token,
            accelerator,
            on_smaller=self._tell_smaller,
            spare=self._sampler.let_go,
        )

    def _open_board(self, purge_step: int | None) -> AbstractContextManager[Any]:
        if not self._writes:
            return nullcontext()
        return SummaryWriter(str(self.spec.run_dir / TENSORBOARD), purge_step=purge_step)

    def _measure_base(self) -> Losses | None:
        """The untrained model's validation loss: where the curves begin."""
        losses = self._fit.validate(self._progress)
        self._board_validation(losses, 0)
        return losses

    # -- what is told ---------------------------------------------------------------------------------------------

    def _tell_started(self, dataset: Dataset, position: Position | None, accelerator: Any) -> None:
        self._events.write(
            ev.STARTED,
            steps_total=steps_per_epoch(len(dataset.train), self.spec) * self.spec.epochs,
            epochs=self.spec.epochs,
            clips_train=len(dataset.train),
            clips_validation=len(dataset.validation),
            left_out=[asdict(clip) for clip in dataset.left_out],
            trainable_parameters=sum(value.numel() for value in self._trained.parameters.values()),
            resumed_from_epoch=position.epoch if position else None,
            device=self._device if self.spec.devices == 1 else f"{self.spec.devices} × {accelerator.device.type}",
            precision=self._precision,
            speech_precision=self._sampler.precision,
        )

    def _tell_smaller(self) -> None:
        """Memory ran out, now or before a resume: what a step is made of since."""
        fit = self._fit
        self._events.write(
            ev.MEMORY,
            epoch=self._at.epoch,
            step=self._at.step + 1,
            batch_size=fit.batch_size,
            accumulation=fit.accumulation,
        )

    def _tell_features(self) -> Any:
        last = 0.0

        def on_done(done: int, total: int) -> None:
            nonlocal last
            if done == total or time.monotonic() - last > FEATURE_EVENT_SECONDS:
                last = time.monotonic()
                self._events.write(ev.FEATURES, done=done, total=total)

        return on_done

    def _tell_step(self, facts: StepFacts) -> None:
        self._events.write(ev.STEP, **{**asdict(facts), "clips_per_second": round(facts.clips_per_second, 3)})
        self._board.add_scalar("train/loss", facts.loss, facts.step)
        self._board.add_scalar("train/loss_text", facts.loss_text, facts.step)
        self._board.add_scalar("train/loss_mel", facts.loss_mel, facts.step)
        self._board.add_scalar("train/learning_rate", facts.learning_rate, facts.step)
        self._board.add_scalar("train/clips_per_second", facts.clips_per_second, facts.step)
        self._tell_usage(facts.step)

    def _tell_usage(self, step: int) -> None:
        """Now and then what the run takes of its device's memory."""
        if time.monotonic() - self._usage_told < USAGE_EVENT_SECONDS:
            return
        self._usage_told = time.monotonic()
        usage = measure(self._fit.device)
        self._events.write(ev.USAGE, step=step, **asdict(usage))
        self._board.add_scalar("memory/used", usage.used, step)
        self._board.add_scalar("memory/peak", usage.peak, step)

    def _board_validation(self, losses: Losses | None, step: int) -> None:
        if losses and self._writes:
            self._board.add_scalar("validation/loss", losses.total, step)
            self._board.add_scalar("validation/loss_text", losses.text, step)
            self._board.add_scalar("validation/loss_mel", losses.mel, step)
            self._board.flush()


def _already_told(spec: TrainSpec) -> set[tuple[Any, ...]]:
    """Which epochs, checkpoints and samples earlier starts of this run told of."""
    told: set[tuple[Any, ...]] = set()
    for event in ev.read_events(spec.run_dir / EVENTS):
        if event.kind in (ev.EPOCH, ev.CHECKPOINT):
            told.add((event.kind, event.data["epoch"]))
        elif event.kind == ev.SAMPLE and (spec.run_dir / event.data["path"]).exists():
            told.add((event.kind, event.data["epoch"], event.data["prompt_index"]))
    return told


def _require_validation(spec: TrainSpec, dataset: Dataset) -> None:
    if spec.early_stopping_patience is not None and not dataset.validation:
        raise DomainError(
            "validation_missing",
            f"Early stopping after {spec.early_stopping_patience} epochs needs validation clips, and the dataset has "
            "none that can be used; switch it off, or freeze the dataset with a validation share.",
            field="early_stopping_patience",
        )


def _part(tensors: dict[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    return {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
