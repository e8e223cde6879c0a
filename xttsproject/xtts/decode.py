"""Text and a voice to audio codes and latents: one pass, several sentences at once.

Coqui generates the codes and then runs the whole GPT again over them for the latents that the decoder wants. The hidden
states of the generation are those latents, so they are kept as they appear.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as fn

from xttsproject.lib.errors import DomainError
from xttsproject.lib.progress import Progress, Silent
from xttsproject.xtts.blocks import Cache, GptBlocks
from xttsproject.xtts.config import GptShape
from xttsproject.xtts.sampling import Chooser, Draw
from xttsproject.xtts.weights import State

# Coqui hands the prefix to generate() as a row of ones, and its repetition penalty takes them for spoken codes: code 1
# is weakened from the start. Voices were judged with that, so it is kept.
_PLACEHOLDER_CODE = 1


@dataclass(frozen=True)
class Utterance:
    """One sentence to decode: tokens without start and stop, the voice's latents ``(1, 32, width)``, and its luck."""

    tokens: tuple[int, ...]
    latents: Tensor
    max_codes: int
    seed: int
    draw: Draw


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


class GptDecoder:
    """The speaking half of the GPT. Not for several threads at once."""

    def __init__(self, state: State, shape: GptShape, device: torch.device, dtype: torch.dtype = torch.float32):
        self._shape, self._device, self._dtype = shape, device, dtype
        self._blocks = GptBlocks(state, shape, device, dtype)

        def exact(name: str) -> Tensor:
            return state[name].to(device, torch.float32)

        # Embeddings, the last norm and the head stay in float32: they cost little, and the codes hang on them.
        self._text = exact("text_embedding.weight"), exact("text_pos_embedding.emb.weight")
        self._audio = exact("mel_embedding.weight"), exact("mel_pos_embedding.emb.weight")
        self._norm = exact("final_norm.weight"), exact("final_norm.bias")
        self._head = exact("mel_head.weight"), exact("mel_head.bias")

    @torch.inference_mode()
    def decode(self, utterances: Sequence[Utterance], progress: Progress | None = None) -> list[Decoded]:
        """Decode all sentences as one batch, each until its own stop code or cap.

        Raises :class:`DomainError` ``text_too_long`` for more tokens than the model reads, and
        :class:`~xttsproject.lib.errors.Cancelled` through ``progress``.
        """
        if not utterances:
            return []
        watcher = progress or Silent()
        caps = [min(utterance.max_codes, self._shape.longest_speech) for utterance in utterances]
        steps = max(caps)
        rows = _Rows(self, utterances, caps, steps)
        for step in range(steps):
            watcher.check()
            watcher.report(step / steps, "speaking")
            if not rows.advance(step):
                break
        return rows.results()

    def _prefix(self, utterance: Utterance) -> Tensor:
        """Voice, text and the start code: ``(32 + text + 3, width)`` in float32."""
        shape = self._shape
        if len(utterance.tokens) > shape.longest_text:
            raise DomainError(
                "text_too_long",
                f"A sentence has {len(utterance.tokens)} tokens; the model reads {shape.longest_text}: split it.",
                field="text",
            )
        tokens = torch.tensor([shape.start_text_token, *utterance.tokens, shape.stop_text_token], device=self._device)
        words = self._text[0][tokens] + self._text[1][: len(tokens)]
        start = self._embed(torch.tensor([shape.start_audio_token], device=self._device), 0)
        return torch.cat([utterance.latents[0].to(self._device, torch.float32), words, start])

    def _embed(self, codes: Tensor, position: int) -> Tensor:
        return self._audio[0][codes] + self._audio[1][position]

    def _run(self, x: Tensor, cache: Cache, start: int, visible: Tensor | None) -> Tensor:
        """Latents ``(batch, width)`` of the last position in ``x``."""
        hidden = self._blocks.forward(x.to(self._dtype), cache, start, visible)[:, -1].float()
        return fn.layer_norm(hidden, hidden.shape[-1:], *self._norm)


class _Rows:
    """A batch under way. Rows that are done are dropped once they are half of it: their time goes to the rest."""

    def __init__(self, decoder: GptDecoder, utterances: Sequence[Utterance], caps: Sequence[int], steps: int):
        self._decoder = decoder
        device, shape = decoder._device, decoder._shape
        prefixes = [decoder._prefix(utterance) for utterance in utterances]
        self._length = max(len(prefix) for prefix in prefixes)
        padding = [self._length - len(prefix) for prefix in prefixes]
        # Padding stands on the left, so that all sentences write their next code at the same place.
        self._input = torch.stack([fn.pad(p, (0, 0, room, 0)) for p, room in zip(prefixes, padding, strict=True)])
        self._padding = torch.tensor(padding, device=device)
        self._padded = any(padding)
        self._cache = decoder._blocks.new_cache(len(utterances), self._length + steps - 1)
        heard = torch.zeros(len(utterances), shape.audio_tokens, dtype=torch.bool, device=device)
        heard[:, [_PLACEHOLDER_CODE, shape.start_audio_token]] = True
        self._chooser = Chooser([u.draw for u in utterances], [u.seed for u in utterances], steps, heard)
        self._caps = torch.tensor(caps, device=device)
        self._going = torch.ones(len(utterances), dtype=torch.bool, device=device)
        self._which = list(range(len(utterances)))
        self._codes: list[list[Tensor]] = [[] for _ in utterances]
        self._latents: list[list[Tensor]] = [[] for _ in utterances]

    def advance(self, step: int) -> bool:
        """One code for each row; false when none is left to go on."""
        decoder = self._decoder
        if step == 0:
            latents = decoder._run(self._input, self._cache, 0, self._prefix_mask())
        else:
            latents = decoder._run(self._input, self._cache, self._length + step - 1, self._step_mask(step))
        codes = self._chooser.choose(fn.linear(latents, *decoder._head), step)
        going = self._going.tolist()
        for row, which in enumerate(self._which):
            if going[row]:
                self._codes[which].append(codes[row])
                self._latents[which].append(latents[row])
        self._going &= (codes != decoder._shape.stop_audio_token) & (step + 1 < self._caps)
        self._input = decoder._embed(codes, step + 1)[:, None]
        left = int(self._going.sum())
        if left and left <= len(self._which) // 2:
            self._keep(self._going.nonzero()[:, 0])
        return left > 0

    def results(self) -> list[Decoded]:
        stop = self._decoder._shape.stop_audio_token
        results = []
        for codes, latents in zip(self._codes, self._latents, strict=True):
            spoken = tuple(torch.stack(codes).tolist())
            results.append(Decoded(spoken, torch.stack(latents), spoken[-1] == stop))
        return results

    def _keep(self, rows: Tensor) -> None:
        self._cache = self._cache.keep(rows)
        self._chooser.keep(rows)
        self._input, self._caps = self._input[rows], self._caps[rows]
        self._padding, self._going = self._padding[rows], self._going[rows]
        self._padded = bool((self._padding > 0).any())
        self._which = [self._which[row] for row in rows.tolist()]

    def _prefix_mask(self) -> Tensor:
        """``(batch, 1, length, length)``: the past, but no padding; padding sees itself: a softmax needs something."""
        place = torch.arange(self._length, device=self._padding.device)
        past = place[:, None] >= place[None, :]
        real = place[None, :] >= self._padding[:, None]
        return (past & real[:, None, :] | torch.eye(self._length, dtype=torch.bool, device=place.device))[:, None]

    def _step_mask(self, step: int) -> Tensor | None:
        if not self._padded:
            return None
        place = torch.arange(self._length + step, device=self._padding.device)
        return (place[None, :] >= self._padding[:, None])[:, None, None, :]
