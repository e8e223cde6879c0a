"""The one place that says where each kind of file lies.

Below DATA_ROOT::

    portal.sqlite3, secret.key
    models/<bundle>/                    model bundles (see xttsproject.bundles)
    inbox/                              models that may be imported without an upload
    media/recordings/<id>/              original.<suffix> as it came, master.wav (mono 24 kHz PCM16),
                                        captions.<language>[.auto].vtt,
                                        prints/<segment>.npz (what clips are compared by)
    media/imports/<id>/                 a dataset that is being imported: dataset.zip as it was uploaded, parts/
    media/model-imports/<id>/           a model that is being imported, as it was uploaded
    media/datasets/<id>/                a frozen dataset version: manifest.jsonl, clips/*.wav
    media/exports/<version id>/<form>.zip
    media/voices/<id>/                  reference clips and conditioning.safetensors
    media/speech/<year>/<month>/<id>.wav
    media/speech/<year>/<month>/<id>/    a long text's sentences: <number>-<take>.wav
    runs/<id>/                          a training run: spec.json, events.jsonl, checkpoints/, samples/, state/,
                                        tensorboard/, exports/
    cache/features/                     audio codes, mels and tokens of training clips, by content
    cache/texts/                        which texts of a dataset version a model cannot take
    cache/packed/                       speech models' shrunk weights
    cache/speech/<id>/                  speech in other forms, kept for players for a while
    uploads/                            uploads under way
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from uuid import UUID

from django.conf import settings


def recording_dir(source_id: UUID) -> Path:
    return Path(settings.MEDIA_ROOT, "recordings", str(source_id))


def recording_master(source_id: UUID) -> Path:
    return recording_dir(source_id) / "master.wav"


def import_dir(import_id: UUID) -> Path:
    return Path(settings.MEDIA_ROOT, "imports", str(import_id))


def model_import_dir(import_id: UUID) -> Path:
    return Path(settings.MEDIA_ROOT, "model-imports", str(import_id))


def recording_prints(source_id: UUID) -> Path:
    return recording_dir(source_id) / "prints"


def dataset_version_dir(version_id: UUID) -> Path:
    return Path(settings.MEDIA_ROOT, "datasets", str(version_id))


def exports_dir(version_id: UUID) -> Path:
    return Path(settings.MEDIA_ROOT, "exports", str(version_id))


def run_dir(run_id: UUID) -> Path:
    return Path(settings.RUNS_DIR, str(run_id))


def features_dir() -> Path:
    return Path(settings.CACHE_DIR, "features")


def texts_dir() -> Path:
    return Path(settings.CACHE_DIR, "texts")


def packed_dir() -> Path:
    return Path(settings.CACHE_DIR, "packed")


def converted_root() -> Path:
    return Path(settings.CACHE_DIR, "speech")


def converted_dir(synthesis_id: UUID) -> Path:
    return converted_root() / str(synthesis_id)


def voice_dir(voice_id: UUID) -> Path:
    return Path(settings.MEDIA_ROOT, "voices", str(voice_id))


def speech_file(synthesis_id: UUID, made: datetime) -> Path:
    return Path(settings.MEDIA_ROOT, "speech", f"{made:%Y}", f"{made:%m}", f"{synthesis_id}.wav")


def speech_dir(synthesis_id: UUID, made: datetime) -> Path:
    return speech_file(synthesis_id, made).with_suffix("")


def bundle_dir(name: str) -> Path:
    return Path(settings.MODELS_DIR, name)


def remove_tree(folder: Path) -> None:
    """Delete a folder of ours; one that is already gone is fine."""
    import shutil

    shutil.rmtree(folder, ignore_errors=True)
