"""The form of a new run."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings

from datasets.models import DatasetVersion
from training.choices import Precision, StopOn
from training.services import RunValues
from xttsproject.accounts.models import Visibility
from xttsproject.bundles.manifest import list_bundles
from xttsproject.lib.errors import DomainError

_DEFAULTS = RunValues()


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
        help_text="How far each step goes. Halve it if the validation loss soon rises.",
        widget=forms.NumberInput(attrs={"step": "any"}),
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
    precision = forms.ChoiceField(choices=Precision.choices, initial=_DEFAULTS.precision)
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

    def _choose(self, name: str) -> Any:
        return self.fields[name]

    def values(self) -> RunValues:
        chosen = self.cleaned_data
        return RunValues(
            epochs=chosen["epochs"],
            batch_size=chosen["batch_size"],
            learning_rate=chosen["learning_rate"],
            lora_rank=chosen["lora_rank"],
            lora_alpha=chosen["lora_alpha"],
            precision=chosen["precision"],
            seed=chosen["seed"],
            keep_best=chosen["keep_best"],
            early_stopping_patience=chosen["early_stopping_patience"],
            early_stopping_on=chosen["early_stopping_on"] or _DEFAULTS.early_stopping_on,
            early_stopping_min_delta=chosen["early_stopping_min_delta"] or 0.0,
            prompts=[chosen["prompt"]] if chosen["prompt"] else [],
            fixed_prompts=chosen["fixed_prompts"],
        )

    def refuse(self, error: DomainError) -> None:
        """Put a service's refusal beside the field that it names."""
        field = {"prompts": "prompt"}.get(error.field or "", error.field)
        self.add_error(field if field in self.fields else None, error.message)
