"""Stage "features": the DVAE's mels and the pitch of every clip, computed once and read by the later stages."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from training.engine.tiny.corpus import SETS, Corpus
from training.engine.tiny.pitch import HOP, contour, voice_pitch
from training.engine.tiny.recipe import Workshop, as_drawn
from training.engine.tiny.sizes import mel_stats
from xttsproject.lib.files import atomic_directory, write_json
from xttsproject.xtts.mel import dvae_mel

BANDS = 80
_PITCH_CLIPS = 6
"""Clips of a voice that its median pitch is taken from."""
_USUAL_PITCH = 120.0
"""Hertz; around it a voice is followed whose clips hold nothing voiced."""
_SPEAK_SECONDS = 20.0

Item = TypeVar("Item")
Result = TypeVar("Result")


class Features:
    """Mels and pitch of one set, memory-mapped. A clip of ``n * 1024`` samples has ``4 n`` frames, four for each code.

    The mel of the product has one frame more, centred on the clip's end: it is left out here.
    """

    def __init__(self, mels: npt.NDArray[np.float16], pitch: npt.NDArray[np.float16], offsets: npt.NDArray[np.int64]):
        # Flat over all clips: (frames, 80) and (frames,); where each clip begins, and the end: (clips + 1,).
        self.mels, self.pitch, self.offsets = mels, pitch, offsets

    @classmethod
    def open(cls, folder: Path) -> Features:
        return cls(
            np.load(folder / "mel.npy", mmap_mode="r"),
            np.load(folder / "pitch.npy", mmap_mode="r"),
            np.load(folder / "offsets.npy"),
        )

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def mel(self, index: int) -> Tensor:
        """``(80, frames)``, float32: logarithm of the power by the bundle's mel statistics."""
        return torch.from_numpy(self.mels[self._stretch(index)].astype(np.float32).T.copy())

    def f0(self, index: int) -> Tensor:
        """``(frames,)``, float32: hertz, 0 where unvoiced."""
        return torch.from_numpy(self.pitch[self._stretch(index)].astype(np.float32))

    def _stretch(self, index: int) -> slice:
        return slice(int(self.offsets[index]), int(self.offsets[index + 1]))


def run(workshop: Workshop) -> None:
    begun = time.monotonic()
    medians: dict[str, float] = {}
    figures: dict[str, object] = {}
    for name in SETS:
        corpus, folder = workshop.corpus(name), workshop.folder("features") / name
        medians.update(pitches(corpus, workshop, known=medians))
        if not folder.is_dir():
            compute(corpus, folder, workshop, medians)
        features = Features.open(folder)
        voiced = float((np.asarray(features.pitch) > 0).mean())
        figures[name] = {"clips": len(features), "frames": int(features.offsets[-1]), "voiced": round(voiced, 3)}
        workshop.log(f"{name}: {len(features)} clips, {int(features.offsets[-1])} frames, {voiced:.0%} voiced")
    write_json(workshop.folder("features") / "voices.json", {name: round(value, 2) for name, value in medians.items()})
    workshop.finish("features", {**figures, "seconds": round(time.monotonic() - begun, 1)})


def pitches(corpus: Corpus, workshop: Workshop, known: Mapping[str, float]) -> dict[str, float]:
    """The median pitch in hertz of each voice of a set that is not known yet."""
    voices = [voice for voice in corpus.by_voice if voice not in known]

    def one(voice: str) -> float:
        clips = [torch.from_numpy(corpus.wave(i)) for i in corpus.by_voice[voice][:_PITCH_CLIPS]]
        return voice_pitch(clips) or _USUAL_PITCH

    return dict(zip(voices, each(one, voices, workshop, "median pitch of voices"), strict=True))


def compute(corpus: Corpus, folder: Path, workshop: Workshop, medians: Mapping[str, float]) -> None:
    """Write the features of a set to ``folder``, whole or not at all."""
    counts = [utterance.samples // HOP for utterance in corpus.utterances]
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    mels = np.zeros((int(offsets[-1]), BANDS), np.float16)
    pitch = np.zeros(int(offsets[-1]), np.float16)
    stats = mel_stats()

    def one(index: int) -> tuple[npt.NDArray[np.float16], npt.NDArray[np.float16]]:
        wave = torch.from_numpy(corpus.wave(index))
        mel = dvae_mel(wave[None], stats)[0, :, : counts[index]].T
        return mel.half().numpy(), contour(wave, medians[corpus.utterances[index].voice]).half().numpy()

    for index, found in enumerate(each(one, range(len(corpus)), workshop, f"features of {folder.name}")):
        stretch = slice(int(offsets[index]), int(offsets[index + 1]))
        mels[stretch], pitch[stretch] = found
    with atomic_directory(folder) as place:
        np.save(place / "mel.npy", mels)
        np.save(place / "pitch.npy", pitch)
        np.save(place / "offsets.npy", offsets)


def each(work: Callable[[Item], Result], items: Sequence[Item], workshop: Workshop, title: str) -> list[Result]:
    """``work`` on every item, in order, by one process for each core; how far it is gets told."""
    results: list[Result] = []
    spoken = time.monotonic()
    # Many small transforms: a core with a clip of its own does more than cores that share each clip, and threads would
    # wait for each other.
    loader: DataLoader[Any] = DataLoader(
        _Work(work, items), batch_size=None, collate_fn=as_drawn, num_workers=workshop.threads
    )
    for done, result in enumerate(loader, start=1):
        results.append(result)
        if time.monotonic() - spoken > _SPEAK_SECONDS:
            workshop.log(f"{title}: {done} of {len(items)}")
            spoken = time.monotonic()
    return results


class _Work(Dataset[Any]):
    def __init__(self, work: Callable[[Any], Any], items: Sequence[Any]):
        self._work, self._items = work, items

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, number: int) -> Any:
        return self._work(self._items[number])
