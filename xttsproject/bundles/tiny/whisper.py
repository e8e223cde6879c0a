"""The tiny Whisper bundle: Whisper's architecture in small, with weights that this project trained.

CTranslate2 runs it, so its format is theirs.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from xttsproject.bundles.manifest import Bundle, open_bundle, write_manifest
from xttsproject.bundles.tiny import TINY_WHISPER
from xttsproject.bundles.tiny.shipped import WHISPER_FILE, open_shipped
from xttsproject.bundles.tiny.whisper_spec import state_to_spec
from xttsproject.bundles.tiny.whisper_tokens import tokens
from xttsproject.lib.files import atomic_directory, write_json

if TYPE_CHECKING:
    from ctranslate2.specs import WhisperSpec

NOTICE = (
    "This is a tiny model made by this project and trained on a synthesiser's English speech alone: it writes down "
    "clear speech of that kind. What it writes of real recordings must be corrected by hand; download a Whisper model "
    "for them."
)

# Seconds of a window: about what it was trained on, and room for the longest segment. Whisper's own is 30.
_FEATURES = {"feature_size": 80, "sampling_rate": 16_000, "hop_length": 160, "chunk_length": 12}


def build(path: Path, weights: Path | None = None) -> Bundle:
    """Build the bundle at ``path``, replacing what stands there once all is written. Takes a second.

    ``weights`` is a safetensors file with the names of transformers' Whisper; without it the shipped one is taken.
    Raises :class:`~xttsproject.lib.errors.DomainError` ``weights_missing`` or ``weights_damaged``.
    """
    from safetensors.numpy import load_file

    state = load_file(weights or open_shipped().path(WHISPER_FILE))
    spec = state_to_spec(state, tokens())
    return write_bundle(
        path, spec, notice=NOTICE, source="trained by this project on synthetic speech", languages=("en",)
    )


def write_bundle(path: Path, spec: WhisperSpec, *, notice: str, source: str, languages: tuple[str, ...] = ()) -> Bundle:
    """Write a network of this vocabulary as a bundle; ``languages`` are those that it was trained on."""
    with atomic_directory(path) as folder:
        write_json(folder / "tokenizer.json", tokens().tokenizer)
        write_json(folder / "preprocessor_config.json", _FEATURES)
        spec.validate()
        spec.optimize()
        spec.save(str(folder))
        write_manifest(
            folder,
            name=TINY_WHISPER,
            kind="whisper",
            licence="MIT",
            licence_url="",
            notice=notice,
            source=source,
            languages=languages,
        )
    return open_bundle(path)
