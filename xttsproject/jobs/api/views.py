from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from xttsproject.jobs.api.serializers import JobSerializer
from xttsproject.jobs.models import Job
from xttsproject.jobs.querysets import JobQuerySet
from xttsproject.jobs.services import job_cancel, job_retry
from xttsproject.strict import take_nothing


class JobViewSet(viewsets.ReadOnlyModelViewSet[Job]):
    """Your jobs: follow, cancel, retry."""

    queryset = Job.objects.none()
    serializer_class = JobSerializer
    filterset_fields = ("state", "kind", "queue", "subject_type", "subject_id")
    ordering_fields = ("created_at", "finished_at")

    def get_queryset(self) -> JobQuerySet:
        return Job.objects.visible_to(self.request.user).with_places()

    @extend_schema(request=None, responses=JobSerializer)
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: Any = None) -> Response:
        """Stop the job: at once if it waits, within seconds if it runs."""
        take_nothing(request)
        job = self.get_object()
        job_cancel(job=job)
        return Response(self.get_serializer(job).data)

    @extend_schema(request=None, responses=JobSerializer)
    @action(detail=True, methods=["post"])
    def retry(self, request: Request, pk: Any = None) -> Response:
        """Queue a failed or cancelled job again."""
        take_nothing(request)
        job = self.get_object()
        job_retry(job=job, user=request.user)
        return Response(self.get_serializer(job).data)
