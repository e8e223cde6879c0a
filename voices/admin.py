"""The admin of voices and of what they said: for looking, listening and deleting."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from datasets.admin.access import OwnedAdmin
from voices.engine.profiles import GUARDING, VALUES
from voices.models import DecodingSearch, LexiconEntry, QualityProfile, Synthesis, Voice
from voices.services import (
    decoding_delete,
    lexicon_delete,
    profile_checked,
    profile_delete,
    profile_update,
    synthesis_delete,
    synthesis_pin,
    voice_delete,
)
from xttsproject.lib.errors import DomainError


class LookAndDeleteAdmin(OwnedAdmin):
    """Voices and speech are made where the engine is; rows are deleted with their files."""

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        self.remove(obj)

    def delete_queryset(self, request: HttpRequest, queryset: Iterable[Any]) -> None:
        for row in queryset:
            self.remove(row)

    @abstractmethod
    def remove(self, row: Any) -> None:
        """Delete one row through its service."""


@admin.register(Voice)
class VoiceAdmin(LookAndDeleteAdmin):
    list_display = ("name", "speaker", "checkpoint", "bundle", "language", "state", "visibility", "owner", "created_at")
    list_filter = ("state", "language", "bundle", "visibility")
    search_fields = ("name", "speaker__name", "owner__username")
    list_select_related = ("speaker", "checkpoint__run", "owner")
    readonly_fields = ("clips",)

    @admin.display(description="reference clips")
    def clips(self, voice: Voice) -> SafeString:
        players = ((_player("voices:clip-audio", clip.name, voice.pk, clip.index),) for clip in voice.clips.all())
        return format_html_join("", "{}", players)

    def remove(self, row: Voice) -> None:
        voice_delete(voice=row)


@admin.register(DecodingSearch)
class DecodingSearchAdmin(LookAndDeleteAdmin):
    list_display = ("voice", "state", "count", "asked_by", "created_at", "finished_at")
    list_filter = ("state",)
    search_fields = ("voice__name", "asked_by__username")
    list_select_related = ("voice", "asked_by")
    date_hierarchy = "created_at"
    readonly_fields = ("page",)

    @admin.display(description="page")
    def page(self, search: DecodingSearch) -> SafeString:
        where = f"{reverse('voices:voice-settings', args=[search.voice_id])}?search={search.pk}"
        return format_html('<a href="{}">candidates and sounds</a>', where)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        # It has no owner of its own: whoever may change the voice may.
        return super(OwnedAdmin, self).has_delete_permission(request, obj) and (
            obj is None or self.editable(request).filter(pk=obj.pk).exists()
        )

    def remove(self, row: DecodingSearch) -> None:
        decoding_delete(search=row)


@admin.register(Synthesis)
class SynthesisAdmin(LookAndDeleteAdmin):
    list_display = (
        "beginning",
        "state",
        "voice_name",
        "language",
        "seconds",
        "elapsed",
        "profile_name",
        "channel",
        "pinned",
        "owner",
        "created_at",
        "listen",
    )
    list_filter = ("state", "pinned", "channel", "language", "bundle", "profile_name")
    actions = ("pin", "unpin")
    search_fields = ("text", "voice_name", "owner__username")
    list_select_related = ("owner",)
    date_hierarchy = "created_at"
    readonly_fields = ("listen", "page")

    def get_queryset(self, request: HttpRequest) -> Any:
        rows: Any = super().get_queryset(request)
        match = request.resolver_match
        # A page of a hundred long texts would be read for their first words.
        return rows.for_lists() if match and match.url_name == "voices_synthesis_changelist" else rows

    @admin.display(description="text")
    def beginning(self, synthesis: Synthesis) -> str:
        return str(synthesis)

    @admin.display(description="speech")
    def listen(self, synthesis: Synthesis) -> SafeString:
        if not synthesis.has_whole:
            return format_html("{}", "not whole yet")
        return _player("voices:synthesis-audio", str(synthesis), synthesis.pk)

    @admin.action(description="Pin: keep whatever their age and size", permissions=["delete"])
    def pin(self, request: HttpRequest, queryset: Any) -> None:
        self._pin(request, queryset, pinned=True)

    @admin.action(description="Unpin", permissions=["delete"])
    def unpin(self, request: HttpRequest, queryset: Any) -> None:
        self._pin(request, queryset, pinned=False)

    def _pin(self, request: HttpRequest, queryset: Any, *, pinned: bool) -> None:
        rows = list(queryset.editable_by(request.user))
        for row in rows:
            synthesis_pin(synthesis=row, pinned=pinned)
        self.message_user(request, f"{len(rows)} {'pinned' if pinned else 'no longer pinned'}.")

    @admin.display(description="sentences")
    def page(self, synthesis: Synthesis) -> SafeString:
        if not synthesis.is_long:
            return format_html("{}", len(synthesis.sentences))
        where = reverse("voices:long-detail", args=[synthesis.pk])
        return format_html('<a href="{}">{} sentences</a>', where, synthesis.parts.count())

    def remove(self, row: Synthesis) -> None:
        synthesis_delete(synthesis=row)


class ProfileAdminForm(forms.ModelForm):
    """Checked by the service that saves it, so that what that refuses stands at its field."""

    class Meta:
        model = QualityProfile
        fields = ("name", "purpose", "visibility", *VALUES, *GUARDING)

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or {}
        if not self.errors:
            try:
                profile_checked(profile=QualityProfile.objects.get(pk=self.instance.pk), **values)
            except DomainError as error:
                self.add_error(error.field if error.field in self.fields else None, error.message)
        return values


@admin.register(QualityProfile)
class QualityProfileAdmin(LookAndDeleteAdmin):
    """Copied on their page, changed there or here; the portal's own stay."""

    form = ProfileAdminForm
    fields = ("name", "purpose", "owner", "visibility", *VALUES, *GUARDING)
    readonly_fields = ("owner",)
    list_display = (
        "name",
        "temperature",
        "top_k",
        "top_p",
        "repetition_penalty",
        "speed",
        "guard",
        "max_retries",
        "candidates",
        "visibility",
        "owner",
        "updated_at",
    )
    list_filter = ("visibility", "guard")
    search_fields = ("name", "purpose", "owner__username")
    list_select_related = ("owner",)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        # By the rule that the one above has taken out for what is made by the engine.
        return OwnedAdmin.has_change_permission(self, request, obj)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Through the service that the page uses."""
        profile_update(profile=QualityProfile.objects.get(pk=obj.pk), **form.cleaned_data)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_delete_permission(request, obj) and (obj is None or not obj.is_builtin)

    def delete_queryset(self, request: HttpRequest, queryset: Any) -> None:
        super().delete_queryset(request, queryset.filter(owner__isnull=False))

    def remove(self, row: QualityProfile) -> None:
        profile_delete(profile=row)


@admin.register(LexiconEntry)
class LexiconAdmin(LookAndDeleteAdmin):
    """Entries are written on their owner's page, where they can be tried."""

    list_display = ("written", "spoken", "language", "whole_word", "match_case", "visibility", "owner", "updated_at")
    list_filter = ("language", "visibility")
    search_fields = ("written", "spoken", "owner__username")
    list_select_related = ("owner",)

    def remove(self, row: LexiconEntry) -> None:
        lexicon_delete(entry=row)


def _player(name: str, label: str, *args: Any) -> SafeString:
    return format_html(
        '<audio controls preload="none" src="{}" aria-label="{}"></audio>', reverse(name, args=args), label
    )
