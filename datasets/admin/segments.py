"""The review desk: listen, correct, approve."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from simple_history.admin import SimpleHistoryAdmin
from unfold.decorators import display
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget

from datasets.admin.access import OwnedAdmin
from datasets.admin.filters import FlagFilter, LatestFilter
from datasets.admin.marks import heard_words, measures_table, player
from datasets.choices import ReviewStatus
from datasets.models import Segment
from datasets.services.beside import segment_caption
from datasets.services.retranscribing import selection_retranscribe
from datasets.services.segments import segment_edit, segment_review, segments_review, text_problems
from xttsproject.http import keys_given
from xttsproject.lib.errors import DomainError


class ReviewForm(forms.ModelForm):
    """Text and status together, so that one click on "Save" corrects and approves a whole page.

    What the page showed travels along: a value that another reviewer changed meanwhile is not written back by
    somebody who did not touch it.
    """

    text = forms.CharField(
        required=False,
        strip=True,
        show_hidden_initial=True,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3, "spellcheck": "true", "style": "min-width: 20rem"}),
    )
    status = forms.ChoiceField(
        choices=ReviewStatus.choices,
        show_hidden_initial=True,
        widget=UnfoldAdminSelectWidget(attrs={"style": "min-width: 9rem"}),
    )

    class Meta:
        model = Segment
        fields = ("text", "status")

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if self.changed_data and cleaned.get("status") == ReviewStatus.APPROVED:
            problems = text_problems(text=cleaned.get("text", ""), language=self.instance.source.language)
            if problems:
                raise ValidationError({"text": f"It cannot be approved: {problems[0]}"})
        return cleaned


@admin.register(Segment)
class SegmentAdmin(SimpleHistoryAdmin, OwnedAdmin):
    form = ReviewForm
    list_display = ("where", "sound", "text", "status", "heard", "notes")
    list_editable = ("text", "status")
    list_display_links = ("where",)
    list_filter = (
        "status",
        FlagFilter,
        "edited",
        "transcribed_by",
        ("source", LatestFilter),
        ("source__speaker", admin.RelatedOnlyFieldListFilter),
        "source__language",
    )
    search_fields = ("text", "machine_text", "source__title")
    list_select_related = ("source", "reviewer")
    list_per_page = 25
    ordering = ("source__created_at", "source", "index")
    actions = ("approve", "reject", "reopen", "transcribe")
    fields = (
        "where",
        "sound",
        "text",
        "status",
        "heard",
        "captions",
        "notes",
        "reviewer",
        "reviewed_at",
        "screened",
        "measured",
        "transcribed_at",
        "transcribed_by",
        "awaits_second",
    )
    readonly_fields = tuple(name for name in fields if name not in ("text", "status"))
    history_list_display = ("text", "status")

    @display(description="segment", ordering="index")
    def where(self, segment: Segment) -> SafeString:
        return format_html(
            "{} <b>#{}</b><br><small>{}–{} s</small>",
            segment.source.title,
            segment.index,
            f"{segment.start:.1f}",
            f"{segment.end:.1f}",
        )

    @display(description="sound")
    def sound(self, segment: Segment) -> SafeString:
        return player(segment)

    @display(description="heard (unsure words marked)")
    def heard(self, segment: Segment) -> SafeString:
        return heard_words(segment)

    @display(description="screening")
    def screened(self, segment: Segment) -> str:
        decision = segment.decision
        if decision is None:
            return "–"
        reasons = "; ".join(reason["sentence"] for reason in decision.reasons)
        return f"{decision.get_verdict_display()}: it is {reasons}" if reasons else decision.get_verdict_display()

    @display(description="measures")
    def measured(self, segment: Segment) -> SafeString:
        return measures_table(segment)

    @display(description="captions")
    def captions(self, segment: Segment) -> str:
        return segment_caption(segment=segment) or "–"

    @display(description="notes")
    def notes(self, segment: Segment) -> str:
        notes = segment.flag_labels
        if segment.edited:
            notes.append("Corrected")
        if segment.reviewer is not None:
            notes.append(f"by {segment.reviewer}")
        return ", ".join(notes) or "–"

    def get_changelist_form(self, request: HttpRequest, **kwargs: Any) -> type[ReviewForm]:
        return ReviewForm

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        # A segment goes with its recording; one that is no good is rejected, which keeps its history.
        return False

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        self._shown_or_404(request, unquote(object_id))
        answer: HttpResponse = super().history_view(request, object_id, extra_context)
        return answer

    def history_form_view(
        self, request: HttpRequest, object_id: str, version_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """A former state, for looking: what it said is corrected or reviewed again like anything else."""
        self._shown_or_404(request, object_id)
        if not keys_given([version_id]):
            raise Http404
        if request.method == "POST":
            raise PermissionDenied
        answer: HttpResponse = super().history_form_view(request, object_id, version_id, extra_context)
        return answer

    def revert_disabled(self, request: HttpRequest, obj: Any = None) -> bool:
        # A form that holds the former text differs in nothing from its own state, so it would save nothing.
        return True

    def _shown_or_404(self, request: HttpRequest, object_id: str) -> None:
        """The history itself knows neither owners nor sharing."""
        if self.get_object(request, object_id) is None:
            raise Http404

    def save_model(self, request: HttpRequest, obj: Segment, form: Any, change: bool) -> None:
        """Only what was changed, and through the services, as everywhere."""
        segment: Segment | None = self.editable(request).select_related("source").filter(pk=obj.pk).first()
        if segment is None:
            raise PermissionDenied
        try:
            if "text" in form.changed_data:
                segment_edit(segment=segment, text=form.cleaned_data["text"])
            if "status" in form.changed_data:
                segment_review(segment=segment, status=form.cleaned_data["status"], reviewer=request.user)
        except DomainError as error:
            # Between the form's check and now somebody else was at it.
            self.message_user(request, error.message, messages.ERROR)

    @admin.action(description="Approve", permissions=["change"])
    def approve(self, request: HttpRequest, queryset: QuerySet[Segment]) -> None:
        self._review(request, queryset, ReviewStatus.APPROVED)

    @admin.action(description="Reject", permissions=["change"])
    def reject(self, request: HttpRequest, queryset: QuerySet[Segment]) -> None:
        self._review(request, queryset, ReviewStatus.REJECTED)

    @admin.action(description="Reopen", permissions=["change"])
    def reopen(self, request: HttpRequest, queryset: QuerySet[Segment]) -> None:
        self._review(request, queryset, ReviewStatus.PENDING)

    @admin.action(description="Transcribe anew", permissions=["change"])
    def transcribe(self, request: HttpRequest, queryset: QuerySet[Segment]) -> None:
        asked = queryset.count()
        rows: Any = self.editable(request).filter(pk__in=list(queryset.values_list("pk", flat=True)))
        try:
            _job, count = selection_retranscribe(segments=rows, owner=request.user)
        except DomainError as error:
            self.message_user(request, error.message, messages.ERROR)
            return
        stays = f" {asked - count} skipped: corrected or reviewed, or not yours to change." if asked > count else ""
        self.message_user(request, f"{count} will be transcribed anew.{stays}", messages.SUCCESS)

    def _review(self, request: HttpRequest, chosen: QuerySet[Segment], status: ReviewStatus) -> None:
        asked = chosen.count()
        rows: Any = self.editable(request).filter(pk__in=list(chosen.values_list("pk", flat=True)))
        outcome = segments_review(segments=rows, status=status, reviewer=request.user)
        parts = [f"{outcome.changed} {_done(status)}"]
        if outcome.unchanged:
            parts.append(f"{outcome.unchanged} already {_done(status)}")
        parts += [f"{count} skipped: {reason}" for reason, count in outcome.reasons()]
        foreign = asked - outcome.changed - outcome.unchanged - len(outcome.skipped)
        if foreign:
            parts.append(f"{foreign} skipped: not yours to change")
        level = messages.WARNING if outcome.skipped or foreign else messages.SUCCESS
        self.message_user(request, "; ".join(parts) + ("" if parts[-1].endswith(".") else "."), level)


def _done(status: ReviewStatus) -> str:
    return "reopened" if status == ReviewStatus.PENDING else status.label.lower()
