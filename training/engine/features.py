"""What the model is trained on, computed once per clip and model and kept: audio codes, mel, tokens.

An entry's name is a hash of the clip's bytes, its text and language, and the model's files. Nothing in it can be out
of date, so entries are shared by epochs, runs and dataset versions, and need no invalidation.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from training.engine.dataset import Clip
from xttsproject.lib.audio import Audio, read_wav
from xttsproject.lib.errors import DomainError
from xttsproject.lib.files import atomic_path, sha256_of
from xttsproject.lib.progress import Progress
from xttsproject.xtts.limits import MODEL_RATE

FORMAT = 1
"""Part of every name: raise it when what is computed changes."""


class Analyser(Protocol):
    """The part of the model that hears."""

    key: str
    """Names everything that the results depend on besides the clip."""

    def analyse(self, audio: Audio) -> tuple[Tensor, Tensor]:
        """Codes ``(n,)`` int64 and conditioning mel ``(80, frames)`` float32 of sound at MODEL_RATE."""


@dataclass(frozen=True)
class ClipFeatures:
    """Codes ``(n,)`` and tokens ``(t,)``, int64, in memory; the mel ``(frames, 80)`` stays in ``path``.

    ``altered`` are files of the clip as other microphones would have heard it (:mod:`training.engine.augment`).
    """

    path: Path
    codes: Tensor
    tokens: Tensor
    frames: int
    altered: tuple[Path, ...] = ()

    def mel(self, start: int, frames: int, variant: int = 0) -> Tensor:
        """Conditioning mel ``(80, frames)`` from frame ``start`` on; reads only that stretch of the file.

        ``variant`` counts altered recordings from 1; 0 is the clip as it is.
        """
        from safetensors import safe_open

        if variant:
            from training.engine.augment import altered_mel

            return altered_mel(self.altered[variant - 1], start, frames, self.frames)

        with safe_open(self.path, framework="pt") as handle:
            part: Tensor = handle.get_slice("mel")[start : start + frames]
        return part.T.contiguous()


def feature_path(folder: Path, clip: Clip, key: str) -> Path:
    name = json.dumps([FORMAT, sha256_of(clip.audio), clip.text, clip.language, list(clip.tokens), key])
    digest = hashlib.sha256(name.encode()).hexdigest()
    return folder / digest[:2] / f"{digest}.safetensors"


def prepare(
    clips: Sequence[Clip],
    folder: Path,
    analyser: Analyser,
    progress: Progress,
    on_done: Callable[[int, int], None],
) -> list[ClipFeatures]:
    """Features of every clip, in order; only those not kept yet are computed. ``on_done`` hears of (done, total).

    ``clip_vanished`` when a clip that was there at the start no longer is.
    """
    found = []
    for number, clip in enumerate(clips, start=1):
        progress.check()
        try:
            path = feature_path(folder, clip, analyser.key)
            features = _read(path) or _compute(path, clip, analyser)
        except FileNotFoundError as error:
            raise DomainError(
                "clip_vanished", f"The clip {clip.id} was there at the start and is gone: {clip.audio}."
            ) from error
        found.append(features)
        on_done(number, len(clips))
    return found


def _compute(path: Path, clip: Clip, analyser: Analyser) -> ClipFeatures:
    from safetensors.torch import save_file

    with torch.inference_mode():
        codes, mel = analyser.analyse(read_wav(clip.audio).at_rate(MODEL_RATE))
    # Frames first: a stretch of time is then one piece of the file.
    tensors = {
        "codes": codes.to("cpu", torch.int16),
        "tokens": torch.tensor(clip.tokens, dtype=torch.int32),
        "mel": mel.to("cpu", torch.float32).T.contiguous(),
    }
    with atomic_path(path) as temporary:
        save_file(tensors, temporary)
    return ClipFeatures(path, tensors["codes"].long(), tensors["tokens"].long(), len(tensors["mel"]))


def _read(path: Path) -> ClipFeatures | None:
    """A kept entry; None where there is none or it is damaged (it is then computed anew)."""
    from safetensors import SafetensorError, safe_open

    if not path.exists():
        return None
    try:
        with safe_open(path, framework="pt") as handle:
            codes, tokens = handle.get_tensor("codes"), handle.get_tensor("tokens")
            frames = handle.get_slice("mel").get_shape()[0]
    except (OSError, SafetensorError):
        return None
    return ClipFeatures(path, codes.long(), tokens.long(), frames)
