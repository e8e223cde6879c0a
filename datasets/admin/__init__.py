from datasets.admin.exports import DatasetExportAdmin
from datasets.admin.imports import DatasetImportAdmin
from datasets.admin.playlists import PlaylistAdmin
from datasets.admin.recordings import SourceVideoAdmin, SpeakerAdmin
from datasets.admin.screening import ScreeningAdmin
from datasets.admin.segments import SegmentAdmin
from datasets.admin.versions import DatasetAdmin, DatasetVersionAdmin

__all__ = [
    "DatasetAdmin",
    "DatasetExportAdmin",
    "DatasetImportAdmin",
    "DatasetVersionAdmin",
    "PlaylistAdmin",
    "ScreeningAdmin",
    "SegmentAdmin",
    "SourceVideoAdmin",
    "SpeakerAdmin",
]
