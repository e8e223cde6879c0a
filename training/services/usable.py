"""The clips of a version that a model can learn from, told before a run is made."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version as installed
from pathlib import Path
from typing import Any

from datasets.models import DatasetVersion
from datasets.services.freezing import version_manifest
from training.engine.dataset import LeftOut
from training.engine.survey import Survey, survey, text_problems
from xttsproject import storage
from xttsproject.bundles.manifest import Bundle
from xttsproject.lib.errors import DomainError
from xttsproject.lib.files import sha256_of, write_json
from xttsproject.xtts.config import CONFIG_FILE, VOCAB_FILE, read_config
from xttsproject.xtts.limits import Problem, limits_of

NAMED = 5
"""So many clips of each ground are named."""

_FORMAT = 1
_GROUNDS = {
    "clip_missing": "gone from the disk",
    "clip_too_long": "too long",
    "clip_too_short": "too short",
    "text_empty": "without text",
    "text_too_long": "with a text of too many tokens",
    "text_unknown": "with letters that the model does not know",
    "language": "in a language that the model does not speak",
}


@dataclass(frozen=True)
class Ground:
    """Why ``count`` clips are left out; ``first`` are some of them."""

    code: str
    words: str
    count: int
    first: tuple[LeftOut, ...]

    @property
    def more(self) -> int:
        """How many are not named."""
        return self.count - len(self.first)


def clips_usable(*, version: DatasetVersion, bundle: Bundle) -> Survey:
    """What a run of the bundle on the version will use, and what it will leave out, by the engine's own limits.

    The texts are tokenised once per version and model, which takes about a second for 10 000 clips besides loading the
    tokenizer; what that found is kept. Whether the files are there is looked up each time. DomainErrors
    ``dataset_empty``, ``version_damaged``.
    """
    try:
        rows = version_manifest(version=version)
        texts = _texts(version, bundle, rows)
        return survey(version.folder, rows, texts, limits_of(read_config(bundle.path), None).max_samples)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DomainError(
            "version_damaged",
            f"The files of {version} cannot be read ({type(error).__name__}); freeze the dataset again.",
            field="version",
        ) from error


def grounds_of(left_out: Sequence[LeftOut]) -> tuple[Ground, ...]:
    """Counted by reason, the most frequent first."""
    by_code: dict[str, list[LeftOut]] = {}
    for clip in left_out:
        by_code.setdefault(clip.code, []).append(clip)
    found = [
        Ground(code, _GROUNDS.get(code, "with a text that cannot be read out"), len(clips), tuple(clips[:NAMED]))
        for code, clips in by_code.items()
    ]
    return tuple(sorted(found, key=lambda ground: -ground.count))


def _texts(version: DatasetVersion, bundle: Bundle, rows: Sequence[Mapping[str, Any]]) -> dict[str, Problem]:
    """What is wrong with the texts: as it was found before, else found now and kept."""
    language = version.dataset.language
    kept = _kept_at(version, bundle, language)
    try:
        told = json.loads(kept.read_text(encoding="utf-8"))
        return {str(clip): Problem(str(code), str(reason)) for clip, (code, reason) in told.items()}
    except (OSError, ValueError, AttributeError, TypeError):
        # Not found yet, or half a file that a full disk left.
        pass
    from xttsproject.xtts.networks import load_tokenizer

    tokenizer = load_tokenizer(bundle.path)
    limits = limits_of(read_config(bundle.path), tokenizer.unknown)
    found = text_problems(rows, language, tokenizer.encode_sentence, limits)
    write_json(kept, {clip: [problem.code, problem.reason] for clip, problem in found.items()})
    return found


def _kept_at(version: DatasetVersion, bundle: Bundle, language: str) -> Path:
    """Named by everything that the tokens follow from: texts, vocabulary, sizes, and the code that cleans texts."""
    texts = version.manifest_sha256 or sha256_of(version.manifest_path)
    model = [bundle.files[name].sha256 if name in bundle.files else "" for name in (CONFIG_FILE, VOCAB_FILE)]
    key = json.dumps([_FORMAT, texts, language, *model, installed("coqui-tts")])
    return storage.texts_dir() / f"{hashlib.sha256(key.encode()).hexdigest()}.json"
