"""What was spoken, and long texts: asked for, followed, heard sentence by sentence, changed, taken along."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.http import Http404, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import get_object_or_404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework import mixins, status, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from voices.api.answers import KEY_PARAMETER, SOUNDS, UNFINISHED, SpeakingView, body_of, output_of, retry_after
from voices.api.fields import AnyAccept
from voices.api.filters import SynthesisFilter
from voices.api.serializers import OutputSerializer
from voices.api.synthesis_serializers import (
    DetailQuerySerializer,
    LongSpeechSerializer,
    RegenerateSerializer,
    ResumeSerializer,
    SentenceSerializer,
    SubtitlesSerializer,
    SynthesisDetailSerializer,
    SynthesisSerializer,
    SynthesisUpdateSerializer,
)
from voices.api.wishes import wish_of
from voices.choices import Channel
from voices.engine.encoding import Output
from voices.models import Synthesis, SynthesisSentence
from voices.querysets import SynthesisQuerySet
from voices.services import synthesis_delete, synthesis_pin, voice_find
from voices.services.idempotency import HEADER, fingerprint_of, speak_once
from voices.services.longform import (
    longform_cancel,
    longform_create,
    longform_regenerate,
    longform_resume,
    longform_turn_seconds,
)
from voices.services.longform_output import (
    Recording,
    longform_archive,
    longform_bytes,
    longform_chapter,
    longform_so_far,
    longform_whole,
    require_whole,
)
from voices.services.output import SUBTITLES, synthesis_file, synthesis_subtitles
from voices.services.wishes import Wish
from xttsproject.accounts.api.schema import ErrorSerializer
from xttsproject.http import bytes_response, file_response
from xttsproject.strict import take_from_address, take_nothing

_NUMBER = OpenApiParameter("number", OpenApiTypes.INT, OpenApiParameter.PATH, description="From 1.")


@extend_schema_view(list=extend_schema(description="What you have had spoken, newest first."))
class SynthesisViewSet(
    SpeakingView, mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[Synthesis]
):
    """What you have had spoken. Nobody else sees it, whoever owns the voice."""

    queryset = Synthesis.objects.none()
    serializer_class = SynthesisDetailSerializer
    filterset_class = SynthesisFilter
    ordering_fields = ("created_at", "seconds")

    def get_queryset(self) -> SynthesisQuerySet:
        rows = Synthesis.objects.visible_to(self.request.user)
        if self.action == "list":
            return rows.for_lists()
        return rows.with_excerpts() if self.brief else rows

    @property
    def brief(self) -> bool:
        """Whether only the beginning of a text is read and told."""
        if self.action != "retrieve":
            return False
        take_from_address(self.request, "text")
        asked = DetailQuerySerializer(data=self.request.query_params)
        asked.is_valid(raise_exception=True)
        return not asked.validated_data["text"]

    def get_serializer_context(self) -> dict[str, Any]:
        return {**super().get_serializer_context(), "brief": self.brief}

    @extend_schema(parameters=[DetailQuerySerializer])
    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """What was spoken, or how far a long text is; with `text=false` without the whole text, for asking often."""
        return super().retrieve(request, *args, **kwargs)

    def get_serializer_class(self) -> Any:
        return SynthesisSerializer if self.action == "list" else SynthesisDetailSerializer

    def handle_exception(self, exc: Exception) -> Response:
        gone = isinstance(exc, FileNotFoundError)
        response = super().handle_exception(Http404("Its sound is no longer there.") if gone else exc)
        if response.status_code == status.HTTP_429_TOO_MANY_REQUESTS:
            response["Retry-After"] = retry_after(longform_turn_seconds(user=self.request.user))
        return response

    @extend_schema(
        request=LongSpeechSerializer,
        responses={202: SynthesisDetailSerializer, **dict.fromkeys((422, 429, 503), ErrorSerializer)},
        parameters=[KEY_PARAMETER],
    )
    def create(self, request: Request) -> Response:
        """Have a text spoken by a job, sentence by sentence: up to `SPEECH_LONG_CHARACTERS` characters.

        The answer comes at once, with the address of the speech in `Location`. `[chapter: Title]`, and headings on a
        line of their own (`# Title`), begin chapters.
        """
        asked = LongSpeechSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        values = asked.validated_data

        def wish() -> Wish:
            voice = voice_find(user=request.user, given=values["voice"])
            return wish_of(values, request.user, voice, Channel.API)

        synthesis, again = speak_once(
            user=request.user,
            key=request.headers.get(HEADER, ""),
            fingerprint=fingerprint_of(request.path, body_of(request)),
            make=lambda gone: longform_create(wish=wish()),
            gone=None,
            at_once=True,
        )
        headers = {"Location": reverse("synthesis-detail", args=(synthesis.pk,), request=request)}
        if again:
            headers["Idempotent-Replayed"] = "true"
        return Response(self.get_serializer(synthesis).data, status=status.HTTP_202_ACCEPTED, headers=headers)

    @extend_schema(request=SynthesisUpdateSerializer, responses=SynthesisDetailSerializer)
    def partial_update(self, request: Request, pk: Any = None) -> Response:
        """Pin it, so that neither age nor size has it pruned, or let go of it."""
        synthesis = self.get_object()
        asked = SynthesisUpdateSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        synthesis_pin(synthesis=synthesis, pinned=asked.validated_data["pinned"])
        return Response(self.get_serializer(synthesis).data)

    def destroy(self, request: Request, pk: Any = None) -> Response:
        """Delete the synthesis and its sound; what is still being spoken of it is stopped."""
        synthesis_delete(synthesis=self.get_object())
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(request=None, responses=SynthesisDetailSerializer)
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: Any = None) -> Response:
        """Stop speaking a long text, within seconds; what is spoken of it stays."""
        take_nothing(request)
        synthesis = self.get_object()
        longform_cancel(synthesis=synthesis)
        return Response(self.get_serializer(synthesis).data)

    @extend_schema(request=ResumeSerializer, responses={200: SynthesisDetailSerializer, 429: ErrorSerializer})
    @action(detail=True, methods=["post"])
    def resume(self, request: Request, pk: Any = None) -> Response:
        """Go on where a failed or cancelled long text was, with another voice where one of its own is gone."""
        synthesis = self.get_object()
        asked = ResumeSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        given = asked.validated_data.get("voice")
        longform_resume(synthesis=synthesis, voice=voice_find(user=request.user, given=given) if given else None)
        return Response(self.get_serializer(synthesis).data)

    @extend_schema(responses={**SOUNDS, **UNFINISHED}, parameters=[OutputSerializer])
    @action(detail=True, methods=["get"], content_negotiation_class=AnyAccept, filterset_class=None)
    def audio(self, request: Request, pk: Any = None) -> HttpResponseBase:
        """The sound: mono 16-bit WAV at 24 000 Hz, or as asked for; ranges are served.

        Other forms of a long text's sound are encoded while they are sent, with marks of its chapters, and have no
        ranges.
        """
        synthesis = self.get_object()
        output = _output(request)
        require_whole(synthesis=synthesis)
        name = f"{synthesis.pk}.{output.format.name}"
        if output.as_spoken:
            return file_response(
                request._request,
                synthesis.audio_path,
                content_type="audio/wav",
                download_name=name,
                changes=synthesis.is_long,
            )
        if synthesis.is_long:
            return _sent(synthesis, longform_whole(synthesis=synthesis), output, name)
        return bytes_response(
            request._request,
            synthesis_file(synthesis=synthesis, output=output),
            content_type=output.format.content_type,
            file_name=name,
        )

    @extend_schema(responses={**SOUNDS, **UNFINISHED}, parameters=[OutputSerializer])
    @action(
        detail=True,
        methods=["get"],
        url_path="so-far",
        url_name="so-far",
        content_negotiation_class=AnyAccept,
        filterset_class=None,
    )
    def so_far(self, request: Request, pk: Any = None) -> HttpResponseBase:
        """A long text's sound up to the first sentence that is not spoken yet."""
        synthesis = self.get_object()
        output = _output(request)
        recording = longform_so_far(synthesis=synthesis)
        return _sent(synthesis, recording, output, f"{synthesis.pk}-so-far.{output.format.name}")

    @extend_schema(
        responses={
            **{(200, known): OpenApiTypes.STR for known in ("text/vtt", "application/x-subrip")},
            (200, "application/json"): SubtitlesSerializer,
            **UNFINISHED,
        },
        parameters=[OpenApiParameter("format", OpenApiTypes.STR, enum=tuple(SUBTITLES), default="vtt")],
    )
    @action(detail=True, methods=["get"], content_negotiation_class=AnyAccept, filterset_class=None)
    def subtitles(self, request: Request, pk: Any = None) -> HttpResponseBase:
        """Its sentences with their times, as subtitles; `chapters` are its chapters as WebVTT, `json` has both."""
        take_from_address(request, "format")
        form = request.query_params.get("format", "vtt")
        content_type, written = synthesis_subtitles(synthesis=self.get_object(), form=form)
        suffix = "chapters.vtt" if form == "chapters" else form
        return HttpResponse(
            written,
            content_type=content_type,
            headers={"Content-Disposition": f'attachment; filename="{pk}.{suffix}"'},
        )

    # --- sentences and chapters of a long text ----------------------------------------------------------------

    @extend_schema(responses=SentenceSerializer(many=True))
    @action(detail=True, methods=["get"], filterset_class=None, ordering_fields=("number",))
    def sentences(self, request: Request, pk: Any = None) -> Response:
        """A long text's sentences in order, page by page; none of what was spoken at once."""
        rows: Any = self.get_object().parts.order_by("number")
        page: Any = self.paginate_queryset(rows)
        serializer = SentenceSerializer(page, many=True, context=self.get_serializer_context())
        return self.get_paginated_response(serializer.data)

    @extend_schema(responses={(200, "audio/wav"): OpenApiTypes.BINARY}, parameters=[_NUMBER])
    @action(
        detail=True,
        methods=["get"],
        url_path=r"sentences/(?P<number>\d{1,9})/audio",
        url_name="sentence-audio",
        content_negotiation_class=AnyAccept,
        filterset_class=None,
    )
    def sentence_audio(self, request: Request, pk: Any = None, number: str = "") -> HttpResponseBase:
        """One sentence's sound as WAV; ranges are served. 404 until it is spoken."""
        sentence = self._sentence(number)
        if not sentence.is_spoken:
            raise Http404("It is not spoken yet.")
        return file_response(request._request, sentence.path, content_type="audio/wav", changes=True)

    @extend_schema(
        request=RegenerateSerializer,
        responses={202: SentenceSerializer, 429: ErrorSerializer, 503: ErrorSerializer},
        parameters=[_NUMBER],
    )
    @action(
        detail=True,
        methods=["post"],
        url_path=r"sentences/(?P<number>\d{1,9})/regenerate",
        url_name="sentence-regenerate",
    )
    def regenerate(self, request: Request, pk: Any = None, number: str = "") -> Response:
        """Have one sentence said anew, by another seed, another text or another voice; then the whole is joined anew.

        Its sound and the whole stay as they are until then.
        """
        sentence = self._sentence(number)
        asked = RegenerateSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        values = asked.validated_data
        given = values.get("voice")
        voice = voice_find(user=request.user, given=given) if given else None
        longform_regenerate(sentence=sentence, seed=values.get("seed"), text=values.get("text", ""), voice=voice)
        serializer = SentenceSerializer(sentence, context=self.get_serializer_context())
        return Response(serializer.data, status=status.HTTP_202_ACCEPTED)

    @extend_schema(
        responses={(200, "application/zip"): OpenApiTypes.BINARY, **UNFINISHED},
        parameters=[OutputSerializer],
        operation_id="chapters",
    )
    @action(detail=True, methods=["get"], content_negotiation_class=AnyAccept, filterset_class=None)
    def chapters(self, request: Request, pk: Any = None) -> HttpResponseBase:
        """A ZIP with a file for each chapter of a long text that is whole."""
        synthesis = self.get_object()
        blocks = longform_archive(synthesis=synthesis, output=_output(request))
        return _streaming(blocks, "application/zip", f"{synthesis.pk}-chapters.zip")

    @extend_schema(responses={**SOUNDS, **UNFINISHED}, parameters=[OutputSerializer, _NUMBER])
    @action(
        detail=True,
        methods=["get"],
        url_path=r"chapters/(?P<number>\d{1,4})/audio",
        url_name="chapter-audio",
        content_negotiation_class=AnyAccept,
        filterset_class=None,
    )
    def chapter_audio(self, request: Request, pk: Any = None, number: str = "") -> HttpResponseBase:
        """One chapter's sound, as soon as all of it is spoken."""
        synthesis = self.get_object()
        output = _output(request)
        recording = longform_chapter(synthesis=synthesis, number=int(number))
        return _sent(synthesis, recording, output, f"{synthesis.pk}-{int(number):03d}.{output.format.name}")

    def _sentence(self, number: str) -> SynthesisSentence:
        return get_object_or_404(
            self.get_object().parts.select_related("voice", "next_voice", "synthesis__owner"), number=int(number)
        )


def _output(request: Request) -> Output:
    asked = OutputSerializer(data=request.query_params)
    asked.is_valid(raise_exception=True)
    return output_of(asked.validated_data, asked.validated_data["format"])


def _sent(synthesis: Synthesis, recording: Recording, output: Output, name: str) -> HttpResponseBase:
    blocks = longform_bytes(synthesis=synthesis, recording=recording, output=output)
    return _streaming(blocks, output.format.content_type, name)


def _streaming(blocks: Iterator[bytes], content_type: str, name: str) -> HttpResponseBase:
    return StreamingHttpResponse(
        blocks,
        content_type=content_type,
        headers={"Cache-Control": "private, no-store", "Content-Disposition": f'attachment; filename="{name}"'},
    )
