"""What lists can be narrowed by."""

from __future__ import annotations

import django_filters

from datasets.models import Speaker
from training.models import Checkpoint
from voices.models import Synthesis, Voice
from voices.querysets import SynthesisQuerySet
from xttsproject.accounts.api.filters import VisibleFilter


class VoiceFilter(django_filters.FilterSet):
    speaker = VisibleFilter(Speaker)
    checkpoint = VisibleFilter(Checkpoint)

    class Meta:
        model = Voice
        fields = ("state", "language", "speaker", "checkpoint")


class SynthesisFilter(django_filters.FilterSet):
    voice = VisibleFilter(Voice)
    search = django_filters.CharFilter(method="containing", help_text="Words of the text or the voice's name.")

    def containing(self, rows: SynthesisQuerySet, _name: str, value: str) -> SynthesisQuerySet:
        return rows.search(value)

    class Meta:
        model = Synthesis
        fields = ("voice", "language", "channel", "state", "pinned")
