from datasets.models.dataset import Dataset, DatasetVersion
from datasets.models.exports import DatasetExport
from datasets.models.imports import DatasetImport
from datasets.models.playlist import Playlist
from datasets.models.screening import Screening, ScreeningDecision
from datasets.models.segment import Segment
from datasets.models.source import SourceVideo
from datasets.models.speaker import Speaker

__all__ = [
    "Dataset",
    "DatasetExport",
    "DatasetImport",
    "DatasetVersion",
    "Playlist",
    "Screening",
    "ScreeningDecision",
    "Segment",
    "SourceVideo",
    "Speaker",
]
