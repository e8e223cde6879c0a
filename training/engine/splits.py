"""The clips of a run: those it learns from, and those held out, each with the reference that it is always judged by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from training.engine.batches import Reference, fixed_references, sequential_batches
from training.engine.dataset import Clip
from training.engine.features import ClipFeatures
from training.engine.losses import FRAME_SAMPLES, Batch, collate, count_targets
from xttsproject.xtts.limits import MODEL_RATE

FRAMES_PER_SECOND = MODEL_RATE / FRAME_SAMPLES


@dataclass(frozen=True)
class Split:
    """Clips with their features, index for index."""

    clips: Sequence[Clip]
    features: Sequence[ClipFeatures]


class HeldOut:
    """Validation clips in fixed batches with fixed references, so that epochs, runs and averages can be compared.

    Training clips lend their sound where no other held-out clip of the speaker is long enough: in use, too, a voice is
    conditioned by clips that were trained on.
    """

    def __init__(self, held_out: Split, train: Split):
        self.clips = held_out.clips
        self._features = [*held_out.features, *train.features]
        self._frames = [features.frames for features in self._features]
        self._speakers = [clip.speaker for clip in (*held_out.clips, *train.clips)]

    def __len__(self) -> int:
        return len(self.clips)

    def batches(self, batch_size: int) -> list[list[int]]:
        return sequential_batches([clip.samples for clip in self.clips], batch_size)

    def references(self, indices: Sequence[int]) -> list[Reference]:
        return fixed_references(indices, self._frames, self._speakers, len(self.clips), FRAMES_PER_SECOND)

    def collate(self, indices: Sequence[int], references: Sequence[Reference], stop_token: int) -> Batch:
        """What a clip has heard of itself, for want of another, it is not judged by."""
        return collate(indices, references, self.clips, self._features, stop_token, mask_references=True)

    def count_targets(self, indices: Sequence[int], references: Sequence[Reference]) -> Tensor:
        """As :func:`training.engine.losses.count_targets`."""
        return count_targets(indices, references, self.clips, self._features)
