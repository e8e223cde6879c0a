"""The forms of a search and of what follows from it."""

from __future__ import annotations

from typing import Any

from django import forms

from training.choices import SweepMethod
from training.engine.median import GRACE_EPOCHS
from training.engine.search import PARAMETERS, Dimension, Parameter, Space, read_dimension
from training.forms import RunForm
from training.services import Search
from xttsproject.accounts.models import Visibility
from xttsproject.lib.errors import DomainError

SEARCHED = "searched_"


class SearchedField(forms.CharField):
    """``1e-4, 3e-4`` are values, ``5e-5 to 1e-3`` is a range; empty is not searched."""

    def __init__(self, parameter: Parameter):
        super().__init__(
            required=False,
            max_length=300,
            label=parameter.label,
            help_text=f"For example {parameter.example}.",
            widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
        )
        self.parameter = parameter

    def clean(self, value: Any) -> Dimension | None:
        text: str = super().clean(value)
        try:
            return read_dimension(self.parameter.name, text)
        except DomainError as error:
            raise forms.ValidationError(error.message) from error


class SweepForm(RunForm):
    """What is searched, how long, and what all trials share; a value that is searched is not taken from below."""

    search_method = forms.ChoiceField(
        choices=SweepMethod.choices, initial=SweepMethod.SOBOL, widget=forms.RadioSelect, label="How to search"
    )
    budget_runs = forms.IntegerField(
        required=False, initial=12, label="Trials at most", help_text="Empty: as many as the grid or the hours allow."
    )
    budget_hours = forms.FloatField(
        required=False,
        label="Hours of training at most",
        help_text="Added up over all trials; after that no new one begins, and those at work go on to their end.",
        widget=forms.NumberInput(attrs={"step": "any"}),
    )
    parallel = forms.IntegerField(
        required=False,
        label="Trials at once",
        help_text="Empty: every worker of the gpu queue takes one. Of a sweep one trial at most waits in the queue, so "
        "that other people's runs come next.",
    )
    stop_unpromising = forms.BooleanField(
        required=False,
        initial=True,
        label="Stop unpromising trials",
        help_text="A trial whose best validation loss is worse than the median of the others' at the same epoch ends.",
    )
    grace_epochs = forms.IntegerField(
        initial=GRACE_EPOCHS, label="Not before epoch", help_text="Nothing is stopped in fewer epochs than these."
    )
    search_seed = forms.IntegerField(
        initial=1, label="Seed of the search", help_text="The same seed tries the same values."
    )

    ABOUT = ("name", "version", "bundle", "visibility")
    BUDGET = (
        "search_method",
        "budget_runs",
        "budget_hours",
        "parallel",
        "stop_unpromising",
        "grace_epochs",
        "search_seed",
    )

    def __init__(self, *args: Any, user: Any, **kwargs: Any):
        super().__init__(*args, user=user, **kwargs)
        for parameter in PARAMETERS:
            self.fields[f"{SEARCHED}{parameter.name}"] = SearchedField(parameter)
        self.fields["name"].help_text = "How you will find the sweep again; its trials are numbered after it."
        self.fields["visibility"].label = "Who may see the sweep and its trials"
        # What matters most, and where it usually lies.
        self.fields[f"{SEARCHED}learning_rate"].initial = "5e-5 to 1e-3"
        # A trial is there to be compared; what is chosen of it is trained again.
        self.fields["keep_best"].initial = 1

    def _all(self, names: tuple[str, ...]) -> list[forms.BoundField]:
        return [self[name] for name in names]

    @property
    def about(self) -> list[forms.BoundField]:
        return self._all(self.ABOUT)

    @property
    def searched(self) -> list[forms.BoundField]:
        return self._all(tuple(f"{SEARCHED}{parameter.name}" for parameter in PARAMETERS))

    @property
    def budget(self) -> list[forms.BoundField]:
        return self._all(self.BUDGET)

    @property
    def shared(self) -> list[forms.BoundField]:
        """What remains: the values that all trials share."""
        shown = {field.name for field in (*self.about, *self.searched, *self.budget)}
        return self._all(tuple(name for name in self.fields if name not in shown))

    def search(self) -> Search:
        """DomainError ``space_invalid`` where nothing is searched."""
        chosen = self.cleaned_data
        dimensions = (chosen[f"{SEARCHED}{parameter.name}"] for parameter in PARAMETERS)
        return Search(
            space=Space(tuple(dimension for dimension in dimensions if dimension is not None)),
            method=chosen["search_method"],
            budget_runs=chosen["budget_runs"],
            budget_hours=chosen["budget_hours"],
            parallel=chosen["parallel"],
            stop_unpromising=chosen["stop_unpromising"],
            grace_epochs=chosen["grace_epochs"],
            seed=chosen["search_seed"],
        )

    def refuse(self, error: DomainError) -> None:
        name = (error.field or "").removeprefix("space.")
        if f"{SEARCHED}{name}" in self.fields:
            self.add_error(f"{SEARCHED}{name}", self.worded(error))
        else:
            super().refuse(error)


class LongerForm(forms.Form):
    """A run once more, for longer."""

    name = forms.CharField(max_length=120)
    epochs = forms.IntegerField(help_text="Everything else stays as it was.")
    visibility = forms.ChoiceField(choices=Visibility.choices, label="Who may see the run and its checkpoints")

    def refuse(self, error: DomainError) -> None:
        self.add_error(error.field if error.field in self.fields else None, error.message)
