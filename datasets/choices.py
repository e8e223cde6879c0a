"""The fixed vocabularies of the recordings side."""

from django.db import models

from xttsproject.xtts.languages import LANGUAGES

LANGUAGE_CHOICES = [(language.code, language.name) for language in LANGUAGES.values()]
UNDETERMINED = "und"
"""The code of ISO 639-2 for a language that nobody has named yet; the first transcription listens for it."""
RECORDING_LANGUAGES = [*LANGUAGE_CHOICES, (UNDETERMINED, "Not known yet")]
DETECT = "detect"
LANGUAGE_OR_DETECT = [*LANGUAGE_CHOICES, (DETECT, "Detect it")]
"""What people and programs may ask for."""


class ConsentKind(models.TextChoices):
    """Why this person's voice may be cloned."""

    SELF = "self", "It is my own voice"
    WRITTEN = "written", "The speaker agreed in writing"
    LICENCE = "licence", "The recording's licence allows it"
    SYNTHETIC = "synthetic", "The voice is synthetic"


class Origin(models.TextChoices):
    UPLOAD = "upload", "Upload"
    URL = "url", "URL"
    DATASET = "dataset", "Imported dataset"


class SourceState(models.TextChoices):
    WAITING = "waiting", "Waiting"
    FETCHING = "fetching", "Fetching"
    PREPARING = "preparing", "Decoding and cutting"
    SEGMENTED = "segmented", "Cut, waiting for transcription"
    TRANSCRIBING = "transcribing", "Transcribing"
    ASKING = "asking", "Waiting for its language"
    READY = "ready", "Ready for review"
    FAILED = "failed", "Failed"
    CANCELLED = "cancelled", "Cancelled"


class PlaylistState(models.TextChoices):
    WAITING = "waiting", "Waiting"
    LISTING = "listing", "Listing"
    READY = "ready", "Listed"
    FAILED = "failed", "Failed"
    CANCELLED = "cancelled", "Cancelled"


class ReviewStatus(models.TextChoices):
    PENDING = "pending", "To review"
    APPROVED = "approved", "Approved"
    REJECTED = "rejected", "Rejected"


class Verdict(models.TextChoices):
    """What a dataset's policy makes of a clip, see datasets.pipeline.screening.policy."""

    APPROVE = "approve", "Approve"
    REVIEW = "review", "Review"
    REJECT = "reject", "Reject"


class VersionState(models.TextChoices):
    FREEZING = "freezing", "Freezing"
    READY = "ready", "Ready"
    FAILED = "failed", "Failed"


class ImportState(models.TextChoices):
    WAITING = "waiting", "Waiting"
    READING = "reading", "Checking and reading"
    READY = "ready", "Imported"
    FAILED = "failed", "Failed"
    CANCELLED = "cancelled", "Cancelled"


class ImportForm(models.TextChoices):
    """In which form a dataset came, see datasets.pipeline.tables."""

    LJSPEECH = "ljspeech", "LJSpeech"
    COQUI = "coqui", "Coqui CSV"


class ExportForm(models.TextChoices):
    """In which form a frozen version goes out, see datasets.pipeline.exporting."""

    LJSPEECH = "ljspeech", "LJSpeech"
    COQUI = "coqui", "Coqui CSV"
    AUDIOFOLDER = "audiofolder", "Hugging Face audiofolder"


class ExportState(models.TextChoices):
    WAITING = "waiting", "Waiting"
    WRITING = "writing", "Writing"
    READY = "ready", "Ready"
    FAILED = "failed", "Failed"
    CANCELLED = "cancelled", "Cancelled"


class Split(models.TextChoices):
    TRAIN = "train", "Training"
    VALIDATION = "validation", "Validation"


class ChangeKind(models.TextChoices):
    """What can differ about a clip in two versions, see datasets.pipeline.comparing."""

    ADDED = "added", "Added"
    REMOVED = "removed", "Removed"
    REWORDED = "reworded", "Re-worded"
    MOVED = "moved", "Moved to the other side"
    RECUT = "recut", "Cut anew"


class Flag(models.TextChoices):
    """What a reviewer should look at first. The first two come from cutting, see datasets.pipeline.planning."""

    SHORT = "short", "Shorter than usual"
    FORCED_CUT = "forced_cut", "Cut inside speech"
    CLIPPED_EDGE = "clipped_edge", "Cut edge"
    CLIPPED = "clipped", "Overdriven"
    QUIET = "quiet", "Very quiet"
    NOISY = "noisy", "Noisy"
    NO_TEXT = "no_text", "Nothing recognised"
    UNSURE = "unsure", "Transcript uncertain"
    REPETITIVE = "repetitive", "Transcript repeats itself"
    UNSPEAKABLE = "unspeakable", "Text needs correction"


# The machine knows these only once it has listened; a new transcript replaces them.
TRANSCRIPT_FLAGS = (Flag.NO_TEXT, Flag.UNSURE, Flag.REPETITIVE, Flag.UNSPEAKABLE)
