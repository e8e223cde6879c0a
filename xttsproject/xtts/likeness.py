"""How alike two voices sound to the model: its own speaker encoder, asked of a clip as a whole and piece by piece."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from xttsproject.lib.audio import Audio
from xttsproject.xtts.conditioning import speaker_embedding
from xttsproject.xtts.config import read_config
from xttsproject.xtts.mel import MEL_RATE
from xttsproject.xtts.networks import load_decoder

PIECE_SECONDS, STEP_SECONDS = 2.0, 1.0
"""A piece is long enough to tell a voice by, and short enough to show a change of speakers within a clip."""
LEAST_SECONDS = 0.5

Embeddings = npt.NDArray[np.float32]


class SpeakerEar:
    """The speaker encoder of a bundle. Cosines of what :meth:`embed` returns compare voices."""

    def __init__(self, encoder: nn.Module, device: torch.device):
        self._encoder, self._device = encoder.eval(), device

    @classmethod
    def load(cls, bundle_path: Path, device: str = "cpu") -> SpeakerEar:
        """Raises DomainError ``model_missing`` or ``model_damaged``."""
        decoder = load_decoder(bundle_path, read_config(bundle_path))
        encoder: nn.Module = decoder.speaker_encoder  # type: ignore[assignment]
        return cls(encoder.to(device), torch.device(device))

    @torch.inference_mode()
    def embed(self, audio: Audio) -> Embeddings | None:
        """Embeddings of length one, shape ``(1 + pieces, width)``: of the whole clip, then of its pieces of 2 s, a
        second apart (none where the clip is shorter than 3 s). None for less than half a second or silence.
        """
        if audio.seconds < LEAST_SECONDS:
            return None
        wave = torch.from_numpy(audio.at_rate(MEL_RATE).samples.copy()).clamp(-1.0, 1.0).unsqueeze(0)
        wave = wave.to(self._device)
        size, step = round(PIECE_SECONDS * MEL_RATE), round(STEP_SECONDS * MEL_RATE)
        found = [speaker_embedding(self._encoder, wave)]
        if wave.shape[1] >= size + step:
            pieces = wave[0].unfold(0, size, step)
            found.append(speaker_embedding(self._encoder, pieces))
        embeddings: Embeddings = torch.cat(found).float().cpu().numpy()
        return embeddings if np.isfinite(embeddings).all() else None
