"""The transcription models: which are installed, which one listens, and loading it."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from django.conf import settings

from datasets.models import SourceVideo
from datasets.pipeline.transcribe import Listening, Transcriber
from xttsproject import storage
from xttsproject.bundles.manifest import Bundle, list_bundles, open_bundle
from xttsproject.lib.errors import DomainError


def transcribers_installed() -> list[Bundle]:
    """Every whole Whisper bundle in MODELS_DIR."""
    return [bundle for bundle in list_bundles(settings.MODELS_DIR) if bundle.kind == "whisper"]


def transcriber_choices() -> list[tuple[str, str]]:
    """What a person may choose for a recording: (value, label), the default one first."""
    default = str(settings.WHISPER_BUNDLE)
    others = [bundle.path.name for bundle in transcribers_installed() if bundle.path.name != default]
    return [("", f"{default} (default)"), *((name, name) for name in others)]


def transcriber_named(name: str) -> str:
    """A person's choice of model, checked; empty stands for WHISPER_BUNDLE. DomainError ``model_unknown``."""
    installed = [bundle.path.name for bundle in transcribers_installed()]
    if name and name not in installed:
        known = ", ".join(installed) or "none"
        raise DomainError(
            "model_unknown",
            f"There is no transcription model “{name}” on this machine; installed: {known}.",
            field="transcriber",
        )
    return name


def transcriber_of(source: SourceVideo) -> str:
    """The name of the model that listens to a recording."""
    return source.transcriber or str(settings.WHISPER_BUNDLE)


def transcriber_load(name: str, *, variable: str = "WHISPER_BUNDLE") -> Transcriber:
    """The model of this name; it stays in this process's memory for the next job.

    DomainErrors ``model_missing``, ``model_damaged``, ``precision_unsupported``.
    """
    bundle = transcriber_bundle(name, variable=variable)
    device = settings.WHISPER_DEVICE or settings.DEVICE
    return _loaded(bundle.path, device, settings.WHISPER_COMPUTE_TYPE, settings.WHISPER_THREADS)


def transcriber_bundle(name: str, *, variable: str = "WHISPER_BUNDLE") -> Bundle:
    """The bundle of this name, if it transcribes; ``variable`` is the setting that may have named it."""
    bundle = open_bundle(storage.bundle_dir(name))
    if bundle.kind != "whisper":
        raise DomainError("model_damaged", f"{variable} names “{bundle.name}”, which is not a transcription model.")
    return bundle


def listening_options(*, hotwords: str = "", retry: bool = True) -> Listening:
    """As the settings have it. Without ``retry`` a doubtful clip is left to another model."""
    chosen = Listening(
        batch=settings.WHISPER_BATCH_SIZE,
        beam=settings.WHISPER_BEAM_SIZE,
        shared=settings.WHISPER_SHARE_WINDOWS,
        hotwords=hotwords,
    )
    return chosen if retry else Listening(chosen.batch, chosen.beam, chosen.shared, hotwords, retries=())


# Two: one that listens first, and one that listens again to what the first was not sure of.
@lru_cache(maxsize=2)
def _loaded(path: Path, device: str, compute_type: str, threads: int) -> Transcriber:
    return Transcriber.load(path, device=device, compute_type=compute_type, threads=threads)
