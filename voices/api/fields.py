"""Pieces that the serializers of this app share."""

from __future__ import annotations

from typing import Any, NoReturn

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

from voices.choices import GuardMode
from voices.engine.encoding import FORMATS, RATES, require_format
from voices.engine.loudness import CEILING_DB, HIGHEST, LOWEST
from xttsproject.lib.errors import DomainError
from xttsproject.xtts.guard.retries import MOST_CANDIDATES, MOST_RETRIES, GuardSettings
from xttsproject.xtts.text import shorten
from xttsproject.xtts.types import LONGEST_PAUSE, Pauses


class NamedChoiceField(serializers.ChoiceField):
    """Whoever chooses something else is told what there is."""

    def fail(self, key: str, **kwargs: Any) -> NoReturn:
        if key == "invalid_choice":
            there = ", ".join(str(each) for each in self.choices)
            raise serializers.ValidationError(
                f"{shorten(repr(kwargs['input']))} is not a valid choice; choose one of {there}.", code=key
            )
        super().fail(key, **kwargs)


@extend_schema_field({"type": "string", "pattern": f"^({'|'.join(FORMATS)})$"})
class FormatField(serializers.CharField):
    """A format of speech by its name."""

    def to_internal_value(self, data: Any) -> str:
        name: str = super().to_internal_value(data)
        return require_format(name, field=self.field_name or "format").name


@extend_schema_field({"type": "string", "pattern": "^(audio|sse)?$", "nullable": True})
class StreamFormatField(serializers.CharField):
    """How a stream comes; empty where that is not chosen."""

    def __init__(self, **options: Any):
        help_text = (
            "`audio`: the sound comes while it is spoken; `sse`: as server-sent events `speech.audio.delta` (`audio`: "
            "base64) and `speech.audio.done` (`usage`, `warnings` of the guard, `synthesis_id`, `seconds`)."
        )
        super().__init__(required=False, allow_blank=True, allow_null=True, help_text=help_text, **options)

    def to_internal_value(self, data: Any) -> str:
        name: str = super().to_internal_value(data)
        if name not in ("", "audio", "sse"):
            raise DomainError(
                "stream_format_unsupported",
                f"The stream format {name!r} is not supported; use audio or sse, or leave it out.",
                field=self.field_name or "stream_format",
            )
        return name


class SamplingSerializer(serializers.Serializer[Any]):
    """How the speech is drawn; what is left out comes from the profile, the voice, then from the model."""

    profile = serializers.CharField(
        required=False,
        allow_blank=True,
        allow_null=True,
        help_text="Id or name of a quality profile, see `/api/v1/profiles/`; left out: the voice's own.",
    )

    temperature = serializers.FloatField(required=False, allow_null=True, help_text="0.01 to 2; lower is steadier.")
    top_k = serializers.IntegerField(required=False, allow_null=True, help_text="0 to 1024; 0 keeps all codes.")
    top_p = serializers.FloatField(required=False, allow_null=True, help_text="0.01 to 1.")
    repetition_penalty = serializers.FloatField(required=False, allow_null=True, help_text="1 to 50.")
    speed = serializers.FloatField(required=False, allow_null=True, help_text="0.25 to 4; 1 is natural.")
    seed = serializers.IntegerField(
        required=False, allow_null=True, help_text="The same seed gives the same speech; left out, one is drawn."
    )


class GuardSerializer(serializers.Serializer[Any]):
    """How what is spoken is guarded against babble, missing words and the like."""

    guard = NamedChoiceField(
        choices=GuardMode.choices,
        required=False,
        allow_blank=True,
        allow_null=True,
        help_text="`off`, `fast` (unless given), or `careful`: a transcription model chooses among candidates.",
    )
    max_retries = serializers.IntegerField(
        required=False,
        allow_null=True,
        help_text=f"0 to {MOST_RETRIES}: how many times a bad sentence is said again; {GuardSettings().max_retries} "
        "unless given.",
    )
    candidates = serializers.IntegerField(
        required=False,
        allow_null=True,
        help_text=f"1 to {MOST_CANDIDATES}: how many times a careful guard has each sentence said at most; "
        f"{GuardSettings().candidates} unless given.",
    )


class SoundSerializer(serializers.Serializer[Any]):
    """How the sound is to come, besides its format."""

    sample_rate = serializers.IntegerField(
        required=False,
        allow_null=True,
        help_text=f"Hertz, one of {', '.join(str(rate) for rate in RATES)} (opus: those of Opus); 24000 unless given.",
    )
    loudness = serializers.FloatField(
        required=False,
        allow_null=True,
        help_text=f"Integrated loudness in LUFS (BS.1770), {LOWEST:g} to {HIGHEST:g}, true peaks below "
        f"{CEILING_DB:g} dB; -16 is usual. Left out: as spoken.",
    )


class PausesSerializer(serializers.Serializer[Any]):
    """Silence between what is spoken, in seconds."""

    sentence_pause = serializers.FloatField(
        required=False, allow_null=True, help_text=f"0 to {LONGEST_PAUSE:g}; {Pauses().sentence:g} unless given."
    )
    paragraph_pause = serializers.FloatField(
        required=False,
        allow_null=True,
        help_text=f"0 to {LONGEST_PAUSE:g}, where a blank line stands; {Pauses().paragraph:g} unless given.",
    )


class AnyAccept(BaseContentNegotiation):
    """What comes back follows from the request's body, so the Accept header refuses nothing."""

    def select_parser(self, request: Request, parsers: Any) -> Any:
        from rest_framework.negotiation import DefaultContentNegotiation

        return DefaultContentNegotiation().select_parser(request, parsers)

    def select_renderer(
        self, request: Request, renderers: Any, format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        return renderers[0], renderers[0].media_type
