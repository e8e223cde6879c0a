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
    """A stretch of conditioning mel: from ``start`` for ``frames`` frames of the clip at ``index``, as it is or, with
    ``variant`` above 0, as one of its altered recordings has it."""

    index: int
    start: int
    frames: int
    variant: int = 0


def draw_references(
    batch: Sequence[int],
    frames: Sequence[int],
    speakers: Sequence[str],
    by_speaker: Mapping[str, Sequence[int]],
    frames_per_second: float,
    random: Random,
    variants: int = 0,
) -> list[Reference]:
    """A random reference for every clip of a batch, all of one length, so that none is padded with silence.

    A clip that is at least twice as long as the reference gives it itself (its loss is then masked there); for a
    shorter one it comes from another clip of the same speaker, and where there is none, from half of its own.
    Of ``variants`` altered recordings and the clip as it is, each is as likely as the others.
    """
    wanted = round(frames_per_second * random.uniform(MIN_REFERENCE_SECONDS, MAX_REFERENCE_SECONDS))
    length = min(wanted, *(_longest(index, frames, by_speaker[speakers[index]]) for index in batch))
    references = []
    for index in batch:
        source = index
        if frames[index] < 2 * length:
            source = random.choice([i for i in by_speaker[speakers[index]] if i != index and frames[i] >= length])
        start = random.randint(0, frames[source] - length)
        references.append(Reference(source, start, length, random.randint(0, variants) if variants else 0))
    return references


def fixed_references(
    batch: Sequence[int], frames: Sequence[int], speakers: Sequence[str], held_out: int, frames_per_second: float
) -> list[Reference]:
    """Validation's references: the start of another clip of the same speaker, the same in every epoch.

    The first ``held_out`` of ``frames`` and ``speakers`` are validation clips, which ``batch`` names; those behind them
    only lend their sound, where no held-out one is long enough. In use a voice never hears the sentence that it is to
    say; a clip hears itself, half of it, only where its speaker has no other.
    """
    middle = round(frames_per_second * (MIN_REFERENCE_SECONDS + MAX_REFERENCE_SECONDS) / 2)
    sources = [_other_clip(index, frames, speakers, held_out, middle) for index in batch]
    available = [
        frames[source] if source != index else max(1, frames[index] // 2)
        for index, source in zip(batch, sources, strict=True)
    ]
    length = min(middle, *available)
    return [Reference(source, 0, length) for source in sources]


def _other_clip(index: int, frames: Sequence[int], speakers: Sequence[str], held_out: int, wanted: int) -> int:
    """Which clip a held-out one hears; itself where its speaker has no other."""
    others = [i for i, speaker in enumerate(speakers) if speaker == speakers[index] and i != index]
    if not others:
        return index
    long = [i for i in others if frames[i] >= wanted]
    chosen = [i for i in long if i < held_out] or long
    # Not the same one for all, or the loss would say how well that one is liked.
    return chosen[index % len(chosen)] if chosen else max(others, key=lambda i: (frames[i], -i))


def _longest(index: int, frames: Sequence[int], family: Sequence[int]) -> int:
    """The longest reference that the clip can be given, in frames."""
    others = max((frames[i] for i in family if i != index), default=0)
    return max(1, frames[index] // 2, others)
