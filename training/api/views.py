from __future__ import annotations

from typing import Any

from django.db.models import Prefetch
from django.http import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.utils.text import slugify
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import mixins, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from datasets.api.access import OwnedViewMixin
from training.api.comparing_serializers import AmongSerializer, OutcomeSerializer, TurnSerializer
from training.api.filters import CheckpointFilter, EpochSampleFilter, TrainingRunFilter
from training.api.preflight_serializers import RunPreflightSerializer
from training.api.scoreboard_serializers import ScoreboardSerializer
from training.api.serializers import (
    AverageSerializer,
    CheckpointExportSerializer,
    CheckpointSerializer,
    CurvesSerializer,
    EpochSampleSerializer,
    PinSerializer,
    TrainingRunCreateSerializer,
    TrainingRunSerializer,
)
from training.api.sweep_serializers import LongerSerializer
from training.choices import ExportState
from training.models import Checkpoint, CheckpointExport, EpochSample, TrainingRun
from training.querysets import IN_ORDER, CheckpointQuerySet, EpochSampleQuerySet, TrainingRunQuerySet
from training.services import (
    average_create,
    checkpoint_gone,
    checkpoint_pin,
    comparison_next,
    comparison_outcome,
    export_create,
    export_delete,
    run_cancel,
    run_create,
    run_curves,
    run_delete,
    run_preflight,
    run_resume,
    run_scoreboard,
    run_train_longer,
    scoring_start,
    texts_known,
    texts_require,
    trainer_require,
)
from xttsproject.accounts.api.schema import ErrorSerializer
from xttsproject.http import file_response
from xttsproject.jobs.api.serializers import JobSerializer
from xttsproject.strict import take_nothing

_BINARY = OpenApiResponse(OpenApiTypes.BINARY, description="The file; byte ranges are answered.")


class TrainingRunViewSet(
    OwnedViewMixin,
    mixins.ListModelMixin,
    mixins.RetrieveModelMixin,
    mixins.DestroyModelMixin,
    viewsets.GenericViewSet[TrainingRun],
):
    """Fine-tuning runs: start, follow, cancel, resume, delete. Starting and resuming is for trainers."""

    queryset = TrainingRun.objects.none()
    serializer_class = TrainingRunSerializer
    filterset_class = TrainingRunFilter
    ordering_fields = ("created_at", "finished_at", "name")

    def get_queryset(self) -> TrainingRunQuerySet:
        base = EpochSample.objects.filter(epoch=0)
        return (
            TrainingRun.objects.visible_to(self.request.user)
            .with_relations()
            .with_best()
            .prefetch_related(Prefetch("samples", queryset=base))
            .order_by("-created_at")
        )

    @extend_schema(request=TrainingRunCreateSerializer, responses={201: TrainingRunSerializer})
    def create(self, request: Request) -> Response:
        """Check the values and start a run on the gpu queue; follow it here or by its ``job``."""
        given = self._given(request)
        run = run_create(
            owner=request.user,
            version=given.validated_data["version"],
            name=given.validated_data["name"],
            values=given.values(),
            bundle=given.validated_data["bundle"],
            visibility=given.validated_data["visibility"],
            counted=texts_known(version=given.validated_data["version"], bundle=given.validated_data["bundle"]),
        )
        return Response(self._shown(run), status=201)

    @extend_schema(request=TrainingRunCreateSerializer, responses={200: RunPreflightSerializer, 503: ErrorSerializer})
    @action(detail=False, methods=["post"])
    def preflight(self, request: Request) -> Response:
        """What such a run would use, leave out and take. Nothing is started.

        503 with the code ``check_pending`` where the version's texts are looked at with this model for the first time
        and that takes longer than a second: ask again.
        """
        given = self._given(request)
        texts_require(version=given.validated_data["version"], bundle=given.validated_data["bundle"])
        found = run_preflight(
            owner=request.user,
            version=given.validated_data["version"],
            values=given.values(),
            bundle=given.validated_data["bundle"],
        )
        return Response(RunPreflightSerializer(found).data)

    def _given(self, request: Request) -> TrainingRunCreateSerializer:
        # Before the values are looked at: what a person may not do at all needs no other answer.
        trainer_require(user=request.user)
        given = TrainingRunCreateSerializer(data=request.data, context=self.get_serializer_context())
        given.is_valid(raise_exception=True)
        return given

    def perform_destroy(self, instance: TrainingRun) -> None:
        self.check_owner(instance)
        run_delete(run=instance, user=self.request.user)

    @extend_schema(request=None, responses=TrainingRunSerializer)
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: Any = None) -> Response:
        """Stop the run: at once if it waits, within five seconds if it trains. What it has made is kept."""
        take_nothing(request)
        run = self.get_editable()
        run_cancel(run=run)
        return Response(self._shown(run))

    @extend_schema(request=None, responses=TrainingRunSerializer)
    @action(detail=True, methods=["post"])
    def resume(self, request: Request, pk: Any = None) -> Response:
        """Go on with a failed or cancelled run from its last checkpoint."""
        take_nothing(request)
        run = self.get_editable()
        run_resume(run=run, user=request.user)
        return Response(self._shown(run))

    @extend_schema(request=LongerSerializer, responses={201: TrainingRunSerializer})
    @action(detail=True, methods=["post"])
    def longer(self, request: Request, pk: Any = None) -> Response:
        """A new run of your own with the values of this one and other epochs."""
        trainer_require(user=request.user)
        run = self.get_object()
        given = LongerSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        counted = texts_known(version=run.version, bundle=run.bundle)
        longer = run_train_longer(run=run, owner=request.user, counted=counted, **given.validated_data)
        return Response(self._shown(longer), status=201)

    @extend_schema(request=AverageSerializer, responses={202: JobSerializer})
    @action(detail=True, methods=["post"])
    def average(self, request: Request, pk: Any = None) -> Response:
        """Average the checkpoints of some epochs into a new one; the answer is the job that does it."""
        run = self.get_editable()
        given = AverageSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        job = average_create(run=run, epochs=given.validated_data["epochs"], user=request.user)
        return Response(JobSerializer(job, context=self.get_serializer_context()).data, status=202)

    @extend_schema(responses=CurvesSerializer)
    @action(detail=True)
    def curves(self, request: Request, pk: Any = None) -> Response:
        """Losses and learning rate so far."""
        return Response(CurvesSerializer(run_curves(run=self.get_object())).data)

    @extend_schema(request=AmongSerializer, responses=TurnSerializer)
    @action(detail=True, methods=["post"])
    def compare(self, request: Request, pk: Any = None) -> Response:
        """The blind pair that is yours to hear next; the same one until it has your vote (`/comparisons/{id}/vote/`).

        Whoever sees the run may vote.
        """
        run = self.get_object()
        given = AmongSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        turn = comparison_next(run=run, voter=request.user, among=given.validated_data["among"])
        return Response(TurnSerializer(turn, context=self.get_serializer_context()).data)

    @extend_schema(responses=OutcomeSerializer)
    @action(detail=True)
    def preferences(self, request: Request, pk: Any = None) -> Response:
        """What everybody's votes come to: win rates with their intervals, and an order of the checkpoints."""
        return Response(OutcomeSerializer(comparison_outcome(run=self.get_object())).data)

    @extend_schema(responses=ScoreboardSerializer)
    @action(detail=True)
    def scores(self, request: Request, pk: Any = None) -> Response:
        """What was measured of the checkpoints' samples, and which one it makes the best."""
        return Response(ScoreboardSerializer(run_scoreboard(run=self.get_object())).data)

    @extend_schema(request=None, responses={202: JobSerializer})
    @action(detail=True, methods=["post"])
    def score(self, request: Request, pk: Any = None) -> Response:
        """Measure what has not been measured yet, as a job on the gpu queue; follow it by its key."""
        take_nothing(request)
        job = scoring_start(run=self.get_editable(), user=request.user)
        return Response(JobSerializer(job, context=self.get_serializer_context()).data, status=202)

    def _shown(self, run: TrainingRun) -> dict[str, Any]:
        return dict(self.get_serializer(self.get_queryset().get(pk=run.pk)).data)


class CheckpointViewSet(OwnedViewMixin, viewsets.ReadOnlyModelViewSet[Checkpoint]):
    """What runs made: an adapter or a whole GPT per epoch and averages of them, each with its samples."""

    queryset = Checkpoint.objects.none()
    serializer_class = CheckpointSerializer
    filterset_class = CheckpointFilter
    ordering_fields = ("epoch", "validation_loss", "created_at")

    def get_queryset(self) -> CheckpointQuerySet:
        found = Checkpoint.objects.visible_to(self.request.user).with_recommended().select_related("run")
        return found.prefetch_related("samples").order_by("-run__created_at", *IN_ORDER)

    @extend_schema(responses={(200, "application/octet-stream"): _BINARY})
    @action(detail=True)
    def download(self, request: Request, pk: Any = None) -> HttpResponseBase:
        """The weights as safetensors: of the adapter, or of the whole GPT after full fine-tuning."""
        checkpoint = self.get_object()
        if not checkpoint.is_kept:
            raise checkpoint_gone(checkpoint)
        name = f"{slugify(checkpoint.run.name) or 'run'}-{checkpoint.slug}.safetensors"
        return file_response(
            request._request, checkpoint.weights_path, content_type="application/octet-stream", download_name=name
        )

    @extend_schema(request=PinSerializer, responses=CheckpointSerializer)
    @action(detail=True, methods=["post"])
    def pin(self, request: Request, pk: Any = None) -> Response:
        """Keep the file whatever comes after it, or leave it to the run's policy again."""
        checkpoint = self.get_editable()
        given = PinSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        checkpoint_pin(checkpoint=checkpoint, pinned=given.validated_data["pinned"])
        return Response(self.get_serializer(checkpoint).data)

    @extend_schema(methods=["get"], responses=CheckpointExportSerializer)
    @extend_schema(methods=["post"], request=None, responses={202: CheckpointExportSerializer})
    @extend_schema(methods=["delete"], responses={204: None})
    @action(detail=True, methods=["get", "post", "delete"])
    def export(self, request: Request, pk: Any = None) -> Response:
        """The checkpoint merged into its base model for Coqui's code: where that stands; have it made; delete it."""
        if request.method == "POST":
            take_nothing(request)
            export = export_create(checkpoint=self.get_editable(), user=request.user)
            return Response(self._exported(export), status=202)
        checkpoint = self.get_object() if request.method == "GET" else self.get_editable()
        export = get_object_or_404(CheckpointExport.objects.select_related("checkpoint__run"), checkpoint=checkpoint)
        if request.method == "GET":
            return Response(self._exported(export))
        export_delete(export=export)
        return Response(status=204)

    @extend_schema(responses={(200, "application/zip"): _BINARY})
    @action(detail=True)
    def exported(self, request: Request, pk: Any = None) -> HttpResponseBase:
        """The zip: one folder that ``Xtts.load_checkpoint`` loads."""
        ready = CheckpointExport.objects.filter(state=ExportState.READY).select_related("checkpoint__run")
        export = get_object_or_404(ready, checkpoint=self.get_object())
        return file_response(
            request._request, export.path, content_type="application/zip", download_name=f"{export.name}.zip"
        )

    def _exported(self, export: CheckpointExport) -> dict[str, Any]:
        return dict(CheckpointExportSerializer(export, context=self.get_serializer_context()).data)


class EpochSampleViewSet(viewsets.ReadOnlyModelViewSet[EpochSample]):
    """Prompts spoken by checkpoints and, as epoch 0, by the base model."""

    queryset = EpochSample.objects.none()
    serializer_class = EpochSampleSerializer
    filterset_class = EpochSampleFilter
    ordering_fields = ("epoch",)

    def get_queryset(self) -> EpochSampleQuerySet:
        found = EpochSample.objects.visible_to(self.request.user).select_related("run")
        return found.order_by("-run__created_at", "epoch", "prompt_index")

    @extend_schema(responses={(200, "audio/wav"): _BINARY})
    @action(detail=True)
    def audio(self, request: Request, pk: Any = None) -> HttpResponseBase:
        """The sample as a 24 kHz WAV."""
        return file_response(request._request, self.get_object().audio_path, content_type="audio/wav")
