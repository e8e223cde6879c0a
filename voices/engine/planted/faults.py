"""The faults, each planted in a well spoken sentence with a strength drawn for that sentence."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from voices.engine.planted.material import Said
from xttsproject.lib.audio import Samples

if TYPE_CHECKING:
    from xttsproject.xtts.engine import XttsEngine

RATE = 24_000
CUT_SHARE = (0.25, 0.6)
"""Of a sentence's codes that are cut off."""
BABBLE_SHARE = (0.35, 1.2)
"""Of a sentence's codes that are added."""
LOOP_CODES, LOOP_ROUNDS = (4, 24), (3, 11)
INNER_SILENCE = (1.5, 4.0)
CLIPPED_SHARE = (0.002, 0.03)
TAIL_SECONDS, TAIL_GAP = (0.15, 0.5), (0.2, 0.5)


@dataclass(frozen=True)
class Workbench:
    """Renders what was planted in the codes as the engine would have; ``others`` are sentences to take pieces of."""

    engine: XttsEngine
    others: Sequence[Said]

    def of_codes(self, said: Said, parts: Sequence[tuple[Said, np.ndarray]], *, finished: bool = True) -> Said:
        """The sentence whose codes and latents are these places of these sentences, one part after the other."""
        import torch

        codes = tuple(source.codes[place] for source, places in parts for place in places)
        latents = torch.cat([source.latents[torch.as_tensor(places)] for source, places in parts])
        samples = self.engine.render(latents, said.conditioning)
        return replace(said, codes=codes, latents=latents, samples=samples, finished=finished)

    def other(self, said: Said, random: np.random.Generator) -> Said:
        own = [other for other in self.others if other.voice == said.voice and other.text != said.text]
        return own[int(random.integers(len(own)))]


Plant = Callable[[Said, np.random.Generator, Workbench], Said]


def babble(said: Said, random: np.random.Generator, bench: Workbench) -> Said:
    """Goes on after its end: with another sentence of the voice, or with its sounds in a random order."""
    other = bench.other(said, random)
    count = max(8, round(random.uniform(*BABBLE_SHARE) * len(said.codes)))
    places = np.arange(min(count, len(other.codes)))
    if random.random() < 0.5:
        places = random.permutation(len(other.codes))[: len(places)]
    return bench.of_codes(said, [(said, np.arange(len(said.codes))), (other, places)])


def truncated(said: Said, random: np.random.Generator, bench: Workbench) -> Said:
    """Ends before 25 to 60 % of its codes, with a stop code there."""
    keep = round((1 - random.uniform(*CUT_SHARE)) * len(said.codes))
    return bench.of_codes(said, [(said, np.arange(max(keep, 2)))])


def loop(said: Said, random: np.random.Generator, bench: Workbench) -> Said:
    """From somewhere on repeats 4 to 24 codes 3 to 10 times; every tenth code is another one."""
    length = int(random.integers(*LOOP_CODES))
    rounds = int(random.integers(*LOOP_ROUNDS))
    sounding = _sounding(said)
    begin = int(random.integers(1, max(2, len(said.codes) - length)))
    window = np.arange(begin, min(begin + length, len(said.codes)))
    if not sounding[window].mean() > 0.5:
        middle = int(np.argmax(np.convolve(sounding, np.ones(length), mode="valid")))
        window = np.arange(middle, middle + length)
    looped = np.tile(window, rounds)
    changed = random.random(len(looped)) < 0.1
    looped[changed] = random.integers(0, len(said.codes), changed.sum())
    rest = np.arange(int(window[-1]) + 1, len(said.codes))
    return bench.of_codes(said, [(said, np.arange(int(window[0]))), (said, looped), (said, rest)])


def silence(said: Said, random: np.random.Generator, bench: Workbench) -> Said:
    """Says nothing at all (one of four), or falls silent for 1.5 to 4 s in between."""
    if random.random() < 0.25:
        hiss = random.standard_normal(len(said.samples)) * 10 ** (random.uniform(-90, -65) / 20)
        return replace(said, samples=hiss.astype(np.float32))
    length = round(random.uniform(*INNER_SILENCE) * RATE)
    place = round(random.uniform(0.2, 0.8) * len(said.samples))
    gap = (random.standard_normal(length) * 10 ** (random.uniform(-90, -70) / 20)).astype(np.float32)
    return replace(said, samples=np.concatenate([said.samples[:place], gap, said.samples[place:]]))


def clipping(said: Said, random: np.random.Generator, bench: Workbench) -> Said:
    """So loud that 0.2 to 3 % of its samples lie beyond full scale."""
    level = float(np.quantile(np.abs(said.samples), 1 - random.uniform(*CLIPPED_SHARE)))
    return replace(said, samples=np.clip(said.samples / max(level, 1e-6), -1.0, 1.0).astype(np.float32))


def no_stop(said: Said, random: np.random.Generator, bench: Workbench) -> Said:
    """The same sound, but the model never said that it had come to an end."""
    return replace(said, finished=False)


def tail(said: Said, random: np.random.Generator, bench: Workbench) -> Said:
    """After its end and 0.2 to 0.5 s of silence 0.15 to 0.5 s of a voice: a breath, a syllable."""
    other = bench.other(said, random).samples
    length = round(random.uniform(*TAIL_SECONDS) * RATE)
    loud = np.abs(other) > 0.25 * np.abs(other).max()
    begin = min(int(random.choice(np.flatnonzero(loud))), max(0, len(other) - length))
    piece = _faded(other[begin : begin + length]) * 10 ** (random.uniform(-15, 0) / 20)
    gap = np.zeros(round(random.uniform(*TAIL_GAP) * RATE), np.float32)
    quiet = np.zeros(round(0.1 * RATE), np.float32)
    return replace(said, samples=np.concatenate([said.samples, gap, piece, quiet]).astype(np.float32))


PLANTS: Mapping[str, Plant] = {
    "babble": babble,
    "truncation": truncated,
    "loop": loop,
    "silence": silence,
    "clipping": clipping,
    "no_stop": no_stop,
    "tail": tail,
}


def _sounding(said: Said) -> np.ndarray:
    from xttsproject.xtts.guard.sound import loudness_of_codes

    return loudness_of_codes(said.samples, RATE, len(said.codes)).astype(np.float64)


def _faded(piece: Samples) -> Samples:
    ramp = min(round(0.01 * RATE), len(piece) // 2)
    shaped = piece.copy()
    shaped[:ramp] *= np.linspace(0, 1, ramp, dtype=np.float32)
    shaped[len(shaped) - ramp :] *= np.linspace(1, 0, ramp, dtype=np.float32)
    return shaped
