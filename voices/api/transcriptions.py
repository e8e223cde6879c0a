"""OpenAI's ``/v1/audio/transcriptions`` and ``translations``: what is said in a file, as text or subtitles."""

from __future__ import annotations

import logging
import math
from collections.abc import Generator, Mapping
from typing import Any, ClassVar, Literal

from django.conf import settings
from django.http import HttpResponse, HttpResponseBase, StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.parsers import FormParser, MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from datasets.pipeline.dictation import Dictated, DictationWish, Stretch
from voices.api.answers import WAITING, SpeakingView
from voices.api.fields import AnyAccept, NamedChoiceField
from voices.clients import CLIENT_GONE, hung_up
from voices.services.clips import uploads_of
from voices.services.transcription import listener, transcription_make, transcription_stream
from voices.streamed import Body, event
from xttsproject.lib.errors import Cancelled, DomainError
from xttsproject.lib.subtitles import Cue, srt, vtt
from xttsproject.xtts.languages import LANGUAGES

logger = logging.getLogger(__name__)

FORMATS = ("json", "text", "srt", "verbose_json", "vtt")
STREAMED = ("json", "text")
GRANULARITIES = ("segment", "word")


class TranslationSerializer(serializers.Serializer[Any]):
    """What is to be written down, and how."""

    file = serializers.FileField(allow_empty_file=True, help_text="Any audio or video format.")
    model = serializers.CharField(
        help_text="A Whisper model of `/v1/models`; other names, which many clients send unasked, stand for "
        "WHISPER_BUNDLE. A model that speaks is refused."
    )
    language = serializers.CharField(
        required=False,
        allow_blank=True,
        default="",
        help_text="Code such as en, or English name; left out: told from the sound.",
    )
    prompt = serializers.CharField(
        required=False,
        allow_blank=True,
        default="",
        max_length=5000,
        help_text="Text as if it had been said before: its spelling of names and its style are followed.",
    )
    temperature = serializers.FloatField(
        default=0.0, help_text="0 to 1; 0 is certain, and rises by itself where the result is poor."
    )
    response_format = NamedChoiceField(choices=FORMATS, default="json")
    stream = serializers.BooleanField(
        default=False,
        help_text="With `json` and `text`: as server-sent events while it is written down, `transcript.text.delta` "
        "(`delta`) and `transcript.text.done` (`text`, `usage`).",
    )


class TranscriptionSerializer(TranslationSerializer):
    """What is to be written down as it is spoken, and how."""

    timestamp_granularities = serializers.ListField(
        child=NamedChoiceField(choices=GRANULARITIES),
        required=False,
        help_text="With `verbose_json`: segments (as by default), words, or both. `timestamp_granularities[]` is the "
        "same.",
    )

    def to_internal_value(self, data: Any) -> Any:
        # Forms repeat a field for a list; OpenAI's clients add brackets to its name.
        name = "timestamp_granularities"
        if hasattr(data, "getlist"):
            given = [value for key in (name, f"{name}[]") for value in data.getlist(key)]
            data = {key: data.get(key) for key in data if not key.startswith(name)}
            if given:
                data[name] = given
        return super().to_internal_value(data)


class TranscriptionSegmentSerializer(serializers.Serializer[Any]):
    id = serializers.IntegerField(help_text="From 0.")
    seek = serializers.IntegerField()
    start = serializers.FloatField(help_text="Seconds.")
    end = serializers.FloatField()
    text = serializers.CharField()
    tokens = serializers.ListField(child=serializers.IntegerField())
    temperature = serializers.FloatField()
    avg_logprob = serializers.FloatField()
    compression_ratio = serializers.FloatField()
    no_speech_prob = serializers.FloatField()


class TranscriptionWordSerializer(serializers.Serializer[Any]):
    word = serializers.CharField()
    start = serializers.FloatField(help_text="Seconds.")
    end = serializers.FloatField()


class TranscriptionUsageSerializer(serializers.Serializer[Any]):
    type = serializers.CharField()
    seconds = serializers.IntegerField(help_text="Of sound, rounded up.")


class TranscriptionAnswerSerializer(serializers.Serializer[Any]):
    """``text`` and ``usage``; with ``verbose_json`` the rest."""

    text = serializers.CharField()
    usage = TranscriptionUsageSerializer()
    task = serializers.CharField(required=False)
    language = serializers.CharField(
        required=False, help_text="Of the text: English name in small letters, else Whisper's code."
    )
    duration = serializers.FloatField(required=False, help_text="Seconds.")
    segments = TranscriptionSegmentSerializer(many=True, required=False)
    words = TranscriptionWordSerializer(many=True, required=False)


_WRITTEN: dict[Any, Any] = {
    (200, "application/json"): TranscriptionAnswerSerializer,
    (200, "text/plain"): OpenApiTypes.STR,
    (200, "text/vtt"): OpenApiTypes.STR,
    (200, "application/x-subrip"): OpenApiTypes.STR,
    (200, "text/event-stream"): OpenApiTypes.STR,
    **WAITING,
}


class ListeningView(SpeakingView):
    """Whoever listens to a file and answers with what is said in it."""

    parser_classes = (MultiPartParser, FormParser)
    content_negotiation_class = AnyAccept
    task: ClassVar[Literal["transcribe", "translate"]]

    def answer(self, request: Request, asked: TranslationSerializer) -> HttpResponseBase:
        asked.is_valid(raise_exception=True)
        values = asked.validated_data
        if values["stream"] and values["response_format"] not in STREAMED:
            raise DomainError(
                "stream_unsupported",
                f"A transcription is streamed as text, not as {values['response_format']}; leave “stream” out, or ask "
                f"for one of {', '.join(STREAMED)}.",
                field="stream",
            )
        granularities = _granularities(values)
        wish = DictationWish(
            language=_language(values["language"]),
            prompt=values["prompt"],
            temperature=values["temperature"],
            words="word" in granularities,
            beam=settings.WHISPER_BEAM_SIZE,
            task=self.task,
        )
        (upload,) = uploads_of([values["file"]])
        asked_for = {"upload": upload, "model": values["model"], "wish": wish, "gone": hung_up(request._request)}
        try:
            if values["stream"]:
                return _streamed(transcription_stream(**asked_for))
            heard = transcription_make(**asked_for)
        except Cancelled:
            return HttpResponse(status=CLIENT_GONE)
        return _answer(heard, values["response_format"], granularities, self.task)

    def seconds_until_free(self) -> float:
        return listener().seconds_until_free


class TranscriptionView(ListeningView):
    task = "transcribe"

    @extend_schema(
        request={"multipart/form-data": TranscriptionSerializer},
        responses=_WRITTEN,
        operation_id="v1_audio_transcriptions_create",
    )
    def post(self, request: Request) -> HttpResponseBase:
        """Write down what is said in a file; nothing of it is kept."""
        return self.answer(request, TranscriptionSerializer(data=request.data))


class TranslationView(ListeningView):
    task = "translate"

    @extend_schema(
        request={"multipart/form-data": TranslationSerializer},
        responses=_WRITTEN,
        operation_id="v1_audio_translations_create",
    )
    def post(self, request: Request) -> HttpResponseBase:
        """Write down in English what is said in a file, in whatever language; nothing of it is kept.

        By Whisper itself, as far as the model has learnt it: turbo and distilled models have not.
        """
        return self.answer(request, TranslationSerializer(data=request.data))


def _granularities(values: Mapping[str, Any]) -> tuple[str, ...]:
    given = tuple(values.get("timestamp_granularities") or ())
    if "word" in given and values["response_format"] != "verbose_json":
        raise DomainError(
            "format_mismatch",
            f"Word times come with the response format verbose_json, not with {values['response_format']}; ask for "
            "that, or leave timestamp_granularities out.",
            field="timestamp_granularities",
        )
    return given or ("segment",)


def _language(given: str) -> str:
    """As Whisper writes it: "en-GB", "EN" and "English" are "en", "zh-cn" is "zh". Which it knows, the model says."""
    given = given.strip().lower().replace("_", "-")
    named = {language.name.lower(): language.code for language in LANGUAGES.values()}
    return named.get(given, given).split("-")[0]


def _streamed(under_way: Generator[Stretch, None, Dictated]) -> HttpResponseBase:
    """As OpenAI's server-sent events. What is wrong before the first one is an ordinary error."""
    first = _Next(under_way)
    return StreamingHttpResponse(
        Body(under_way, _events(under_way, first)),
        content_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


class _Next:
    """The next stretch, or at the end the whole."""

    def __init__(self, under_way: Generator[Stretch, None, Dictated]):
        self.stretch: Stretch | None = None
        self.whole: Dictated | None = None
        try:
            self.stretch = next(under_way)
        except StopIteration as end:
            self.whole = end.value


def _events(under_way: Generator[Stretch, None, Dictated], heard: _Next) -> Generator[bytes, None, None]:
    try:
        before = ""
        while heard.stretch is not None:
            yield event("transcript.text.delta", {"delta": before + heard.stretch.text})
            before, heard = " ", _Next(under_way)
    except Cancelled:
        return
    except DomainError as error:
        yield event("error", {"error": {"message": error.message, "code": error.code, "param": error.field}})
        return
    except Exception:
        logger.exception("A transcription broke while it was streamed")
        message = "The transcription broke off; try again."
        yield event("error", {"error": {"message": message, "code": "server_error", "param": None}})
        return
    assert heard.whole is not None
    yield event("transcript.text.done", {"text": heard.whole.text, "usage": _usage(heard.whole)})


def _usage(heard: Dictated) -> dict[str, Any]:
    return {"type": "duration", "seconds": math.ceil(heard.seconds)}


def _answer(heard: Dictated, name: str, granularities: tuple[str, ...], task: str) -> Response | HttpResponse:
    if name == "text":
        return HttpResponse(f"{heard.text}\n", content_type="text/plain; charset=utf-8")
    cues = [Cue(stretch.start, stretch.end, stretch.text) for stretch in heard.stretches]
    if name == "srt":
        return HttpResponse(srt(cues), content_type="application/x-subrip; charset=utf-8")
    if name == "vtt":
        return HttpResponse(vtt(cues), content_type="text/vtt; charset=utf-8")
    answer: dict[str, Any] = {
        "text": heard.text,
        "usage": _usage(heard),
    }
    if name == "verbose_json":
        language = "english" if task == "translate" else _spelled(heard.language)
        answer |= {"task": task, "language": language, "duration": heard.seconds}
        if "segment" in granularities:
            answer["segments"] = [{"id": number, **vars(stretch)} for number, stretch in enumerate(heard.stretches)]
        if heard.words is not None:
            answer["words"] = [{"word": word.text, "start": word.start, "end": word.end} for word in heard.words]
    return Response(TranscriptionAnswerSerializer(answer).data)


def _spelled(code: str) -> str:
    """OpenAI writes "english"; of the languages that this project does not speak Whisper's code is all we have."""
    for language in LANGUAGES.values():
        if language.code.split("-")[0] == code:
            return language.name.lower()
    return code
