"""What a run leaves behind, epoch by epoch."""

from __future__ import annotations

from pathlib import Path

from django.db import models

from training.models.run import TrainingRun
from training.querysets import CheckpointQuerySet, EpochSampleQuerySet

WEIGHTS = "adapter_model.safetensors"


class Checkpoint(models.Model):
    """A LoRA adapter after an epoch; its folder lies inside the run's."""

    run = models.ForeignKey(TrainingRun, on_delete=models.CASCADE, related_name="checkpoints")
    epoch = models.PositiveIntegerField()
    step = models.PositiveIntegerField()
    path = models.CharField(max_length=200, help_text="Folder, relative to the run's.")
    bytes = models.BigIntegerField()
    sha256 = models.CharField(max_length=64)
    train_loss = models.FloatField(null=True, blank=True)
    validation_loss = models.FloatField(null=True, blank=True)
    validation_loss_text = models.FloatField(null=True, blank=True)
    validation_loss_mel = models.FloatField(null=True, blank=True)
    is_best = models.BooleanField(default=False, help_text="Lowest validation loss of its run.")
    created_at = models.DateTimeField(auto_now_add=True)

    objects = CheckpointQuerySet.as_manager()

    class Meta:
        ordering = ("run", "epoch")
        constraints = [models.UniqueConstraint(fields=("run", "epoch"), name="one_checkpoint_per_epoch")]

    def __str__(self) -> str:
        return f"{self.run} epoch {self.epoch}"

    @property
    def folder(self) -> Path:
        return self.run.folder / self.path

    @property
    def weights_path(self) -> Path:
        """The file that ``bytes`` and ``sha256`` are of."""
        return self.folder / WEIGHTS


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
            models.UniqueConstraint(fields=("run", "epoch", "prompt_index"), name="one_sample_per_epoch_and_prompt")
        ]

    def __str__(self) -> str:
        return f"{self.run} epoch {self.epoch}, prompt {self.prompt_index}"

    @property
    def audio_path(self) -> Path:
        return self.run.folder / self.path
