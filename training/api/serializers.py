from __future__ import annotations

from dataclasses import fields
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.reverse import reverse

from datasets.api.serializers import VisiblePrimaryKeyField
from datasets.models import DatasetVersion
from training.choices import LoraTarget, Method, Precision, Schedule, StopOn
from training.engine.spec import MOST_EPOCHS
from training.models import Checkpoint, CheckpointExport, EpochSample, TrainingRun
from training.services import RunValues
from xttsproject.accounts.models import Visibility
from xttsproject.jobs.models import Job
from xttsproject.strict import StrictSerializer

_DEFAULTS = RunValues()


class EpochSampleSerializer(serializers.ModelSerializer[EpochSample]):
    """A prompt spoken with a checkpoint; ``epoch`` 0 is the base model."""

    audio = serializers.SerializerMethodField(help_text="Where the 24 kHz WAV is fetched.")

    class Meta:
        model = EpochSample
        fields = ("id", "run", "checkpoint", "epoch", "prompt_index", "text", "seed", "seconds", "audio")
        read_only_fields = fields

    @extend_schema_field(serializers.URLField())
    def get_audio(self, sample: EpochSample) -> str:
        return reverse("epoch-sample-audio", args=[sample.pk], request=self.context.get("request"))


class CheckpointExportSerializer(serializers.ModelSerializer[CheckpointExport]):
    """A checkpoint merged into its base model, as a zip for Coqui's own code; bound by the base model's licence."""

    job = serializers.SerializerMethodField(help_text="The job that writes it, while it waits or runs.")
    download = serializers.SerializerMethodField(help_text="Where the zip is fetched once it is ready.")

    class Meta:
        model = CheckpointExport
        fields = (
            "id",
            "checkpoint",
            "state",
            "licence",
            "licence_url",
            "bytes",
            "sha256",
            "error_code",
            "error",
            "job",
            "download",
            "created_at",
        )
        read_only_fields = fields

    @extend_schema_field(serializers.UUIDField(allow_null=True))
    def get_job(self, export: CheckpointExport) -> str | None:
        key = Job.objects.about(export).active().values_list("pk", flat=True).first()
        return str(key) if key else None

    @extend_schema_field(serializers.URLField(allow_null=True))
    def get_download(self, export: CheckpointExport) -> str | None:
        if not export.is_ready:
            return None
        return reverse("checkpoint-exported", args=[export.checkpoint_id], request=self.context.get("request"))


class AverageSerializer(StrictSerializer):
    """Of which epochs the average is to be."""

    epochs = serializers.ListField(child=serializers.IntegerField(min_value=1, max_value=MOST_EPOCHS), max_length=100)


class PinSerializer(StrictSerializer):
    """Whether the checkpoint's file is kept whatever comes after it."""

    pinned = serializers.BooleanField()


class CheckpointSerializer(serializers.ModelSerializer[Checkpoint]):
    """A LoRA adapter or a whole GPT after an epoch, with what it says.

    ``removed_at``: when its file made room for better ones.
    """

    samples = EpochSampleSerializer(many=True, read_only=True)
    download = serializers.SerializerMethodField(help_text="Where the weights' safetensors file is fetched.")
    title = serializers.CharField(source="label", read_only=True)
    is_best = serializers.BooleanField(read_only=True, help_text="Lowest validation loss of its run.")
    is_recommended = serializers.BooleanField(
        read_only=True,
        help_text="Of which a voice is best made: best score where any is scored, else lowest loss; its file is there.",
    )

    class Meta:
        model = Checkpoint
        fields = (
            "id",
            "run",
            "kind",
            "epoch",
            "averaged",
            "title",
            "step",
            "path",
            "bytes",
            "sha256",
            "train_loss",
            "validation_loss",
            "validation_loss_text",
            "validation_loss_mel",
            "is_best",
            "is_recommended",
            "pinned",
            "removed_at",
            "created_at",
            "download",
            "samples",
        )
        read_only_fields = fields

    @extend_schema_field(serializers.URLField())
    def get_download(self, checkpoint: Checkpoint) -> str:
        return reverse("checkpoint-download", args=[checkpoint.pk], request=self.context.get("request"))


class TrainingRunSerializer(serializers.ModelSerializer[TrainingRun]):
    """A run and where it is. ``epoch`` and ``step`` are the latest done; losses are mean cross-entropies in nats."""

    owner = serializers.CharField(source="owner.username", read_only=True)
    dataset = serializers.CharField(source="version.dataset.name", read_only=True)
    language = serializers.CharField(source="version.dataset.language", read_only=True)
    progress = serializers.FloatField(read_only=True, help_text="Share of the steps done, 0 to 1.")
    elapsed_seconds = serializers.SerializerMethodField(help_text="Since it first began, pauses included.")
    remaining_seconds = serializers.SerializerMethodField()
    checkpoint_count = serializers.IntegerField(read_only=True)
    best_validation_loss = serializers.FloatField(read_only=True, allow_null=True)
    recommended_checkpoint = serializers.IntegerField(
        read_only=True, allow_null=True, help_text="Of which a voice is best made."
    )
    base_samples = serializers.SerializerMethodField(help_text="What the base model says, for comparison.")

    class Meta:
        model = TrainingRun
        fields = (
            "id",
            "name",
            "owner",
            "visibility",
            "version",
            "dataset",
            "language",
            "bundle",
            "spec",
            "job",
            "state",
            "error_code",
            "error",
            "sweep",
            "trial",
            "stop_reason",
            "progress",
            "epochs_total",
            "epoch",
            "steps_total",
            "step",
            "loss",
            "learning_rate",
            "clips_per_second",
            "elapsed_seconds",
            "trained_seconds",
            "remaining_seconds",
            "checkpoint_count",
            "base_validation_loss",
            "best_validation_loss",
            "recommended_checkpoint",
            "base_samples",
            "device",
            "facts",
            "created_at",
            "started_at",
            "finished_at",
        )
        read_only_fields = fields

    def get_elapsed_seconds(self, run: TrainingRun) -> float | None:
        return run.elapsed.total_seconds() if run.elapsed else None

    def get_remaining_seconds(self, run: TrainingRun) -> float | None:
        return run.remaining.total_seconds() if run.remaining is not None else None

    @extend_schema_field(EpochSampleSerializer(many=True))
    def get_base_samples(self, run: TrainingRun) -> Any:
        # From the prefetched samples: a list of runs asks for them once.
        base = [sample for sample in run.samples.all() if sample.epoch == 0]
        return EpochSampleSerializer(base, many=True, context=self.context).data


class TrainingRunCreateSerializer(StrictSerializer):
    """What a new run is made of; the ranges of the values are checked by the training spec itself."""

    name = serializers.CharField(max_length=120)
    version = VisiblePrimaryKeyField(
        queryset=DatasetVersion.objects.select_related("dataset"), help_text="A ready dataset version that you may see."
    )
    visibility = serializers.ChoiceField(choices=Visibility.choices, default=Visibility.PRIVATE)
    bundle = serializers.CharField(
        default="", allow_blank=True, max_length=80, help_text="XTTS model to fine-tune; empty: the portal's own."
    )
    epochs = serializers.IntegerField(default=_DEFAULTS.epochs)
    batch_size = serializers.IntegerField(default=_DEFAULTS.batch_size)
    accumulation = serializers.IntegerField(default=_DEFAULTS.accumulation, help_text="Batches per optimizer step.")
    learning_rate = serializers.FloatField(default=_DEFAULTS.learning_rate)
    schedule = serializers.ChoiceField(choices=Schedule.choices, default=_DEFAULTS.schedule)
    warmup_fraction = serializers.FloatField(default=_DEFAULTS.warmup_fraction, help_text="Share of all steps.")
    weight_decay = serializers.FloatField(default=_DEFAULTS.weight_decay)
    max_grad_norm = serializers.FloatField(
        default=_DEFAULTS.max_grad_norm, help_text="Gradients are scaled down to this length where they are longer."
    )
    method = serializers.ChoiceField(
        choices=Method.choices,
        default=_DEFAULTS.method,
        help_text="full: every weight; what names LoRA is then unused.",
    )
    lora_rank = serializers.IntegerField(default=_DEFAULTS.lora_rank)
    lora_alpha = serializers.FloatField(default=_DEFAULTS.lora_alpha)
    lora_dropout = serializers.FloatField(default=_DEFAULTS.lora_dropout)
    lora_targets = serializers.ListField(
        child=serializers.ChoiceField(choices=LoraTarget.choices),
        default=list(_DEFAULTS.lora_targets),
        allow_empty=False,
        help_text="Which layers of a block get an adapter.",
    )
    train_conditioning = serializers.BooleanField(
        default=_DEFAULTS.train_conditioning,
        help_text="With LoRA, train the networks that hear the reference (conditioning encoder, perceiver) as a whole.",
    )
    train_heads = serializers.BooleanField(
        default=_DEFAULTS.train_heads,
        help_text="With LoRA, train the text head, the audio head and the norm before them as a whole.",
    )
    augment_conditioning = serializers.BooleanField(
        default=_DEFAULTS.augment_conditioning,
        help_text="Alter the references that training hears (gain, noise, band, speed), never what is to be said.",
    )
    seed = serializers.IntegerField(default=_DEFAULTS.seed)
    keep_best = serializers.IntegerField(
        default=_DEFAULTS.keep_best,
        allow_null=True,
        help_text="So many with the lowest loss keep their files, besides the last, the best by score, pinned ones and "
        "those in use; null: all.",
    )
    early_stopping_patience = serializers.IntegerField(
        default=_DEFAULTS.early_stopping_patience,
        allow_null=True,
        help_text="Epochs without anything better after which the run ends; null: it makes all its epochs.",
    )
    early_stopping_on = serializers.ChoiceField(
        choices=StopOn.choices,
        default=_DEFAULTS.early_stopping_on,
        help_text="What has to get better: the validation loss, or the score of the samples (similarity, length, "
        "loudness and silence, without character errors).",
    )
    early_stopping_min_delta = serializers.FloatField(
        default=_DEFAULTS.early_stopping_min_delta, help_text="How far below its best counts as better."
    )
    precision = serializers.ChoiceField(choices=Precision.choices, default=_DEFAULTS.precision)
    devices = serializers.IntegerField(
        default=_DEFAULTS.devices,
        help_text="GPUs that share each batch, at most `TRAINING_DEVICES`; the steps are those of one.",
    )
    prompts = serializers.ListField(
        child=serializers.CharField(max_length=500),
        default=list,
        max_length=5,
        help_text="Sentences of your own that every checkpoint speaks, in the dataset's language.",
    )
    fixed_prompts = serializers.BooleanField(
        default=_DEFAULTS.fixed_prompts,
        help_text="Speak the four fixed sentences of the dataset's language too: short, long, numbers, question.",
    )

    def values(self) -> RunValues:
        names = {field.name for field in fields(RunValues)}
        return RunValues(**{name: value for name, value in self.validated_data.items() if name in names})


class StepCurveSerializer(serializers.Serializer[Any]):
    """Equally long lists, averaged down to at most 1000 points."""

    step = serializers.ListField(child=serializers.IntegerField())
    loss = serializers.ListField(child=serializers.FloatField())
    loss_text = serializers.ListField(child=serializers.FloatField())
    loss_mel = serializers.ListField(child=serializers.FloatField())
    learning_rate = serializers.ListField(child=serializers.FloatField())


class EpochCurveSerializer(serializers.Serializer[Any]):
    """Equally long lists, a value per finished epoch."""

    epoch = serializers.ListField(child=serializers.IntegerField())
    step = serializers.ListField(child=serializers.IntegerField())
    train_loss = serializers.ListField(child=serializers.FloatField())
    validation_loss = serializers.ListField(child=serializers.FloatField(allow_null=True))
    validation_loss_text = serializers.ListField(child=serializers.FloatField(allow_null=True))
    validation_loss_mel = serializers.ListField(child=serializers.FloatField(allow_null=True))


class ScoreCurveSerializer(serializers.Serializer[Any]):
    """Equally long lists: what the samples scored epoch by epoch, 0 being the base model."""

    epoch = serializers.ListField(child=serializers.IntegerField())
    score = serializers.ListField(child=serializers.FloatField())


class CurvesSerializer(serializers.Serializer[Any]):
    state = serializers.CharField()
    base_validation_loss = serializers.FloatField(allow_null=True)
    base_validation_loss_text = serializers.FloatField(allow_null=True)
    base_validation_loss_mel = serializers.FloatField(allow_null=True)
    steps = StepCurveSerializer()
    epochs = EpochCurveSerializer()
    scores = ScoreCurveSerializer()
