"""Writing down what is said in a file, for whoever asks over the API; nothing of it is kept."""

from __future__ import annotations

from collections.abc import Callable, Generator

from django.conf import settings
from django.template.defaultfilters import filesizeformat

from datasets.pipeline.dictation import Dictated, DictationWish, Stretch, dictating
from datasets.pipeline.transcribe import WHISPER_RATE
from datasets.services.names import renamed
from datasets.services.transcribers import transcriber_bundle
from voices.engine.listener import Listener, Watching
from voices.services.clips import Upload
from voices.services.listeners import KeptListener
from xttsproject.bundles.manifest import Bundle, list_bundles
from xttsproject.lib.errors import DomainError
from xttsproject.lib.generators import drained

_kept = KeptListener(lambda: settings.TRANSCRIPTION_QUEUE)


def listener() -> Listener:
    """The one of this process that writes down people's files."""
    return _kept.get()


def listener_close() -> None:
    """Free the model; the next call of :func:`listener` makes another."""
    _kept.close()


def transcription_make(
    *, upload: Upload, model: str, wish: DictationWish, gone: Callable[[], bool] | None = None
) -> Dictated:
    """What is said in a file of any format. Blocks until all of it is written down.

    ``model`` is a Whisper bundle's name; names of no model here, which many clients send unasked, stand for
    WHISPER_BUNDLE. ``gone`` says whether the client has hung up; then the work stops and ``Cancelled`` is raised.
    DomainErrors: ``too_large``, ``model_mismatch``, ``model_missing``, ``model_damaged``, ``language_unsupported``,
    ``busy``, and those of decoding (``not_media``, ``no_audio``, ``media_too_long``, …), field ``file``.
    """
    return drained(transcription_stream(upload=upload, model=model, wish=wish, gone=gone))


def transcription_stream(
    *, upload: Upload, model: str, wish: DictationWish, gone: Callable[[], bool] | None = None
) -> Generator[Stretch, None, Dictated]:
    """As :func:`transcription_make`, each stretch as soon as it is written down; returns the whole.

    The file is read before the first one. Whoever stops listening closes the generator, which gives the turn on.
    """
    from datasets.pipeline.media import decode_audio

    _require_size(upload)
    bundle = _bundle(model)
    with listener().turn(bundle.path, gone) as transcriber:
        if wish.language:
            transcriber.require_language(wish.language)
        try:
            # Within the turn, so that one long recording at a time is in memory.
            audio = decode_audio(upload.path, WHISPER_RATE, max_seconds=settings.TRANSCRIPTION_MAX_SECONDS)
        except DomainError as error:
            # The decoder knows the file by its temporary name only.
            named = renamed(error, upload.path, f"“{upload.name}”")
            named.field = "file"
            raise named from error
        return (yield from dictating(transcriber, audio, wish, Watching(gone)))


def _require_size(upload: Upload) -> None:
    size, limit = upload.path.stat().st_size, settings.TRANSCRIPTION_MAX_BYTES
    if size > limit:
        raise DomainError(
            "too_large",
            f"“{upload.name}” has {filesizeformat(size)}, but {filesizeformat(limit)} are the limit; compress or cut "
            "it, or add it as a recording.",
            field="file",
        )


def _bundle(name: str) -> Bundle:
    for bundle in list_bundles(settings.MODELS_DIR):
        if bundle.path.name == name:
            if bundle.kind == "whisper":
                return bundle
            raise DomainError(
                "model_mismatch",
                f"The model “{name}” speaks and does not transcribe; see /v1/models.",
                field="model",
            )
    return transcriber_bundle(str(settings.WHISPER_BUNDLE))
