"""The models that can be downloaded, under which licence, and how large they are."""

from __future__ import annotations

from dataclasses import dataclass

from xttsproject.bundles.manifest import Kind
from xttsproject.lib.errors import DomainError


@dataclass(frozen=True)
class Licence:
    """``terms`` is what a person must know, in plain words; ``url`` is the text that counts."""

    name: str
    url: str
    terms: str
    must_be_accepted: bool


@dataclass(frozen=True)
class Entry:
    """A model on the hub. ``files`` must be there, ``optional`` are taken where they are; ``bytes`` is for humans."""

    name: str
    kind: Kind
    repository: str
    licence: Licence
    notice: str
    files: tuple[str, ...]
    optional: tuple[str, ...]
    bytes: int
    revision: str = "main"


CPML = Licence(
    name="Coqui Public Model License 1.0.0",
    url="https://huggingface.co/coqui/XTTS-v2/blob/main/LICENSE.txt",
    terms=(
        "The model, what you fine-tune from it and the speech they make may be used for non-commercial purposes only. "
        "Whoever you pass the model on to must get this licence too."
    ),
    must_be_accepted=True,
)
MIT = Licence(
    name="MIT",
    url="https://github.com/openai/whisper/blob/main/LICENSE",
    terms="Free to use, change and pass on, with the copyright notice; no warranty.",
    must_be_accepted=False,
)

_XTTS_FILES = ("config.json", "vocab.json", "model.pth", "dvae.pth", "mel_stats.pth")
_WHISPER_SIZES = {"tiny": 78, "base": 148, "small": 486, "medium": 1530, "large-v3": 3100}


def _whisper(size: str, megabytes: int) -> Entry:
    return Entry(
        name=f"whisper-{size}",
        kind="whisper",
        repository=f"Systran/faster-whisper-{size}",
        licence=MIT,
        notice=f"Transcribed by Whisper {size}. Read what it writes before you train on it.",
        files=("config.json", "model.bin", "tokenizer.json"),
        optional=("vocabulary.json", "vocabulary.txt", "preprocessor_config.json"),
        bytes=megabytes * 1_000_000,
    )


XTTS_V2 = Entry(
    name="xtts-v2",
    kind="xtts",
    repository="coqui/XTTS-v2",
    licence=CPML,
    notice="Spoken by XTTS-v2. Its licence allows non-commercial use only, of fine-tuned voices and their speech too.",
    files=_XTTS_FILES,
    optional=("speakers_xtts.pth",),
    bytes=2_090_000_000,
)

CATALOG: dict[str, Entry] = {
    entry.name: entry for entry in (XTTS_V2, *(_whisper(size, mb) for size, mb in _WHISPER_SIZES.items()))
}


def find_entry(name: str) -> Entry:
    """Raises :class:`DomainError` ``model_unknown``."""
    try:
        return CATALOG[name]
    except KeyError:
        raise DomainError(
            "model_unknown",
            f"There is no model “{name}” to download; choose one of {', '.join(CATALOG)}.",
            field="name",
        ) from None
