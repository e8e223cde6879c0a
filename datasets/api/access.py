"""What the viewsets of this app share: who may change a thing, jobs beside rows, sound as an answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import models
from rest_framework.exceptions import PermissionDenied
from rest_framework.generics import GenericAPIView
from rest_framework.renderers import BaseRenderer, JSONRenderer

from datasets.services.following import latest_job, latest_jobs


class OwnedViewMixin(GenericAPIView):
    """Rows come through ``visible_to``; what may be seen but not changed is forbidden, not unknown."""

    def get_editable(self) -> Any:
        row = self.get_object()
        manager: Any = type(row)._default_manager
        if not manager.editable_by(self.request.user).filter(pk=row.pk).exists():
            raise PermissionDenied
        return row

    def get_owned(self) -> Any:
        """The row if it is the person's own: deleting and sharing are for nobody else."""
        row = self.get_object()
        self.check_owner(row)
        return row

    def check_owner(self, row: Any) -> None:
        user = self.request.user
        if row.owner_id != user.pk and not user.is_superuser:
            raise PermissionDenied


class WithJobsMixin(OwnedViewMixin):
    """Sets ``job`` on every row that is shown, by one query."""

    def paginate_queryset(self, queryset: Any) -> Any:
        page = super().paginate_queryset(queryset)
        attach_jobs(page or [], self.request.user)
        return page

    def get_object(self) -> Any:
        row = super().get_object()
        row.job = latest_job(subject=row, user=self.request.user)
        return row


def attach_jobs(rows: Sequence[models.Model], user: Any) -> None:
    jobs = latest_jobs(subjects=rows, user=user)
    for row in rows:
        row.job = jobs.get(str(row.pk))  # type: ignore[attr-defined]


class WavRenderer(BaseRenderer):
    """Lets a client ask for ``audio/wav``; the view answers with the bytes itself, and what is refused is JSON."""

    media_type = "audio/wav"
    format = "wav"
    charset = None
    render_style = "binary"

    def render(self, data: Any, accepted_media_type: str | None = None, renderer_context: Any = None) -> Any:
        if not isinstance(data, (dict, list)):
            return data
        if renderer_context and "response" in renderer_context:
            renderer_context["response"]["Content-Type"] = JSONRenderer.media_type
        return JSONRenderer().render(data)
