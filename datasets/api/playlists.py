"""Playlists: list what an address holds, then fetch what is chosen."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers, status, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from datasets.api.access import WithJobsMixin
from datasets.api.serializers import UsernameField, VisiblePrimaryKeyField
from datasets.choices import LANGUAGE_OR_DETECT
from datasets.models import Playlist, Speaker
from datasets.querysets import PlaylistQuerySet
from datasets.services.playlists import Entry, playlist_delete, playlist_entries, playlist_fetch, playlist_from_url
from xttsproject.accounts.models import Visibility
from xttsproject.jobs.api.serializers import JobSerializer
from xttsproject.strict import StrictSerializer


class PlaylistSerializer(serializers.ModelSerializer[Playlist]):
    """A list without its recordings. ``more``: there is more behind the address than was listed."""

    owner = UsernameField()
    entry_count = serializers.SerializerMethodField()
    job = JobSerializer(read_only=True, allow_null=True)

    class Meta:
        model = Playlist
        fields = (
            "id",
            "url",
            "title",
            "channel",
            "speaker",
            "language",
            "visibility",
            "owner",
            "state",
            "error_code",
            "error",
            "more",
            "entry_count",
            "job",
            "created_at",
        )
        read_only_fields = fields

    def get_entry_count(self, playlist: Playlist) -> int:
        return len(playlist.entries)


class PlaylistEntrySerializer(serializers.Serializer[Entry]):
    """``recording`` is yours of that address, if there is one; ``problem`` says why it cannot be fetched."""

    index = serializers.IntegerField()
    url = serializers.CharField()
    title = serializers.CharField()
    channel = serializers.CharField()
    seconds = serializers.FloatField(allow_null=True)
    date = serializers.CharField(help_text="YYYYMMDD, or empty")
    problem = serializers.CharField()
    recording = serializers.UUIDField(source="source.pk", default=None, allow_null=True)


class PlaylistDetailSerializer(PlaylistSerializer):
    """A list with its recordings."""

    entries = PlaylistEntrySerializer(many=True, read_only=True, source="listed")

    class Meta:
        model = Playlist
        fields = (*PlaylistSerializer.Meta.fields, "entries")
        read_only_fields = fields


class PlaylistCreateSerializer(StrictSerializer):
    url = serializers.CharField(max_length=2000)
    speaker = VisiblePrimaryKeyField(queryset=Speaker.objects.all())
    language = serializers.ChoiceField(choices=LANGUAGE_OR_DETECT)
    visibility = serializers.ChoiceField(choices=Visibility.choices, default=Visibility.PRIVATE)


class PlaylistFetchSerializer(StrictSerializer):
    entries = serializers.ListField(child=serializers.IntegerField(min_value=0), help_text="the entries' indexes")


class SkippedEntrySerializer(serializers.Serializer[Any]):
    index = serializers.IntegerField()
    title = serializers.CharField()
    reason = serializers.CharField()
    recording = serializers.UUIDField(allow_null=True)


class PlaylistFetchedSerializer(serializers.Serializer[Any]):
    """The recordings that are being fetched, and what was not taken and why."""

    recordings = serializers.ListField(child=serializers.UUIDField())
    skipped = SkippedEntrySerializer(many=True)


class PlaylistViewSet(
    WithJobsMixin, mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[Playlist]
):
    """Playlists, channels and feeds: list what they hold, choose, fetch."""

    queryset = Playlist.objects.none()
    serializer_class = PlaylistSerializer
    filterset_fields = ("state", "speaker", "language")
    ordering_fields = ("created_at", "title")

    def get_queryset(self) -> PlaylistQuerySet:
        return Playlist.objects.visible_to(self.request.user).select_related("owner")

    @extend_schema(responses=PlaylistDetailSerializer)
    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """The list with its recordings, once its job has found them."""
        playlist = self.get_object()
        playlist.listed = playlist_entries(playlist=playlist)
        return Response(PlaylistDetailSerializer(playlist, context=self.get_serializer_context()).data)

    @extend_schema(request=PlaylistCreateSerializer, responses={201: PlaylistSerializer})
    def create(self, request: Request) -> Response:
        """Name the address of a playlist; the answer's ``job`` finds out what it holds. Nothing is fetched yet."""
        serializer = PlaylistCreateSerializer(data=request.data, context=self.get_serializer_context())
        serializer.is_valid(raise_exception=True)
        playlist, job = playlist_from_url(owner=request.user, **serializer.validated_data)
        playlist.job = job  # type: ignore[attr-defined]
        return Response(self.get_serializer(playlist).data, status=status.HTTP_201_CREATED)

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, pk: Any = None) -> Response:
        """Forget the list; what was fetched from it stays."""
        playlist_delete(playlist=self.get_owned())
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(request=PlaylistFetchSerializer, responses={202: PlaylistFetchedSerializer})
    @action(detail=True, methods=["post"])
    def fetch(self, request: Request, pk: Any = None) -> Response:
        """Fetch the chosen recordings, each by a job of its own."""
        playlist = self.get_owned()
        serializer = PlaylistFetchSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        outcome = playlist_fetch(playlist=playlist, chosen=serializer.validated_data["entries"])
        skipped = [(entry, "It is already here.") for entry in outcome.there] + outcome.refused
        data = {
            "recordings": [source.pk for source in outcome.made],
            "skipped": [
                {
                    "index": entry.index,
                    "title": entry.title,
                    "reason": reason,
                    "recording": entry.source.pk if entry.source else None,
                }
                for entry, reason in skipped
            ],
        }
        return Response(PlaylistFetchedSerializer(data).data, status=status.HTTP_202_ACCEPTED)
