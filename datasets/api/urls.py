from rest_framework.routers import SimpleRouter

from datasets.api.datasets import DatasetVersionViewSet, DatasetViewSet
from datasets.api.exports import DatasetExportViewSet
from datasets.api.imports import DatasetImportViewSet
from datasets.api.playlists import PlaylistViewSet
from datasets.api.recordings import RecordingViewSet, SpeakerViewSet
from datasets.api.segments import SegmentViewSet

router = SimpleRouter()
router.register("speakers", SpeakerViewSet, basename="speaker")
router.register("recordings", RecordingViewSet, basename="recording")
router.register("playlists", PlaylistViewSet, basename="playlist")
router.register("segments", SegmentViewSet, basename="segment")
router.register("datasets", DatasetViewSet, basename="dataset")
router.register("dataset-imports", DatasetImportViewSet, basename="dataset-import")
router.register("dataset-exports", DatasetExportViewSet, basename="dataset-export")
router.register("dataset-versions", DatasetVersionViewSet, basename="dataset-version")

urlpatterns = router.urls
