"""What a clip is compared by, kept in a file so that it is computed once: its fingerprint and its voice."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt

from datasets.pipeline.screening.fingerprint import Fingerprint
from xttsproject.lib.files import atomic_path


@dataclass(frozen=True)
class Print:
    """``key`` says of what: the stretch of sound and the model. ``voice`` as ``SpeakerEar.embed`` gives it, or None."""

    key: str
    fingerprint: Fingerprint
    voice: npt.NDArray[np.float32] | None


def write_print(path: Path, value: Print) -> None:
    voice = np.zeros((0, 0), np.float16) if value.voice is None else value.voice.astype(np.float16)
    with atomic_path(path) as temporary, open(temporary, "wb") as handle:
        np.savez(handle, key=np.array(value.key), fingerprint=value.fingerprint, voice=voice)


def read_print(path: Path) -> Print | None:
    """None for one that is not there or cannot be read: it is then made anew."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            voice = stored["voice"].astype(np.float32)
            return Print(str(stored["key"]), stored["fingerprint"].astype(np.uint32), voice if len(voice) else None)
    except (OSError, ValueError, KeyError, BadZipFile):
        return None
