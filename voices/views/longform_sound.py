"""What of a long text can be heard or taken along."""

from __future__ import annotations

from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponseBase
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_GET

from voices.engine.encoding import Output, require_format
from voices.models import Synthesis
from voices.services.longform_output import longform_archive, longform_chapter, longform_so_far
from voices.views.sending import saved_headers, sent, streaming
from xttsproject.http import file_response
from xttsproject.lib.errors import DomainError


@login_required
@require_GET
def sentence(request: HttpRequest, pk: UUID, number: int) -> HttpResponseBase:
    row = get_object_or_404(_visible(request, pk).parts.spoken().select_related("synthesis"), number=number)
    return file_response(request, row.path, content_type="audio/wav")


@login_required
@require_GET
def so_far(request: HttpRequest, pk: UUID) -> HttpResponseBase:
    """From the beginning to the first sentence that is not spoken yet; ``format`` as for the whole."""
    synthesis = _visible(request, pk)
    try:
        return sent(synthesis, longform_so_far(synthesis=synthesis), _output(request), "so far")
    except (DomainError, FileNotFoundError) as error:
        raise Http404(str(error)) from error


@login_required
@require_GET
def chapters(request: HttpRequest, pk: UUID) -> HttpResponseBase:
    """All chapters, a file each, in a ZIP."""
    synthesis = _visible(request, pk)
    try:
        blocks = longform_archive(synthesis=synthesis, output=_output(request))
    except (DomainError, FileNotFoundError) as error:
        raise Http404(str(error)) from error
    return streaming(blocks, "application/zip", saved_headers(synthesis, "zip", "chapters"))


@login_required
@require_GET
def chapter(request: HttpRequest, pk: UUID, number: int) -> HttpResponseBase:
    synthesis = _visible(request, pk)
    try:
        recording = longform_chapter(synthesis=synthesis, number=number)
        return sent(synthesis, recording, _output(request), f"{number:03d}")
    except (DomainError, FileNotFoundError) as error:
        raise Http404(str(error)) from error


def _visible(request: HttpRequest, pk: UUID) -> Synthesis:
    return get_object_or_404(Synthesis.objects.visible_to(request.user), pk=pk)


def _output(request: HttpRequest) -> Output:
    return Output(require_format(request.GET.get("format", "wav")))
