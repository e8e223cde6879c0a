"""What people fill in to have a long text spoken."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings

from datasets.forms import ServiceForm
from voices.forms import SpeakForm, SpokenVoiceField
from xttsproject.xtts.types import LONGEST_SEED

_BYTES_PER_CHARACTER = 4
"""UTF-8 at most."""


class LongForm(SpeakForm):
    """The text or a file with it, and who speaks it."""

    script = forms.FileField(
        label="Text file",
        required=False,
        allow_empty_file=True,
        widget=forms.ClearableFileInput(attrs={"accept": ".txt,.md,text/plain,text/markdown"}),
        help_text="Plain text in UTF-8, instead of the text above.",
    )

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        text: Any = self.fields["text"]
        text.required = False
        text.widget.attrs.update({"data-limit": settings.SPEECH_LONG_CHARACTERS, "rows": 14})
        text.help_text += (
            " A heading on a line of its own (<code># Title</code>) begins a chapter and is spoken; "
            "<code>[chapter: Title]</code> begins one in silence."
        )

    def clean(self) -> dict[str, Any]:
        values = super().clean() or self.cleaned_data
        file = values.get("script")
        if file:
            if (values.get("text") or "").strip():
                self.add_error("script", "Give the text or a file with it, not both.")
            else:
                try:
                    values["text"] = self.fields["text"].clean(self._read(file)).replace("\r\n", "\n")
                except forms.ValidationError as error:
                    self.add_error("script", error)
        return values

    def _read(self, file: Any) -> str:
        limit = settings.SPEECH_LONG_CHARACTERS
        if file.size > limit * _BYTES_PER_CHARACTER:
            self.add_error(
                "script", f"The file has {file.size} bytes, more than {limit} characters can have; shorten or split it."
            )
            return ""
        try:
            return str(file.read().decode("utf-8-sig"))
        except UnicodeDecodeError as error:
            self.add_error(
                "script",
                f"“{file.name}” is no text in UTF-8: its byte {error.start + 1} cannot be read; save it as UTF-8 text.",
            )
            return ""


class AgainForm(ServiceForm):
    """How one sentence is to be said anew."""

    seed = forms.IntegerField(
        required=False, min_value=0, max_value=LONGEST_SEED, help_text="Empty: another one than before."
    )
    text = forms.CharField(
        required=False,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text="What it is to say instead; empty: the same.",
    )
    voice = forms.CharField(required=False, max_length=120, help_text="Who is to say it; empty: the same.")


class RecastForm(ServiceForm):
    """Who is to say the rest of a text whose own voice no longer can; none: nobody else."""

    voice = SpokenVoiceField(required=False)

    def __init__(self, *args: Any, user: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        voices: Any = self.fields["voice"]
        voices.offer(user)


def first_problem(form: forms.Form) -> str:
    """One sentence for a message above the page."""
    field, problems = next(iter(form.errors.items()))
    return str(problems[0]) if field == "__all__" else f"{form[field].label}: {problems[0]}"
