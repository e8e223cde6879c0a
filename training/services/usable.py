"""The clips of a version that a model can learn from, told before a run is made."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Mapping, Sequence
from concurrent import futures
from dataclasses import dataclass
from importlib.metadata import version as installed
from pathlib import Path
from typing import Any

from django.conf import settings

from datasets.models import DatasetVersion
from datasets.services.freezing import version_manifest
from training.engine.dataset import LeftOut
from training.engine.survey import Survey, survey, text_problems
from training.services.spec import bundle_open
from xttsproject import storage
from xttsproject.bundles.manifest import Bundle
from xttsproject.lib.errors import DomainError
from xttsproject.lib.files import sha256_of, write_json
from xttsproject.xtts.config import CONFIG_FILE, VOCAB_FILE, read_config
from xttsproject.xtts.limits import Problem, limits_of

NAMED = 5
"""So many clips of each ground are named."""

PATIENCE = 1.0
"""Seconds that whoever asks for a page waits for texts to be looked at; then it goes on without him."""

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

    The texts are tokenised once per version and model, which takes about a second for 10 000 clips, and some more where
    a process does so for the first time, because it imports the tokenizer; what that found is kept. Whether the files
    are there is looked up each time. DomainErrors ``dataset_empty``, ``version_damaged``.
    """
    try:
        rows = version_manifest(version=version)
        texts = _found(version, bundle)
        if texts is None:
            texts = _looked_at(version, bundle, rows).result()
        return survey(version.folder, rows, texts, limits_of(read_config(bundle.path), None).max_samples)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DomainError(
            "version_damaged",
            f"The files of {version} cannot be read ({type(error).__name__}); freeze the dataset again.",
            field="version",
        ) from error


def clips_frozen(*, version: DatasetVersion) -> Survey:
    """The clips as they were frozen, the model not asked: a run uses these at most."""
    return Survey(version.clips_train, version.clips_validation, version.seconds_train, version.seconds_validation, ())


def texts_known(*, version: DatasetVersion, bundle: str, patience: float | None = None) -> bool:
    """Whether :func:`clips_usable` can answer at once; where it cannot, its work is begun beside the caller, who waits
    ``patience`` seconds for it (PATIENCE unless told otherwise).

    What is wrong with version or model is said by that function, at once.
    """
    try:
        opened = bundle_open(name=bundle or settings.XTTS_BUNDLE)
        if _found(version, opened) is not None:
            return True
        work = _looked_at(version, opened, version_manifest(version=version))
    except (DomainError, OSError, ValueError, KeyError, TypeError):
        return True
    futures.wait([work], PATIENCE if patience is None else patience)
    return work.done()


def texts_require(*, version: DatasetVersion, bundle: str) -> None:
    """DomainError ``check_pending`` where :func:`clips_usable` cannot answer yet."""
    if not texts_known(version=version, bundle=bundle):
        raise DomainError(
            "check_pending",
            f"The texts of {version} are being looked at for the first time with this model; ask again in a few "
            "seconds.",
            permanent=False,
        )


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


Texts = dict[str, Problem]

_pool = futures.ThreadPoolExecutor(1, thread_name_prefix="texts")
_at_work: dict[Path, futures.Future[Texts]] = {}
_lock = threading.Lock()


def _found(version: DatasetVersion, bundle: Bundle) -> Texts | None:
    """What is wrong with the texts, where somebody has looked before."""
    try:
        told = json.loads(_kept_at(version, bundle, version.dataset.language).read_text(encoding="utf-8"))
        return {str(clip): Problem(str(code), str(reason)) for clip, (code, reason) in told.items()}
    except (OSError, ValueError, AttributeError, TypeError):
        # Not found yet, or half a file that a full disk left.
        return None


def _looked_at(version: DatasetVersion, bundle: Bundle, rows: Sequence[Mapping[str, Any]]) -> futures.Future[Texts]:
    """The same, looked at now; by one thread, however many ask at once."""
    language = version.dataset.language
    kept = _kept_at(version, bundle, language)
    with _lock:
        work = _at_work.get(kept)
        if work is None:
            work = _at_work[kept] = _pool.submit(_look, rows, language, bundle.path, kept)
            work.add_done_callback(lambda _: _at_work.pop(kept, None))
    return work


def _look(rows: Sequence[Mapping[str, Any]], language: str, bundle: Path, kept: Path) -> Texts:
    from xttsproject.xtts.networks import load_tokenizer

    tokenizer = load_tokenizer(bundle)
    limits = limits_of(read_config(bundle), tokenizer.unknown)
    found = text_problems(rows, language, tokenizer.encode_sentence, limits)
    write_json(kept, {clip: [problem.code, problem.reason] for clip, problem in found.items()})
    return found


def _kept_at(version: DatasetVersion, bundle: Bundle, language: str) -> Path:
    """Named by everything that the tokens follow from: texts, vocabulary, sizes, and the code that cleans texts."""
    texts = version.manifest_sha256 or sha256_of(version.manifest_path)
    model = [bundle.files[name].sha256 if name in bundle.files else "" for name in (CONFIG_FILE, VOCAB_FILE)]
    key = json.dumps([_FORMAT, texts, language, *model, installed("coqui-tts")])
    return storage.texts_dir() / f"{hashlib.sha256(key.encode()).hexdigest()}.json"
