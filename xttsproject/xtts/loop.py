"""The speaking loop: sentences join and leave at any step, and each gets one code per step.

Continuous batching (Yu et al., 2022, "Orca: A Distributed Serving System for Transformer-Based Generative Models"): the
weights are read once per step for all sentences under way, whoever asked for them and whenever they began. A sentence
has its own place in the cache, its own sampling and its own luck, so that what it says does not depend on the others.

::

    loop = SpeechLoop(decoder, limit=16)
    row = loop.add(utterance)            # at any time between two steps
    while loop.busy:
        for done in loop.step():         # rows that ended in this step
            done.result()
        row.latents(heard)               # of any row, as far as it has come: the sound can follow it
    loop.drop(row)                       # nobody listens any more
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from xttsproject.lib.errors import DomainError
from xttsproject.xtts.adapters import Adapter, Shares
from xttsproject.xtts.graphs import Recorder
from xttsproject.xtts.sampling import NOTHING, Chooser, Draw, uniforms
from xttsproject.xtts.steps import Standing, Steps

if TYPE_CHECKING:
    from xttsproject.xtts.decode import GptDecoder

# Coqui hands the prefix to generate() as a row of ones, and its repetition penalty takes them for spoken codes: code 1
# is weakened from the start. Voices were judged with that, so it is kept.
_PLACEHOLDER_CODE = 1

_BEGIN_TOGETHER = 32
"""Beginnings computed in one pass on a GPU. On a CPU each has a pass of its own: it is long enough to keep the cores
busy, nothing is filled up, and its rounding is the same whoever else begins."""


@dataclass(frozen=True)
class Utterance:
    """One sentence to decode: tokens without start and stop, the voice's latents ``(1, 32, width)``, its luck, and
    the adapter of the decoder's that it is spoken with."""

    tokens: tuple[int, ...]
    latents: Tensor
    max_codes: int
    seed: int
    draw: Draw
    adapter: Adapter | None = None


@dataclass(frozen=True)
class Decoded:
    """Codes and their latents ``(codes, width)`` in float32. When ``finished``, the last code is the stop code, and its
    latent counts as speech, as in Coqui."""

    codes: tuple[int, ...]
    latents: Tensor
    finished: bool

    @property
    def spoken_codes(self) -> int:
        """Audio codes without the stop code."""
        return len(self.codes) - int(self.finished)


class Row:
    """One sentence in the loop. Only the loop writes to it; it may be read between two steps."""

    def __init__(self, utterance: Utterance, cap: int):
        self.utterance = utterance
        self.cap = cap
        self.codes: list[int] = []
        """Audio codes so far, the stop code included."""
        self.done = False
        """Has ended: by its stop code, at its cap, or dropped."""
        self.finished = False
        """Ended by its stop code."""
        self.lost = ""
        """Ended because the model of this name came to values that are no numbers; empty: it did not."""
        self._latents: list[Tensor] = []
        self._prefix = 0
        self._luck = uniforms(utterance.seed, cap)

    def __len__(self) -> int:
        """Codes so far."""
        return len(self.codes)

    def latents(self, start: int = 0, end: int | None = None) -> Tensor:
        """Latents ``(codes, width)`` in float32 of the codes from ``start`` to ``end`` (default: all so far)."""
        chosen = self._latents[start:end]
        return torch.stack(chosen) if chosen else self.utterance.latents.new_empty(0, self.utterance.latents.shape[-1])

    def result(self) -> Decoded:
        """What was said up to here. DomainError ``model_not_finite`` where the model has lost itself."""
        if self.lost:
            raise DomainError(
                "model_not_finite",
                f"The model “{self.lost}” came to values that are no finite numbers, after {len(self)} codes of a "
                f"sentence: its weights or the voice's latents are damaged, or its precision is too coarse. Try "
                f"`manage.py models verify {self.lost}`, prepare the voice again, or set SPEECH_PRECISION=fp32.",
            )
        return Decoded(tuple(self.codes), self.latents(), self.finished)

    def _take(self, code: int, latent: Tensor, stop: int) -> None:
        self.codes.append(code)
        self._latents.append(latent)
        self.finished = code == stop
        self.done = self.finished or len(self.codes) >= self.cap


class SpeechLoop:
    """Not for several threads at once. After an exception of :meth:`step` its rows are lost: make another one.

    At most ``limit`` sentences are spoken at a time; more wait, first come first served, and take the places that
    become free. All sentences of a loop are spoken by the same ``decoder``, with any voices and any adapters that it
    read.

    With a ``recorder`` (by default the decoder's, which has one on a GPU) a step is recorded when it is first done and
    then done again with one call; see :mod:`xttsproject.xtts.steps`. ``record``: whether that is wanted.
    """

    def __init__(self, decoder: GptDecoder, limit: int = 32, recorder: Recorder | None = None, *, record: bool = True):
        if limit < 1:
            raise ValueError(f"the limit is {limit}, but at least one sentence must be let in")
        self._decoder, self._limit = decoder, limit
        self._cache = decoder.new_cache()
        self._chooser = Chooser(decoder.device, decoder.shape.audio_tokens, limit)
        recorder = (recorder or decoder.recorder) if record else None
        self._steps = None if recorder is None else Steps(decoder, self._cache, self._chooser, limit, recorder)
        # A row's place here is its slot in the cache: the two are changed together.
        self._rows: list[Row] = []
        self._waiting: deque[Row] = deque()

    @property
    def busy(self) -> bool:
        """Whether another step would do anything."""
        return bool(self._rows or self._waiting)

    @property
    def speaking(self) -> int:
        """Sentences that got a code in the last step and go on."""
        return len(self._rows)

    @property
    def waiting(self) -> int:
        """Sentences that have no place yet."""
        return len(self._waiting)

    def add(self, utterance: Utterance) -> Row:
        """Let a sentence in; the next step computes its beginning and its first code if a place is free.

        Raises :class:`~xttsproject.lib.errors.DomainError` ``text_too_long`` for more tokens than the model reads.
        """
        self._decoder.require_fitting(utterance)
        row = Row(utterance, max(1, min(utterance.max_codes, self._decoder.shape.longest_speech)))
        self._waiting.append(row)
        return row

    @torch.inference_mode()
    def drop(self, row: Row) -> None:
        """End a sentence now; the others go on. One that has ended already stays as it is."""
        if row in self._waiting:
            self._waiting.remove(row)
        elif row in self._rows:
            self._leave([self._rows.index(row)])
        row.done = True

    @torch.inference_mode()
    def step(self) -> list[Row]:
        """One code for every sentence that has a place; returns those that ended with it."""
        recorded = self._go_on_recorded() if self._rows else None
        first = len(self._rows) if recorded is not None else 0
        hidden = [self._go_on()] if self._rows and recorded is None else []
        hidden += self._begin()
        if not self._rows:
            return []
        parts = [recorded] if recorded is not None else []
        if hidden:
            fresh = self._decoder.normed(torch.cat(hidden))
            luck = [row._luck[len(row)] for row in self._rows[first:]]
            parts.append((fresh, self._chooser.choose(self._decoder.logits(fresh), luck, first)))
        # All codes are read at once: that is what the host waits for.
        latents, codes = (torch.cat(part) if len(part) > 1 else part[0] for part in zip(*parts, strict=True))
        stop = self._decoder.shape.stop_audio_token
        for row, code, latent in zip(self._rows, codes.tolist(), latents, strict=True):
            if code == NOTHING:
                row.lost, row.done = self._decoder.name, True
            else:
                row._take(code, latent, stop)
        ended = [row for row in self._rows if row.done]
        for slot, row in enumerate(self._rows):
            if row.lost:
                self._cache.clear(slot)
        if ended:
            self._leave([slot for slot, row in enumerate(self._rows) if row.done])
        return ended

    def _go_on(self) -> Tensor:
        """Hidden states ``(rows, width)`` of the codes that came last."""
        decoder = self._decoder
        columns = [row._prefix + len(row) - 1 for row in self._rows]
        # Beside the sentence's beginning there is the start code, whose place in the speech is 0.
        x = decoder.embed([row.codes[-1] for row in self._rows], [len(row) for row in self._rows])
        return decoder.run_step(x, self._cache, columns, self._shares(self._rows))

    def _go_on_recorded(self) -> tuple[Tensor, Tensor] | None:
        """Latents ``(rows, width)`` and next codes ``(rows,)``, by a recorded step if there can be one."""
        if self._steps is not None and self._steps.off:
            # With all that was recorded.
            self._steps = None
        if self._steps is None:
            return None
        standing = [
            Standing(row.codes[-1], len(row), row._prefix + len(row) - 1, row._luck[len(row)], row.utterance.adapter)
            for row in self._rows
        ]
        return self._steps.run(standing, lambda: self._decoder.normed(self._go_on()))

    def _begin(self) -> list[Tensor]:
        """Let waiting sentences in; hidden states ``(rows, width)`` of their start codes, group by group."""
        free = self._limit - len(self._rows)
        entering = [self._waiting.popleft() for _ in range(min(free, len(self._waiting)))]
        hidden: list[Tensor] = []
        together = 1 if self._decoder.device.type == "cpu" else _BEGIN_TOGETHER
        for place in range(0, len(entering), together):
            group = entering[place : place + together]
            openings = [self._decoder.opening(row.utterance) for row in group]
            prefixes = [self._decoder.prefix(row.utterance) for row in group]
            for row, opening, prefix in zip(group, openings, prefixes, strict=True):
                row._prefix = opening.length + len(prefix)
            first = len(self._rows)
            # The last code is never looked back at.
            reserve = self._cache.reserve if self._steps is None else self._steps.reserve
            reserve(first + len(group), max(row._prefix + row.cap - 1 for row in group))
            hidden.append(self._decoder.run_beginning(openings, prefixes, self._cache, first, self._shares(group)))
            self._rows += group
        if entering:
            self._chooser.join([row.utterance.draw for row in entering], self._heard(len(entering)))
        return hidden

    def _shares(self, rows: Sequence[Row]) -> Shares:
        return Shares.of([row.utterance.adapter for row in rows], self._decoder.device)

    def _heard(self, rows: int) -> Tensor:
        shape = self._decoder.shape
        heard = torch.zeros(rows, shape.audio_tokens, dtype=torch.bool, device=self._decoder.device)
        heard[:, [_PLACEHOLDER_CODE, shape.start_audio_token]] = True
        return heard

    def _leave(self, slots: list[int]) -> None:
        """Free these slots; the last rows move into the gaps, so that those in use stay the first ones."""
        places = list(range(len(self._rows)))
        for slot in sorted(slots, reverse=True):
            last = len(places) - 1
            if slot != last:
                row = self._rows[places[last]]
                self._cache.move(last, slot, row._prefix + len(row) - 1)
                places[slot] = places[last]
            places.pop()
        self._rows = [self._rows[place] for place in places]
        self._chooser.keep(places)
