"""What lists can be narrowed by."""

from __future__ import annotations

import django_filters

from datasets.models import Speaker
from training.models import Checkpoint
from voices.models import Synthesis, Voice
from xttsproject.accounts.api.filters import VisibleFilter


class VoiceFilter(django_filters.FilterSet):
    speaker = VisibleFilter(Speaker)
    checkpoint = VisibleFilter(Checkpoint)

    class Meta:
        model = Voice
        fields = ("state", "language", "speaker", "checkpoint")


class SynthesisFilter(django_filters.FilterSet):
    voice = VisibleFilter(Voice)

    class Meta:
        model = Synthesis
        fields = ("voice", "language", "channel")
