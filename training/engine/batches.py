"""Which clips meet in a batch, in what order, and what each hears as the voice to imitate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random

from training.engine.seeds import generator

LENGTH_NOISE = 0.15
"""Lengths are blurred by this share before sorting, so that batches differ from epoch to epoch."""

POOL_BATCHES = 32
"""Sorting happens within pools of this many batches: alike in length, yet mixed anew in every epoch."""

MIN_REFERENCE_SECONDS = 3.0
MAX_REFERENCE_SECONDS = 6.0
"""The released model was trained on references of 3 to 6 seconds."""


def epoch_batches(lengths: Sequence[int], batch_size: int, seed: int, epoch: int) -> list[list[int]]:
    """One full pass: every index exactly once, in batches of similar length, in a random order of batches."""
    random = generator(seed, "order", epoch)
    order = list(range(len(lengths)))
    random.shuffle(order)
    pool_size = batch_size * POOL_BATCHES
    batches: list[list[int]] = []
    for start in range(0, len(order), pool_size):
        pool = order[start : start + pool_size]
        blurred = {index: lengths[index] * random.uniform(1 - LENGTH_NOISE, 1 + LENGTH_NOISE) for index in pool}
        pool.sort(key=lambda index: blurred[index])
        batches += [pool[first : first + batch_size] for first in range(0, len(pool), batch_size)]
    random.shuffle(batches)
    return batches


def sequential_batches(lengths: Sequence[int], batch_size: int) -> list[list[int]]:
    """The pass used for validation: by length, the same in every epoch."""
    order = sorted(range(len(lengths)), key=lambda index: (lengths[index], index))
    return [order[first : first + batch_size] for first in range(0, len(order), batch_size)]


@dataclass(frozen=True)
class Reference:
    """A stretch of conditioning mel: from ``start`` for ``frames`` frames of the clip at ``index``."""

    index: int
    start: int
    frames: int


def draw_references(
    batch: Sequence[int],
    frames: Sequence[int],
    speakers: Sequence[str],
    by_speaker: Mapping[str, Sequence[int]],
    frames_per_second: float,
    random: Random,
) -> list[Reference]:
    """A random reference for every clip of a batch, all of one length, so that none is padded with silence.

    A clip that is at least twice as long as the reference gives it itself (its loss is then masked there); for a
    shorter one it comes from another clip of the same speaker, and where there is none, from half of its own.
    """
    wanted = round(frames_per_second * random.uniform(MIN_REFERENCE_SECONDS, MAX_REFERENCE_SECONDS))
    length = min(wanted, *(_longest(index, frames, by_speaker[speakers[index]]) for index in batch))
    references = []
    for index in batch:
        source = index
        if frames[index] < 2 * length:
            source = random.choice([i for i in by_speaker[speakers[index]] if i != index and frames[i] >= length])
        references.append(Reference(source, random.randint(0, frames[source] - length), length))
    return references


def fixed_references(batch: Sequence[int], frames: Sequence[int], frames_per_second: float) -> list[Reference]:
    """Validation's references: the start of each clip itself, the same in every epoch."""
    middle = round(frames_per_second * (MIN_REFERENCE_SECONDS + MAX_REFERENCE_SECONDS) / 2)
    length = min(middle, *(max(1, frames[index] // 2) for index in batch))
    return [Reference(index, 0, length) for index in batch]


def _longest(index: int, frames: Sequence[int], family: Sequence[int]) -> int:
    """The longest reference that the clip can be given, in frames."""
    others = max((frames[i] for i in family if i != index), default=0)
    return max(1, frames[index] // 2, others)
