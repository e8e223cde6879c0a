"""Text and a voice to audio codes and latents: one pass, several sentences at once.

Coqui generates the codes and then runs the whole GPT again over them for the latents that the decoder wants. The hidden
states of the generation are those latents, so they are kept as they appear. :mod:`xttsproject.xtts.loop` is the loop
that does so; here is the network which it drives.
"""

from __future__ import annotations

import hashlib
import weakref
from collections.abc import Sequence
from concurrent.futures import Executor
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as fn

from xttsproject.lib.errors import DomainError
from xttsproject.lib.progress import Progress, Silent
from xttsproject.xtts.adapters import Adapter, Added, Shares, read_adapter
from xttsproject.xtts.blocks import GptBlocks
from xttsproject.xtts.cache import Cache, Opening, Openings
from xttsproject.xtts.config import GptShape
from xttsproject.xtts.graphs import Recorder
from xttsproject.xtts.loop import Decoded, SpeechLoop, Utterance
from xttsproject.xtts.packing import Shrunk
from xttsproject.xtts.projections import Precision
from xttsproject.xtts.stack import Stack
from xttsproject.xtts.weights import State

__all__ = ["Decoded", "GptDecoder", "Utterance"]

_VOICES_KEPT = 16
"""Of the released size each takes 8 MB in float32."""


class GptDecoder:
    """The speaking half of the GPT. It keeps what it makes of a voice, for the voice's next sentences, but nothing of
    what it said: several loops may share it, one at a time."""

    def __init__(
        self,
        state: State,
        shape: GptShape,
        device: torch.device,
        precision: Precision = "fp32",
        name: str = "unnamed",
        ready: Shrunk | None = None,
        recorder: Recorder | None = None,
        pool: Executor | None = None,
    ):
        """``name`` is what people call the model; ``ready`` are its matrices, where they have been shrunk already, and
        ``pool`` has the threads that pack them; with ``recorder`` its loops record their steps."""
        self.shape, self.device, self.precision, self.name = shape, device, precision, name
        self.recorder = recorder
        self._blocks = GptBlocks(state, shape, device, precision, ready, pool)
        self.openings = Openings(_VOICES_KEPT)

        def exact(name: str) -> Tensor:
            # Copied where the matrices are: a view of the file would keep all of it in memory.
            return state[name].to(device, torch.float32, copy=precision != "fp32")

        # Embeddings, the last norm and the head stay in float32: they cost little, and the codes hang on them.
        self._text = exact("text_embedding.weight"), exact("text_pos_embedding.emb.weight")
        self._audio = exact("mel_embedding.weight"), exact("mel_pos_embedding.emb.weight")
        self._norm = exact("final_norm.weight"), exact("final_norm.bias")
        self._head = exact("mel_head.weight"), exact("mel_head.bias")

    def decode(
        self, utterances: Sequence[Utterance], progress: Progress | None = None, limit: int = 32
    ) -> list[Decoded]:
        """Decode sentences, at most ``limit`` at a time, each until its own stop code or cap.

        Raises :class:`DomainError` ``text_too_long`` for more tokens than the model reads, and
        :class:`~xttsproject.lib.errors.Cancelled` through ``progress``.
        """
        watcher = progress or Silent()
        loop = SpeechLoop(self, limit)
        rows = [loop.add(utterance) for utterance in utterances]
        most = sum(row.cap for row in rows)
        while loop.busy:
            watcher.check()
            watcher.report(sum(row.cap if row.done else len(row) for row in rows) / most, "speaking")
            loop.step()
        return [row.result() for row in rows]

    @torch.inference_mode()
    def follow(self, utterance: Utterance, codes: Sequence[int]) -> Tensor:
        """Latents ``(codes, width)`` in float32 of codes that somebody else chose, in one pass."""
        spoken = self.embed(codes[:-1], range(1, len(codes)))[:, 0]
        x = torch.cat([self.prefix(utterance), spoken])[None]
        opening = self.opening(utterance)
        cache = self.new_cache()
        cache.reserve(1, opening.length + x.shape[1])
        shares = Shares.of([utterance.adapter], self.device)
        hidden = self._blocks.forward(x.to(self._blocks.dtype), cache.beginning(0, [x.shape[1]], [opening]), shares)
        return self.normed(hidden[0, -len(codes) :].float())

    def read_adapter(self, path: Path) -> Adapter | None:
        """For utterances of this decoder: :func:`xttsproject.xtts.adapters.read_adapter`."""
        return read_adapter(path, self.shape, self.device, self._blocks.dtype)

    def require_fitting(self, utterance: Utterance) -> None:
        """Raises :class:`DomainError` ``text_too_long`` for more tokens than the model reads."""
        if len(utterance.tokens) > self.shape.longest_text:
            raise DomainError(
                "text_too_long",
                f"A sentence has {len(utterance.tokens)} tokens; the model reads {self.shape.longest_text}: split it.",
                field="text",
            )

    # --- what the loop drives ---------------------------------------------------------------------------------

    def new_cache(self) -> Cache:
        return self._blocks.new_cache()

    def new_stack(self) -> Stack:
        """An empty one, for adapters of this decoder."""
        return Stack(self.device, self._blocks.dtype)

    def opening(self, utterance: Utterance) -> Opening:
        """What the blocks make of the voice, which stands before all of its sentences: computed once per voice and
        adapter, always by itself, so that a sentence is the same whether it is the voice's first or not."""
        latents = utterance.latents.float().cpu().contiguous()
        adapter = None if utterance.adapter is None else weakref.ref(utterance.adapter)
        key = hashlib.sha256(latents.numpy().tobytes()).digest(), tuple(latents.shape), adapter
        return self.openings.get(key, lambda: self._opened(latents, utterance.adapter))

    def _opened(self, latents: Tensor, adapter: Adapter | None) -> Opening:
        cache, length = self.new_cache(), latents.shape[1]
        cache.reserve(1, length)
        shares = Shares.of([adapter], self.device)
        self._blocks.forward(latents.to(self.device, self._blocks.dtype), cache.beginning(0, [length]), shares)
        return cache.opening(length)

    def prefix(self, utterance: Utterance) -> Tensor:
        """What comes after the voice: text and the start code, ``(text + 3, width)`` in float32."""
        shape = self.shape
        tokens = torch.tensor([shape.start_text_token, *utterance.tokens, shape.stop_text_token], device=self.device)
        words = self._text[0][tokens] + self._text[1][: len(tokens)]
        return torch.cat([words, self.embed([shape.start_audio_token], [0])[0]])

    def embed(self, codes: Sequence[int], places: Sequence[int]) -> Tensor:
        """Codes at their places in the speech (the start code's is 0) to ``(rows, 1, width)`` in float32."""
        which = torch.tensor([list(codes), list(places)], device=self.device, dtype=torch.long)
        return self.embed_there(which[0], which[1])

    def embed_there(self, codes: Tensor, places: Tensor) -> Tensor:
        """:meth:`embed` of what is on the device."""
        return (self._audio[0][codes] + self._audio[1][places])[:, None]

    def run_beginning(
        self, openings: Sequence[Opening], prefixes: Sequence[Tensor], cache: Cache, first: int, shares: Shares
    ) -> Tensor:
        """Openings, and prefixes ``(length, width)`` after them, into the slots from ``first`` on; hidden states
        ``(rows, width)`` at each one's end."""
        lengths = [len(prefix) for prefix in prefixes]
        longest = max(lengths)
        x = torch.stack([fn.pad(prefix, (0, 0, 0, longest - len(prefix))) for prefix in prefixes])
        hidden = self._blocks.forward(x.to(self._blocks.dtype), cache.beginning(first, lengths, openings), shares)
        last = torch.tensor(lengths, device=self.device) - 1
        return hidden[torch.arange(len(lengths), device=self.device), last].float()

    def run_step(self, x: Tensor, cache: Cache, columns: Sequence[int], shares: Shares) -> Tensor:
        """One new position ``(rows, 1, width)`` of each slot, at its column; hidden states ``(rows, width)``."""
        return self.run_step_there(x, cache, torch.tensor(columns, device=self.device), max(columns), shares)

    def run_step_there(self, x: Tensor, cache: Cache, columns: Tensor, longest: int, shares: Added) -> Tensor:
        """:meth:`run_step` with the columns on the device, of which ``longest`` is an upper bound."""
        attend = cache.following(columns, longest)
        return self._blocks.forward(x.to(self._blocks.dtype), attend, shares)[:, 0].float()

    def normed(self, hidden: Tensor) -> Tensor:
        """Hidden states ``(rows, width)`` to latents: what the head and the decoder read."""
        return fn.layer_norm(hidden, hidden.shape[-1:], *self._norm)

    def logits(self, latents: Tensor) -> Tensor:
        """``(rows, audio codes)`` in float32."""
        return fn.linear(latents, *self._head)
