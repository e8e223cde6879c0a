"""Speakers and recordings in the admin: mostly for looking."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.decorators import display

from datasets.admin.access import OwnedAdmin
from datasets.choices import DETECT
from datasets.models import Segment, SourceVideo, Speaker
from datasets.services.language_choice import source_language_set
from datasets.services.retranscribing import segments_retranscribe
from datasets.services.sources import source_delete
from xttsproject.lib.errors import DomainError


@admin.register(Speaker)
class SpeakerAdmin(OwnedAdmin):
    """The consent stays as it was given; notes and sharing can be changed."""

    list_display = ("name", "consent_kind", "consent_by", "consent_at", "visibility", "owner")
    list_filter = ("consent_kind", "visibility")
    search_fields = ("name", "notes", "consent_statement")
    list_select_related = ("owner", "consent_by")
    readonly_fields = (
        "owner",
        "name",
        "consent_kind",
        "consent_statement",
        "consent_evidence",
        "consent_by",
        "consent_at",
    )


@admin.register(SourceVideo)
class SourceVideoAdmin(OwnedAdmin):
    list_display = ("title", "speaker", "language", "state", "seconds", "segments_approved", "owner", "created_at")
    list_filter = ("state", "language", "origin", ("speaker", admin.RelatedOnlyFieldListFilter))
    search_fields = ("title", "original_name", "url", "owner__username")
    list_select_related = ("speaker", "owner")
    date_hierarchy = "created_at"
    actions = ("transcribe", "detect_language")
    fields = (
        "title",
        "visibility",
        "owner",
        "speaker",
        "language",
        "heard_language",
        "transcriber",
        "state",
        "error",
        "origin",
        "url",
        "attribution",
        "captions",
        "duplicate_of",
        "original_name",
        "sha256",
        "bytes",
        "container",
        "audio_codec",
        "sample_rate",
        "channels",
        "has_video",
        "seconds",
        "notices",
        "cut_by_words_at",
        "created_at",
    )
    readonly_fields = tuple(name for name in fields if name not in ("title", "visibility"))

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows: Any = super().get_queryset(request)
        return rows.with_counts()  # type: ignore[no-any-return]

    @display(description="approved")
    def segments_approved(self, source: Any) -> str:
        return f"{source.approved_count} of {source.segment_count}"

    @admin.action(description="Transcribe anew what nobody has reviewed", permissions=["change"])
    def transcribe(self, request: HttpRequest, queryset: QuerySet[SourceVideo]) -> None:
        rows: Any = self.editable(request).filter(pk__in=list(queryset.values_list("pk", flat=True)))
        for source in rows:
            try:
                _job, count = segments_retranscribe(source=source, owner=request.user)
            except DomainError as error:
                self.message_user(request, error.message, messages.ERROR)
            else:
                self.message_user(request, f"“{source.title}”: {count} segments will be transcribed anew.")

    @admin.action(description="Detect the language and transcribe anew", permissions=["change"])
    def detect_language(self, request: HttpRequest, queryset: QuerySet[SourceVideo]) -> None:
        rows: Any = self.editable(request).filter(pk__in=list(queryset.values_list("pk", flat=True)))
        for source in rows:
            try:
                source_language_set(source=source, language=DETECT, owner=request.user)
            except DomainError as error:
                self.message_user(request, error.message, messages.ERROR)
            else:
                self.message_user(request, f"“{source.title}”: its language will be listened for.")

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Segments are not deleted by themselves, but they do go with their recording."""
        rows, counts, forbidden, protected = super().get_deleted_objects(objs, request)
        return rows, counts, set(forbidden) - {Segment._meta.verbose_name}, protected

    def delete_model(self, request: HttpRequest, obj: SourceVideo) -> None:
        source_delete(source=obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[SourceVideo]) -> None:
        for source in queryset:
            source_delete(source=source)
