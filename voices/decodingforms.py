"""The form of a search for a voice's values."""

from __future__ import annotations

from typing import Any

from django import forms

from datasets.forms import ServiceForm
from training.engine.search import BY_NAME, DECODING, Dimension, Space
from training.sweepforms import SEARCHED, SearchedField
from voices.services.decoding import PRESET_COUNT, PRESET_SPACE
from xttsproject.lib.errors import DomainError


class DecodingForm(ServiceForm):
    """What is searched, and how many candidates speak."""

    count = forms.IntegerField(
        initial=PRESET_COUNT,
        label="Candidates",
        help_text="Each says the fixed sentences once; the best third say them with two more seeds.",
    )
    text = forms.CharField(
        required=False,
        max_length=500,
        label="Your own sentence",
        help_text="Said besides the four fixed ones: of the kind that this voice is to speak.",
        widget=forms.Textarea(attrs={"rows": 2}),
    )
    seed = forms.IntegerField(initial=1, help_text="The same seed tries the same values and speaks with the same luck.")
    write_winner = forms.BooleanField(
        required=False,
        label="Write the winner at once",
        help_text="The voice takes the best values as soon as they are found, without your having heard them.",
    )

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        fields: dict[str, forms.Field] = {}
        for parameter in DECODING:
            field = SearchedField(parameter)
            preset = PRESET_SPACE.get(parameter.name)
            field.initial = str(Dimension(parameter.name, (), preset["low"], preset["high"])) if preset else ""
            fields[f"{SEARCHED}{parameter.name}"] = field
        self.fields = {**fields, **self.fields}

    def space(self) -> Space:
        """DomainError ``space_invalid`` where nothing is searched."""
        chosen = (self.cleaned_data[f"{SEARCHED}{parameter.name}"] for parameter in DECODING)
        return Space(tuple(dimension for dimension in chosen if dimension is not None))

    def refuse(self, error: DomainError) -> None:
        name = (error.field or "").removeprefix("space.")
        if name in BY_NAME and f"{SEARCHED}{name}" in self.fields:
            self.add_error(f"{SEARCHED}{name}", error.message)
        else:
            super().refuse(error)
