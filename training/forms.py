"""The form of a new run."""

from __future__ import annotations

import dataclasses
from typing import Any

from django import forms
from django.conf import settings

from datasets.models import DatasetVersion
from training.choices import LoraTarget, Method, Precision, Schedule, StopOn
from training.services import RunValues
from xttsproject.accounts.models import Visibility
from xttsproject.bundles.manifest import list_bundles
from xttsproject.lib.errors import DomainError

_DEFAULTS = RunValues()


_GROUPS: tuple[tuple[str, tuple[str, ...], bool, bool], ...] = (
    ("", ("name", "version", "bundle", "visibility"), False, False),
    ("What is trained", ("method",), False, False),
    ("LoRA", ("lora_rank", "lora_alpha"), False, True),
    ("How long", ("epochs", "batch_size", "learning_rate", "precision"), False, False),
    ("What the checkpoints say", ("prompt", "fixed_prompts"), False, False),
    (
        "Which checkpoints stay",
        ("keep_best", "early_stopping_patience", "early_stopping_on", "early_stopping_min_delta"),
        True,
        False,
    ),
    ("More of LoRA", ("lora_dropout", "lora_targets", "train_conditioning", "train_heads"), True, True),
    (
        "More of the training",
        (
            "augment_conditioning",
            "schedule",
            "warmup_fraction",
            "accumulation",
            "weight_decay",
            "max_grad_norm",
            "seed",
            "devices",
        ),
        True,
        False,
    ),
)
"""Title, fields, whether folded up, whether it means LoRA alone."""


@dataclasses.dataclass(frozen=True)
class FieldGroup:
    """Fields that stand together on the page."""

    title: str
    fields: list[forms.BoundField]
    folded: bool
    lora: bool

    @property
    def is_open(self) -> bool:
        """What was refused is not to be looked for."""
        return any(field.errors for field in self.fields)


class VersionField(forms.ModelChoiceField):
    def label_from_instance(self, obj: Any) -> str:
        return f"{obj} · {obj.clips} clips, {obj.seconds / 60:.1f} min · {obj.dataset.speaker}"


class RunForm(forms.Form):
    """Ranges are checked by the training spec, so that page and API say the same."""

    name = forms.CharField(max_length=120, help_text="How you will find the run and its voices again.")
    version = VersionField(
        queryset=DatasetVersion.objects.none(), label="Dataset version", empty_label="Choose a frozen version"
    )
    bundle = forms.ChoiceField(label="Model", help_text="The model that is fine-tuned.")
    epochs = forms.IntegerField(
        initial=_DEFAULTS.epochs,
        help_text="Passes over all training clips. Each leaves a checkpoint and a sample, so too many cost only time.",
    )
    batch_size = forms.IntegerField(
        initial=_DEFAULTS.batch_size,
        help_text="Clips per step. Smaller needs less memory; larger is calmer and faster.",
    )
    learning_rate = forms.FloatField(
        initial=_DEFAULTS.learning_rate,
        help_text="How far each step goes: about 2e-4 for LoRA, 1e-5 for full fine-tuning. Halve it if the validation "
        "loss soon rises.",
        widget=forms.NumberInput(attrs={"step": "any"}),
    )
    method = forms.ChoiceField(
        choices=Method.choices,
        initial=_DEFAULTS.method,
        help_text="LoRA needs little memory and leaves checkpoints of some MB. Full fine-tuning moves every weight: "
        "for hours of speech, with several times the memory and the whole model in each checkpoint.",
    )
    lora_rank = forms.IntegerField(
        initial=_DEFAULTS.lora_rank,
        label="LoRA rank",
        help_text="Width of the trained adapters. More learns more of the voice, from more speech.",
    )
    lora_alpha = forms.FloatField(
        initial=_DEFAULTS.lora_alpha,
        label="LoRA alpha",
        help_text="How strongly the adapters act; twice the rank is usual.",
        widget=forms.NumberInput(attrs={"step": "any"}),
    )
    lora_dropout = forms.FloatField(
        required=False,
        initial=_DEFAULTS.lora_dropout,
        label="LoRA dropout",
        help_text="Share of the adapters' inputs left out at random, 0 to 0.9: against learning by heart.",
        widget=forms.NumberInput(attrs={"step": "any"}),
    )
    lora_targets = forms.MultipleChoiceField(
        choices=LoraTarget.choices,
        initial=list(_DEFAULTS.lora_targets),
        label="Layers with adapters",
        widget=forms.CheckboxSelectMultiple,
    )
    train_conditioning = forms.BooleanField(
        required=False,
        initial=_DEFAULTS.train_conditioning,
        label="Train the conditioning networks whole",
        help_text="What hears the reference clip (conditioning encoder and perceiver), beside the adapters.",
    )
    train_heads = forms.BooleanField(
        required=False,
        initial=_DEFAULTS.train_heads,
        label="Train the heads whole",
        help_text="What names text tokens and audio codes (both heads and the norm before them), beside the adapters.",
    )
    augment_conditioning = forms.BooleanField(
        required=False,
        initial=_DEFAULTS.augment_conditioning,
        label="Alter the references",
        help_text="Training hears the reference clips louder, softer, noisier, narrower, slower or faster at random, "
        "so that the voice depends less on how its reference was recorded. What it is to say is never altered.",
    )
    precision = forms.ChoiceField(choices=Precision.choices, initial=_DEFAULTS.precision)
    devices = forms.IntegerField(required=False, initial=_DEFAULTS.devices, label="GPUs")
    accumulation = forms.IntegerField(
        required=False,
        initial=_DEFAULTS.accumulation,
        label="Batches per step",
        help_text="Gradients of so many batches are gathered for one step: a larger batch in the same memory.",
    )
    schedule = forms.ChoiceField(
        choices=Schedule.choices,
        required=False,
        initial=_DEFAULTS.schedule,
        help_text="How the learning rate falls after its warm-up.",
    )
    warmup_fraction = forms.FloatField(
        required=False,
        initial=_DEFAULTS.warmup_fraction,
        label="Warm-up",
        help_text="Share of all steps in which the learning rate rises from nothing, 0 to 0.9.",
        widget=forms.NumberInput(attrs={"step": "any"}),
    )
    weight_decay = forms.FloatField(
        required=False,
        initial=_DEFAULTS.weight_decay,
        help_text="Pull of weight matrices towards 0. Norms, biases and embeddings are left out.",
        widget=forms.NumberInput(attrs={"step": "any"}),
    )
    max_grad_norm = forms.FloatField(
        required=False,
        initial=_DEFAULTS.max_grad_norm,
        label="Longest gradient",
        help_text="Longer ones are scaled down to this length before a step.",
        widget=forms.NumberInput(attrs={"step": "any"}),
    )
    seed = forms.IntegerField(
        initial=_DEFAULTS.seed, help_text="The same seed gives the same run and the same samples."
    )
    keep_best = forms.IntegerField(
        required=False,
        initial=_DEFAULTS.keep_best,
        label="Checkpoints to keep",
        help_text="So many with the lowest loss keep their files, and so do the last, the best by score, pinned ones "
        "and those that a voice uses. Empty: all. Losses and samples always stay.",
    )
    early_stopping_patience = forms.IntegerField(
        required=False,
        label="Stop early after",
        help_text="Epochs without anything better, after which the run ends. Empty: it makes all its epochs.",
    )
    early_stopping_on = forms.ChoiceField(
        choices=StopOn.choices,
        required=False,
        initial=_DEFAULTS.early_stopping_on,
        label="Stop early by",
        help_text="The score is of similarity, length, loudness and silence, measured after every epoch; whether the "
        "words are right is measured when the run has ended.",
    )
    early_stopping_min_delta = forms.FloatField(
        required=False,
        initial=_DEFAULTS.early_stopping_min_delta,
        label="Better by at least",
        help_text="How far the loss has to fall below its best, or the score to rise above it, for an epoch to count "
        "as better.",
        widget=forms.NumberInput(attrs={"step": "any"}),
    )
    prompt = forms.CharField(
        required=False,
        max_length=500,
        label="Your own sentence",
        help_text="What every checkpoint speaks besides, in the dataset's language.",
        widget=forms.Textarea(attrs={"rows": 2}),
    )
    fixed_prompts = forms.BooleanField(
        required=False,
        initial=_DEFAULTS.fixed_prompts,
        label="Speak the fixed sentences",
        help_text="A short and a long one, numbers and a question: the same in all runs of a language, so that runs "
        "compare. Without them, a checkpoint speaks your own sentence alone.",
    )
    visibility = forms.ChoiceField(
        choices=Visibility.choices, initial=Visibility.PRIVATE, label="Who may see the run and its checkpoints"
    )

    def __init__(self, *args: Any, user: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        versions = DatasetVersion.objects.visible_to(user).ready().select_related("dataset__speaker")
        self._choose("version").queryset = versions.order_by("-created_at")
        names = [bundle.path.name for bundle in list_bundles(settings.MODELS_DIR) if bundle.kind == "xtts"]
        # The configured model is offered even where it is missing, so that the refusal can name it.
        self._choose("bundle").choices = [(name, name) for name in dict.fromkeys((settings.XTTS_BUNDLE, *names))]
        self.fields["bundle"].initial = settings.XTTS_BUNDLE
        if settings.TRAINING_DEVICES == 1:
            del self.fields["devices"]
        else:
            self.fields["devices"].help_text = (
                f"Up to {settings.TRAINING_DEVICES}: each batch is shared among them. Steps and losses stay those of "
                "one; a batch of at least as many clips keeps all of them busy."
            )

    def _choose(self, name: str) -> Any:
        return self.fields[name]

    @property
    def groups(self) -> list[FieldGroup]:
        """The fields in the order of the page; what few people change stands folded up."""
        return [
            FieldGroup(title, [self[name] for name in names if name in self.fields], folded, lora)
            for title, names, folded, lora in _GROUPS
        ]

    def values(self) -> RunValues:
        """A field that was left empty, or not sent, is as the engine presets it."""
        chosen = dict(self.cleaned_data)
        chosen["prompts"] = [chosen["prompt"]] if chosen["prompt"] else []
        may_be_none = ("keep_best", "early_stopping_patience")
        return RunValues(
            **{
                item.name: chosen[item.name]
                for item in dataclasses.fields(RunValues)
                if item.name in chosen and (item.name in may_be_none or chosen[item.name] not in (None, ""))
            }
        )

    @property
    def complaints(self) -> list[str]:
        """All that is wrong, each with the label of its field."""
        said = [str(error) for error in self.non_field_errors()]
        for field in self:
            # What is searched names itself.
            said += [
                str(error) if str(error).startswith(f"{field.label}:") else f"{field.label}: {error}"
                for error in field.errors
            ]
        return said

    def worded(self, error: DomainError) -> str:
        """A service's refusal, with the value called as it is on the page."""
        # A search refuses what it would try as space.lora_rank.
        name = (error.field or "").rpartition(".")[2]
        if name in self.fields and error.message.startswith(f"{name} "):
            return f"{self[name].label}{error.message.removeprefix(name)}"
        return error.message

    def refuse(self, error: DomainError) -> None:
        """Put a service's refusal beside the field that it names."""
        field = {"prompts": "prompt"}.get(error.field or "", error.field)
        self.add_error(field if field in self.fields else None, self.worded(error))
