"""What people fill in on this app's pages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.urls import reverse, reverse_lazy
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.text import format_lazy
from django.utils.timezone import localtime

from datasets.choices import LANGUAGE_CHOICES, LANGUAGE_OR_DETECT, ChangeKind, ConsentKind
from datasets.models import Dataset, DatasetVersion, SourceVideo, Speaker
from datasets.pipeline.screening.catalogue import RULES, Rule
from datasets.pipeline.screening.policy import Policy, Thresholds
from datasets.querysets import DatasetVersionQuerySet
from xttsproject.accounts.models import Visibility
from xttsproject.lib.errors import DomainError


class ServiceForm(forms.Form):
    """A form whose input is judged by a service."""

    def refuse(self, error: DomainError) -> None:
        """Show a service's complaint at the field it names."""
        field = error.field if error.field in self.fields else None
        message: str = error.message
        if "recording" in error.about:
            there = reverse("datasets:source-detail", args=[error.about["recording"]])
            message = format_html('{} <a href="{}">Open it.</a>', message, there)
        self.add_error(field, ValidationError(message, code=error.code))


class ManyFilesInput(forms.FileInput):
    allow_multiple_selected = True


class ManyFilesField(forms.FileField):
    """One file or several; an empty one is let through for the service to name."""

    widget = ManyFilesInput

    def __init__(self, **kwargs: Any):
        super().__init__(allow_empty_file=True, **kwargs)

    def clean(self, data: Any, initial: Any = None) -> list[UploadedFile]:
        files = data if isinstance(data, list | tuple) else [data]
        return [super(ManyFilesField, self).clean(file, initial) for file in files or [None]]


def glossary_field() -> forms.CharField:
    return forms.CharField(
        required=False,
        widget=forms.Textarea(attrs={"rows": 3, "spellcheck": "false"}),
        help_text="Names and words that transcription should expect, one per line or with commas between.",
    )


class SpeakerForm(ServiceForm):
    name = forms.CharField(max_length=120)
    consent_kind = forms.ChoiceField(
        label="Why may this voice be cloned?", choices=ConsentKind.choices, widget=forms.RadioSelect
    )
    consent_statement = forms.CharField(
        label="Consent",
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="Who agreed to what, and when. Nothing is recorded, trained or cloned without it.",
    )
    consent_evidence = forms.URLField(
        label="Evidence",
        required=False,
        assume_scheme="https",
        help_text="Where the agreement or the recording's licence can be read, if anywhere.",
    )
    glossary = glossary_field()
    notes = forms.CharField(required=False, widget=forms.Textarea(attrs={"rows": 2}))
    visibility = forms.ChoiceField(label="Who sees the speaker", choices=Visibility.choices)


class SpeakerEditForm(ServiceForm):
    """What can change of a speaker; who sees them only by their owner."""

    glossary = glossary_field()
    notes = forms.CharField(required=False, widget=forms.Textarea(attrs={"rows": 2}))
    visibility = forms.ChoiceField(label="Who sees the speaker", choices=Visibility.choices)

    def __init__(self, *args: Any, is_owner: bool, **kwargs: Any):
        super().__init__(*args, **kwargs)
        if not is_owner:
            del self.fields["visibility"]


class RecordingForm(ServiceForm):
    """What an upload and a URL have in common; speakers are those that the person sees."""

    speaker = forms.ModelChoiceField(
        queryset=Speaker.objects.none(),
        empty_label="Choose who speaks",
        help_text=format_lazy('<a href="{}">Add a speaker</a>', reverse_lazy("datasets:speaker-add")),
    )
    language = forms.ChoiceField(
        choices=LANGUAGE_OR_DETECT,
        initial="en",
        help_text="The language that is spoken. “Detect it”: the first transcription listens for it.",
    )
    title = forms.CharField(
        max_length=200, required=False, help_text="Left empty, the file's or the page's own name is taken."
    )
    visibility = forms.ChoiceField(label="Who sees the recording", choices=Visibility.choices)

    def __init__(self, *args: Any, user: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        speakers: Any = self.fields["speaker"]
        speakers.queryset = Speaker.objects.visible_to(user)
        if not self.is_bound and not self.initial.get("speaker"):
            # Recordings of one person come one after the other. Nobody else is chosen unasked: whose voice it is
            # decides whose consent counts, and a voice that came with a model has a speaker, too.
            self.initial["speaker"] = (
                SourceVideo.objects.filter(owner_id=user.pk, speaker__in=speakers.queryset)
                .order_by("-created_at")
                .values_list("speaker", flat=True)
                .first()
            )


class UploadForm(RecordingForm):
    file = ManyFilesField(label="Audio or video files", help_text="Any format; several files are kept apart.")
    field_order = ("file", "speaker", "language", "title", "visibility")


class UrlForm(RecordingForm):
    url = forms.CharField(
        label="Address",
        max_length=2000,
        widget=forms.URLInput(attrs={"placeholder": "https://"}),
        help_text="Of a video page or of a media file, on the public internet.",
    )
    field_order = ("url", "speaker", "language", "title", "visibility")


class DatasetImportForm(RecordingForm):
    """A dataset that was made elsewhere; nothing listens to it, so its language is named."""

    language = forms.ChoiceField(choices=LANGUAGE_CHOICES, initial="en", help_text="The language that is spoken.")
    file = forms.FileField(
        label="Zip of the dataset",
        allow_empty_file=True,
        widget=forms.FileInput(attrs={"accept": ".zip,application/zip"}),
        help_text="In LJSpeech's form (wavs/ and metadata.csv) or with Coqui's table (audio_file|text|speaker_name).",
    )
    speaker_name = forms.CharField(
        label="Speaker in the table",
        max_length=200,
        required=False,
        help_text="Only for a table of several speakers: the name of the one whose rows are taken.",
    )
    approve = forms.BooleanField(
        label="The transcripts are right: approve all clips",
        required=False,
        help_text="Otherwise they wait for review. Clips whose text could not be trained on wait in any case.",
    )
    field_order = ("file", "speaker", "language", "title", "speaker_name", "approve", "visibility")

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        title: Any = self.fields["title"]
        title.max_length = title.widget.attrs["maxlength"] = 120
        self.fields["speaker"].help_text = format_lazy(
            '<a href="{}?next={}">Add a speaker</a>',
            reverse_lazy("datasets:speaker-add"),
            reverse_lazy("datasets:import-add"),
        )
        self.fields["visibility"].label = "Who sees the dataset"
        title.help_text = "Of the dataset. Left empty, the zip's own name is taken."


class LanguageForm(ServiceForm):
    language = forms.ChoiceField(choices=LANGUAGE_OR_DETECT)


class RecordingEditForm(ServiceForm):
    """``transcribers``: names of the models that are installed, the default one not among them."""

    title = forms.CharField(max_length=200)
    visibility = forms.ChoiceField(label="Who sees the recording", choices=Visibility.choices)
    transcriber = forms.ChoiceField(
        label="Transcription model", required=False, help_text="Listens when the recording is transcribed anew."
    )

    def __init__(self, *args: Any, transcribers: Sequence[tuple[str, str]], **kwargs: Any):
        super().__init__(*args, **kwargs)
        choice: Any = self.fields["transcriber"]
        choice.choices = transcribers


class SourcesField(forms.ModelMultipleChoiceField):
    """Recordings with what speaks for choosing them."""

    widget = forms.CheckboxSelectMultiple

    def label_from_instance(self, obj: Any) -> str:
        return (
            f"{obj.title} · {obj.speaker.name} · {obj.get_language_display()} · "
            f"{obj.approved_count} of {obj.segment_count} approved"
        )


class DatasetChoiceForm(ServiceForm):
    """What can still be changed after a dataset was made."""

    sources = SourcesField(
        label="Recordings",
        queryset=SourceVideo.objects.none(),
        help_text="Of one speaker in one language. Their approved segments are what is trained on.",
    )
    validation_share = forms.FloatField(
        label="Share for validation",
        initial=0.1,
        min_value=0.01,
        max_value=0.5,
        widget=forms.NumberInput(attrs={"step": "0.01"}),
        help_text="Speech that is never trained on, to judge by. Whole recordings, if there are several.",
    )
    visibility = forms.ChoiceField(label="Who sees the dataset", choices=Visibility.choices)

    def __init__(self, *args: Any, user: Any, dataset: Dataset | None = None, **kwargs: Any):
        super().__init__(*args, **kwargs)
        rows = SourceVideo.objects.visible_to(user)
        if dataset is not None:
            if not (user.is_superuser or dataset.owner_id == user.pk):
                del self.fields["visibility"]
            # What the person does not see stays chosen, so the rest need not be any.
            self.fields["sources"].required = not dataset.sources.exclude(pk__in=rows).exists()
            rows = rows.filter(speaker=dataset.speaker_id, language=dataset.language)
        sources: Any = self.fields["sources"]
        sources.queryset = rows.with_counts().select_related("speaker").order_by("speaker__name", "-created_at")


class DatasetForm(DatasetChoiceForm):
    name = forms.CharField(max_length=120)
    field_order = ("name", "sources", "validation_share", "visibility")


class VersionField(forms.ModelChoiceField):
    """Frozen versions of one dataset, told apart by number and day."""

    def label_from_instance(self, obj: Any) -> str:
        day = date_format(localtime(obj.created_at), "j M Y")
        return f"Version {obj.number}, {day}, {obj.clips} clip{'' if obj.clips == 1 else 's'}"


class CompareForm(ServiceForm):
    """Two versions of a dataset, and which kind of change to show (all if empty)."""

    base = VersionField(label="From", queryset=DatasetVersion.objects.none(), empty_label=None)
    version = VersionField(label="to", queryset=DatasetVersion.objects.none(), empty_label=None)
    kind = forms.ChoiceField(choices=[("", "All"), *ChangeKind.choices], required=False)

    def __init__(self, *args: Any, versions: DatasetVersionQuerySet, **kwargs: Any):
        super().__init__(*args, **kwargs)
        for name in ("base", "version"):
            field: Any = self.fields[name]
            field.queryset = versions


_CONSEQUENCES = ("review", "reject")


def _plain(value: float) -> float | int:
    """Whole numbers without a point: they are what thresholds mostly are, and columns are narrow on a telephone."""
    return int(value) if value == int(value) else round(value, 6)


@dataclass(frozen=True)
class RuleRow:
    """A rule with its two inputs."""

    rule: Rule
    review: forms.BoundField
    reject: forms.BoundField


class PolicyForm(ServiceForm):
    """The thresholds of screening, in the units that the measures are shown in: ``<rule>_review`` and
    ``<rule>_reject``; an empty one switches that consequence off."""

    approve = forms.BooleanField(
        required=False,
        label="Approve clips that break no rule",
        help_text="Otherwise they stay to be reviewed by people.",
    )

    def __init__(self, *args: Any, policy: Policy, **kwargs: Any):
        super().__init__(*args, **{"initial": {"approve": policy.approve}, **kwargs})
        for name, rule in RULES.items():
            for kind in _CONSEQUENCES:
                value = getattr(policy.thresholds[name], kind)
                self.fields[f"{name}_{kind}"] = forms.FloatField(
                    required=False,
                    label=f"{rule.measure.label}: {kind} {rule.side}",
                    initial=None if value is None else _plain(value * rule.measure.scale),
                    widget=forms.NumberInput(attrs={"step": "any", "class": "form-control form-control-sm threshold"}),
                )

    def rows(self) -> Iterator[RuleRow]:
        for name, rule in RULES.items():
            yield RuleRow(rule, self[f"{name}_review"], self[f"{name}_reject"])

    def policy(self) -> Policy:
        """What was filled in. DomainError ``policy_invalid``."""
        thresholds = {}
        for name, rule in RULES.items():
            given = [self.cleaned_data[f"{name}_{kind}"] for kind in _CONSEQUENCES]
            thresholds[name] = Thresholds(*(None if value is None else value / rule.measure.scale for value in given))
        return Policy(thresholds, self.cleaned_data["approve"])

    def refuse(self, error: DomainError) -> None:
        """A rule's complaint stands at its first input."""
        if error.field in RULES:
            self.add_error(f"{error.field}_review", ValidationError(error.message, code=error.code))
        else:
            super().refuse(error)
