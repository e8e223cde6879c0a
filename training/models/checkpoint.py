"""What a run leaves behind, epoch by epoch."""

from __future__ import annotations

from pathlib import Path

from django.db import models
from django.utils import timezone

from training.choices import CheckpointKind
from training.models.run import TrainingRun
from training.querysets import CheckpointQuerySet, EpochSampleQuerySet
from xttsproject.xtts.checkpoints import weights_file


class Checkpoint(models.Model):
    """A LoRA adapter or a whole GPT after an epoch, or the average of several; its folder lies inside the run's."""

    run = models.ForeignKey(TrainingRun, on_delete=models.CASCADE, related_name="checkpoints")
    kind = models.CharField(max_length=7, choices=CheckpointKind.choices, default=CheckpointKind.EPOCH)
    epoch = models.PositiveIntegerField(help_text="Of an average: its last one's.")
    averaged = models.JSONField(default=list, blank=True, help_text="The epochs whose average it is.")
    step = models.PositiveIntegerField()
    path = models.CharField(max_length=200, help_text="Folder, relative to the run's.")
    bytes = models.BigIntegerField()
    sha256 = models.CharField(max_length=64)
    train_loss = models.FloatField(null=True, blank=True)
    validation_loss = models.FloatField(null=True, blank=True)
    validation_loss_text = models.FloatField(null=True, blank=True)
    validation_loss_mel = models.FloatField(null=True, blank=True)
    is_best = models.BooleanField(default=False, help_text="Lowest validation loss of its run.")
    pinned = models.BooleanField(default=False, help_text="Somebody wants it kept, however good others are.")
    removed_at = models.DateTimeField(
        null=True, blank=True, help_text="When its file made room for better ones; losses and samples stay."
    )
    created_at = models.DateTimeField(auto_now_add=True)

    objects = CheckpointQuerySet.as_manager()

    class Meta:
        ordering = ("run", "epoch")
        constraints = [
            models.UniqueConstraint(
                fields=("run", "epoch"), condition=models.Q(kind=CheckpointKind.EPOCH), name="one_checkpoint_per_epoch"
            ),
            models.UniqueConstraint(fields=("run", "path"), name="one_checkpoint_per_folder"),
        ]

    def __str__(self) -> str:
        return f"{self.run} {self.label}"

    @property
    def is_average(self) -> bool:
        return self.kind == CheckpointKind.AVERAGE

    @property
    def label(self) -> str:
        """``epoch 3``, or ``average of epochs 2, 3, 5``."""
        return f"average of epochs {', '.join(map(str, self.averaged))}" if self.is_average else f"epoch {self.epoch}"

    @property
    def slug(self) -> str:
        """The same in a file's name: its folder's."""
        return Path(self.path).name

    # --- transitions ------------------------------------------------------------------------------------------

    def mark_removed(self) -> bool:
        """Its file is about to go. False where somebody pinned it or something needs it, or it has gone before.

        One statement decides, so a voice that is being made of it at this moment is either seen here or refused there.
        """
        free = Checkpoint.objects.filter(pk=self.pk).removable()
        moved = bool(Checkpoint.objects.filter(pk__in=free.values("pk")).update(removed_at=timezone.now()))
        self.refresh_from_db(fields=["removed_at", "pinned"])
        return moved

    # --- where its files lie ----------------------------------------------------------------------------------

    @property
    def is_kept(self) -> bool:
        """Its weights are there, so it can speak."""
        return self.removed_at is None

    @property
    def loss(self) -> float | None:
        """What checkpoints of a run are ranked by: validation loss, training loss where nothing was validated."""
        return self.validation_loss if self.validation_loss is not None else self.train_loss

    @property
    def folder(self) -> Path:
        return self.run.folder / self.path

    @property
    def weights_path(self) -> Path:
        """The file that ``bytes`` and ``sha256`` are of."""
        return weights_file(self.folder)


class EpochSample(models.Model):
    """A prompt spoken with one checkpoint, or with the base model (``checkpoint`` empty, epoch 0)."""

    run = models.ForeignKey(TrainingRun, on_delete=models.CASCADE, related_name="samples")
    checkpoint = models.ForeignKey(Checkpoint, null=True, blank=True, on_delete=models.CASCADE, related_name="samples")
    epoch = models.PositiveIntegerField()
    prompt_index = models.PositiveSmallIntegerField()
    text = models.TextField()
    seed = models.BigIntegerField()
    path = models.CharField(max_length=200, help_text="WAV, relative to the run's folder.")
    seconds = models.FloatField()

    objects = EpochSampleQuerySet.as_manager()

    class Meta:
        ordering = ("run", "epoch", "prompt_index")
        constraints = [
            models.UniqueConstraint(fields=("checkpoint", "prompt_index"), name="one_sample_per_checkpoint_and_prompt"),
            models.UniqueConstraint(
                fields=("run", "epoch", "prompt_index"),
                condition=models.Q(checkpoint=None),
                name="one_base_sample_per_prompt",
            ),
        ]

    def __str__(self) -> str:
        whose = self.checkpoint.label if self.checkpoint else "base model"
        return f"{self.run} {whose}, prompt {self.prompt_index}"

    @property
    def audio_path(self) -> Path:
        return self.run.folder / self.path
