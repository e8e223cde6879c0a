"""What people fill in on this app's pages."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from typing import Any

from django import forms
from django.conf import settings
from django.urls import reverse_lazy
from django.utils.html import format_html
from django.utils.safestring import mark_safe
from django.utils.text import format_lazy

from datasets.choices import LANGUAGE_CHOICES
from datasets.forms import ManyFilesField, ServiceForm
from datasets.models import Speaker
from training.models import Checkpoint
from voices.choices import Channel, GuardMode
from voices.engine.preparing import LONGEST_SECONDS, LOUDNESS_LUFS, PAUSE_SECONDS, SHORTEST_SECONDS, Preparation
from voices.engine.profiles import GUARDING
from voices.models import LexiconEntry, QualityProfile, Voice
from voices.services.guarding import careful_missing
from voices.services.lookup import voice_find
from voices.services.profiles import profile_sampling
from voices.services.scripts import pauses_of
from voices.services.studio import studio_offered
from voices.services.wishes import Wish
from xttsproject.accounts.models import Visibility
from xttsproject.bundles.manifest import list_bundles
from xttsproject.lib.errors import DomainError
from xttsproject.xtts.guard.retries import MOST_CANDIDATES, MOST_RETRIES, GuardSettings
from xttsproject.xtts.script import AUTO
from xttsproject.xtts.studio import studio_names
from xttsproject.xtts.types import LONGEST_PAUSE, Pauses

KEPT = {"data-draft": True}
"""Of an input whose text is kept in the browser until it is sent, as that of every text area is."""


class CheckpointChoice(forms.ModelChoiceField):
    def label_from_instance(self, obj: Any) -> str:
        return f"{obj.run.name}, {obj.label}{' (recommended)' if obj.is_recommended else ''}"


class VoiceForm(ServiceForm):
    """Speaker and language follow from the checkpoint; without one they are asked for."""

    name = forms.CharField(max_length=120, widget=forms.TextInput(attrs=KEPT))
    checkpoint = CheckpointChoice(
        queryset=Checkpoint.objects.none(), required=False, empty_label="Base model", label="Model that speaks"
    )
    bundle = forms.ChoiceField(
        label="Which base model", required=False, help_text="Used where the base model speaks and no checkpoint."
    )
    speaker = forms.ModelChoiceField(
        queryset=Speaker.objects.none(),
        required=False,
        empty_label="The one the checkpoint was trained on",
        help_text=format_lazy(
            "Whose voice it is. Their recorded consent is what allows cloning it. "
            '<a href="{}?next={}">Add a speaker</a>',
            reverse_lazy("datasets:speaker-add"),
            reverse_lazy("voices:voice-add"),
        ),
    )
    language = forms.ChoiceField(
        choices=[("", "The one the checkpoint was trained on"), *LANGUAGE_CHOICES],
        required=False,
        help_text="What the voice speaks unless another language is asked for.",
    )
    studio = forms.ChoiceField(
        label="A voice of the model's own",
        required=False,
        help_text="Came with the base model chosen above. It needs neither speaker nor clips.",
    )
    clips = ManyFilesField(
        label="Reference clips of your own",
        required=False,
        help_text="1 to 20 audio or video files of at most 200 MB, each between a second and two minutes long, three "
        "seconds to five minutes together; half a minute of clean speech is best. Left empty, the clips of the "
        "checkpoint's dataset shown below are used.",
    )
    trim = forms.BooleanField(
        label="Trim silence", required=False, help_text=f"Pauses are shortened to {PAUSE_SECONDS:g} s."
    )
    denoise = forms.BooleanField(label="Lower steady noise", required=False, help_text="Hum, hiss, fans.")
    loudness = forms.BooleanField(
        label="Even out the loudness", required=False, help_text=f"Every clip at {LOUDNESS_LUFS:g} LUFS."
    )
    seconds = forms.FloatField(
        label="Seconds of reference",
        required=False,
        min_value=SHORTEST_SECONDS,
        max_value=LONGEST_SECONDS,
        help_text=f"How much of the clips the model hears; {Preparation().seconds:g} unless given.",
    )
    visibility = forms.ChoiceField(label="Who may use the voice", choices=Visibility.choices)

    PREPARATION = ("trim", "denoise", "loudness", "seconds")

    @property
    def preparation_fields(self) -> list[forms.BoundField]:
        return [self[name] for name in self.PREPARATION]

    def __init__(self, *args: Any, user: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        checkpoints: Any = self.fields["checkpoint"]
        checkpoints.queryset = (
            Checkpoint.objects.visible_to(user)
            .kept()
            .with_recommended()
            .select_related("run__version__dataset__speaker")
            .order_by("-run__created_at", "-kind", "epoch")
        )
        bundle: Any = self.fields["bundle"]
        default = str(settings.XTTS_BUNDLE)
        names = [each.path.name for each in list_bundles(settings.MODELS_DIR) if each.kind == "xtts"]
        bundle.choices = [
            ("", f"The portal's own: {default}"),
            *((name, name) for name in names if name != default),
        ]
        speakers: Any = self.fields["speaker"]
        speakers.queryset = Speaker.objects.visible_to(user)
        studio: Any = self.fields["studio"]
        studio.choices = [("", "None: a person's, from clips"), *_studio_choices([default, *names])]


def _studio_choices(bundles: Iterable[str]) -> list[tuple[str, list[tuple[str, str]]]]:
    """The models' own voices, model by model; what cannot be read has none to choose."""
    found = []
    for bundle in dict.fromkeys(bundles):
        with contextlib.suppress(DomainError):
            names = studio_names(settings.MODELS_DIR / bundle)
            if names:
                found.append((bundle, [(name, name) for name in names]))
    return found


class PreparationForm(ServiceForm):
    """What is done to a voice's clips before the model hears them."""

    trim = VoiceForm.base_fields["trim"]
    denoise = VoiceForm.base_fields["denoise"]
    loudness = VoiceForm.base_fields["loudness"]
    seconds = VoiceForm.base_fields["seconds"]


def preparation_of(values: dict[str, Any]) -> Preparation:
    """Taken out of a valid form's values; seconds left empty are the default's."""
    given = {name: values.pop(name) for name in VoiceForm.PREPARATION}
    return Preparation(**{name: value for name, value in given.items() if value is not None})


class SpokenVoiceField(forms.ModelChoiceField):
    """A voice of the person's or the team's, or one of the model's, which becomes the person's own when chosen."""

    STUDIO = "studio:"

    def __init__(self, *, user: Any = None, **options: Any):
        super().__init__(Voice.objects.none(), empty_label=None, **options)
        self.offer(user)

    def offer(self, user: Any) -> None:
        """Let this person choose."""
        self.user = user
        if user is None:
            return
        self.queryset = Voice.objects.visible_to(user).ready().select_related("checkpoint__run", "owner", "profile")
        self.studio = [(f"{self.STUDIO}{each.name}", each.name) for each in studio_offered(user=user)]
        # Through a generator, because a list made of the iterator itself would first ask for its length.
        choices = [*iter(self.iterator(self)), *([("Of the model", self.studio)] if self.studio else [])]
        self.widget.choices = choices

    def to_python(self, value: Any) -> Any:
        if not str(value or "").startswith(self.STUDIO):
            return super().to_python(value)
        try:
            return voice_find(user=self.user, given=str(value).removeprefix(self.STUDIO))
        except DomainError as error:
            raise forms.ValidationError(error.message) from error


class CarefulSelect(forms.Select):
    """A choice of guards or profiles. Those that need a transcription model are shown and cannot be chosen while
    ``deaf``."""

    deaf = False

    def create_option(self, name: str, value: Any, label: Any, selected: Any, *args: Any, **kwargs: Any) -> Any:
        option = super().create_option(name, value, label, selected, *args, **kwargs)
        profile = getattr(value, "instance", None)
        if self.deaf and (profile.guard if profile else value) == GuardMode.CAREFUL:
            option["label"] = f"{label} (needs a transcription model)"
            # What is chosen already stays so: a form that is sent does not have what cannot be chosen.
            option["attrs"] |= {} if selected else {"disabled": True}
        return option


def _tell_the_deaf(form: forms.Form) -> None:
    """Where no transcription model is installed, say so where one may choose what needs one."""
    missing = careful_missing()
    if not missing:
        return
    fields = [field for field in form.fields.values() if isinstance(field.widget, CarefulSelect)]
    for field in fields:
        field.widget.deaf = True  # type: ignore[attr-defined]
    # Once is enough.
    fields[-1].help_text = format_html("{} {}", mark_safe(str(fields[-1].help_text)), missing)  # noqa: S308 (ours)


class SpeakForm(ServiceForm):
    """The text and who speaks it; what is left empty comes from the profile, the voice, then from the model."""

    voice = SpokenVoiceField()
    text = forms.CharField(
        widget=forms.Textarea(attrs={"rows": 5}),
        strip=True,
        help_text="A blank line ends a paragraph. <code>[pause 700ms]</code> is silence; <code>[voice: name]</code> "
        "and <code>[lang: pt]</code> hold until the next, <code>[voice]</code> and <code>[lang]</code> go back.",
    )
    language = forms.ChoiceField(
        choices=[("", "The voice's own"), (AUTO, "Told from the text, by paragraph"), *LANGUAGE_CHOICES], required=False
    )
    profile = forms.ModelChoiceField(
        queryset=QualityProfile.objects.none(),
        required=False,
        empty_label="The voice's own",
        widget=CarefulSelect,
        help_text=format_lazy(
            'Sets what is left empty below. <a href="{}">What the profiles set</a>', reverse_lazy("voices:profiles")
        ),
    )
    speed = forms.FloatField(required=False, min_value=0.25, max_value=4.0, help_text="1 is natural, 2 twice as fast.")
    seed = forms.IntegerField(
        required=False, min_value=0, help_text="The same seed speaks the same way again. Empty: another one each time."
    )
    temperature = forms.FloatField(
        required=False, min_value=0.01, max_value=2.0, help_text="Lower is steadier, higher livelier; 0.75 is usual."
    )
    top_p = forms.FloatField(label="Top p", required=False, min_value=0.01, max_value=1.0)
    top_k = forms.IntegerField(label="Top k", required=False, min_value=0, max_value=1024)
    repetition_penalty = forms.FloatField(required=False, min_value=1.0, max_value=50.0)

    guard = forms.ChoiceField(
        label="Guard",
        required=False,
        choices=[("", "The voice's own"), *GuardMode.choices],
        widget=CarefulSelect,
        help_text="What babbles, breaks off or repeats itself is said again, cut, or told.",
    )
    sentence_pause = forms.FloatField(
        label="Sentence pause",
        required=False,
        min_value=0.0,
        max_value=LONGEST_PAUSE,
        help_text=f"Seconds between sentences; {Pauses().sentence:g} unless given.",
    )
    paragraph_pause = forms.FloatField(
        label="Paragraph pause",
        required=False,
        min_value=0.0,
        max_value=LONGEST_PAUSE,
        help_text=f"Seconds, where a blank line stands; {Pauses().paragraph:g} unless given.",
    )

    max_retries = forms.IntegerField(
        label="Retries",
        required=False,
        min_value=0,
        max_value=MOST_RETRIES,
        help_text=f"How often a bad sentence is said again; {GuardSettings().max_retries} unless given.",
    )
    candidates = forms.IntegerField(
        required=False,
        min_value=1,
        max_value=MOST_CANDIDATES,
        help_text=f"Of how many a careful guard takes the best; {GuardSettings().candidates} unless given.",
    )

    SAMPLING = ("speed", "seed", "temperature", "top_p", "top_k", "repetition_penalty")
    MORE = ("profile", *SAMPLING, *GUARDING, "sentence_pause", "paragraph_pause")

    def __init__(self, *args: Any, user: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.user = user
        voices: Any = self.fields["voice"]
        voices.offer(user)
        profiles: Any = self.fields["profile"]
        profiles.queryset = QualityProfile.objects.for_choice(user)
        _tell_the_deaf(self)
        # For the counter beside it. No maxlength: cutting a pasted text off unseen would be worse than refusing it.
        self.fields["text"].widget.attrs["data-limit"] = settings.SPEECH_MAX_CHARACTERS

    def clean_text(self) -> str:
        """Browsers send each end of a line as two characters; the page counts one, as people do."""
        return str(self.cleaned_data["text"]).replace("\r\n", "\n")

    @property
    def has_voices(self) -> bool:
        """Whether there is any to choose."""
        return bool(self.fields["voice"].widget.choices)  # type: ignore[attr-defined]

    @property
    def sampling(self) -> dict[str, Any]:
        """Of a valid form: what was given, below it the chosen profile's."""
        values = self.cleaned_data
        given = {name: values[name] for name in self.SAMPLING}
        return profile_sampling(user=self.user, profile=values["profile"], given=given)

    @property
    def guarding(self) -> dict[str, Any]:
        """Of a valid form: how to guard it, as far as that was given."""
        return {name: self.cleaned_data[name] for name in GUARDING}

    @property
    def pauses(self) -> Pauses:
        """Of a valid form."""
        return pauses_of(self.cleaned_data)

    @property
    def wish(self) -> Wish:
        """Of a valid form."""
        values = self.cleaned_data
        return Wish(
            user=self.user,
            voice=values["voice"],
            text=values["text"],
            language=values["language"],
            sampling=self.sampling,
            pauses=self.pauses,
            guard=self.guarding,
            profile=values["profile"],
            channel=Channel.PAGE,
        )

    @property
    def more(self) -> list[forms.BoundField]:
        """The fields that stand under "More"."""
        return [self[name] for name in self.MORE]


class LexiconForm(ServiceForm):
    written = forms.CharField(max_length=100, widget=forms.TextInput(attrs=KEPT), help_text="As it stands in the text.")
    spoken = forms.CharField(
        max_length=200, widget=forms.TextInput(attrs=KEPT), help_text="As it sounds, in the letters of the language."
    )
    language = forms.ChoiceField(choices=[("", "All languages"), *LANGUAGE_CHOICES], required=False)
    whole_word = forms.BooleanField(label="Whole words only", required=False, initial=True)
    match_case = forms.BooleanField(label="Only with the same small and capital letters", required=False)
    visibility = forms.ChoiceField(label="Whose speech it is for", choices=Visibility.choices)

    @classmethod
    def of(cls, entry: LexiconEntry) -> LexiconForm:
        """Filled with an entry."""
        return cls(initial={name: getattr(entry, name) for name in cls.base_fields})


class LexiconImportForm(ServiceForm):
    table = forms.FileField(
        label="CSV file",
        allow_empty_file=True,
        help_text="UTF-8; the first line names the columns <code>written</code> and <code>spoken</code>, and if wanted "
        "<code>language</code>, <code>whole_word</code> and <code>match_case</code>. All rows are taken, or none.",
    )
    visibility = forms.ChoiceField(label="Whose speech it is for", choices=Visibility.choices)


class ProfileForm(ServiceForm):
    """An own profile. What is left empty is the voice's own, and where it has none the model's."""

    name = forms.CharField(max_length=60)
    purpose = forms.CharField(max_length=200, required=False, help_text="What it is for.")
    temperature = SpeakForm.base_fields["temperature"]
    top_k = SpeakForm.base_fields["top_k"]
    top_p = SpeakForm.base_fields["top_p"]
    repetition_penalty = SpeakForm.base_fields["repetition_penalty"]
    speed = SpeakForm.base_fields["speed"]
    guard = SpeakForm.base_fields["guard"]
    max_retries = SpeakForm.base_fields["max_retries"]
    candidates = SpeakForm.base_fields["candidates"]
    visibility = forms.ChoiceField(label="Who may use it", choices=Visibility.choices)

    @classmethod
    def of(cls, profile: QualityProfile) -> ProfileForm:
        """Filled with a profile."""
        return cls(initial={name: getattr(profile, name) for name in cls.base_fields})


class ProfileChoiceForm(ServiceForm):
    """Which profile a voice speaks with."""

    profile = forms.ModelChoiceField(
        queryset=QualityProfile.objects.none(),
        required=False,
        empty_label="The model's own values",
        widget=CarefulSelect,
    )

    def __init__(self, *args: Any, user: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        profiles: Any = self.fields["profile"]
        profiles.queryset = QualityProfile.objects.for_choice(user)
        _tell_the_deaf(self)
