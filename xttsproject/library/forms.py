"""What people fill in to bring a model in."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings

from datasets.forms import ServiceForm
from xttsproject.bundles.manifest import list_bundles
from xttsproject.library.services.inbox import inbox_names


def _part(label: str, help_text: str) -> forms.FileField:
    return forms.FileField(label=label, required=False, allow_empty_file=True, help_text=help_text)


class ModelImportForm(ServiceForm):
    """Weights of any name; what they lack comes from the further files or the base model."""

    name = forms.CharField(
        max_length=64, help_text="What the model is called here: small letters, digits, dot, dash and underscore."
    )
    file = forms.FileField(
        label="The model's file",
        required=False,
        allow_empty_file=True,
        help_text="A trainer's best_model.pth or checkpoint, a model.pth, or safetensors; its name does not matter.",
    )
    path = forms.CharField(
        label="Or a path in the models' inbox",
        max_length=1000,
        required=False,
        widget=forms.TextInput(attrs={"list": "inbox-names", "spellcheck": "false"}),
        help_text="A file or folder below MODELS_INBOX on the server; what lies beside it is taken too.",
    )
    base = forms.ChoiceField(
        label="Base model", required=False, help_text="The model it was fine-tuned from; it lends what the file lacks."
    )
    config = _part("config.json", "Sizes and languages, if not those of the base.")
    vocab = _part("vocab.json", "The tokenizer it was trained with, if not the base's.")
    dvae = _part("dvae.pth", "What turns speech into codes; a trainer's checkpoint has its own.")
    mel_stats = _part("mel_stats.pth", "How loud each band of a spectrogram is; most checkpoints have it in them.")
    speakers = _part("speakers_xtts.pth", "Preset voices, if there are any.")
    accept_licence = forms.BooleanField(
        label="I have read the licence and accept it", required=False, help_text="For the portal and all who use it."
    )

    PARTS = ("config", "vocab", "dvae", "mel_stats", "speakers")

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.inbox = inbox_names()
        names = [bundle.path.name for bundle in list_bundles(settings.MODELS_DIR) if bundle.kind == "xtts"]
        base: Any = self.fields["base"]
        base.choices = [("", "None: the files given are complete"), *((name, name) for name in names)]

    @property
    def parts(self) -> list[forms.BoundField]:
        """The fields that stand under "More files"."""
        return [self[name] for name in self.PARTS]

    @property
    def parts_wrong(self) -> bool:
        return any(self[name].errors for name in self.PARTS)
