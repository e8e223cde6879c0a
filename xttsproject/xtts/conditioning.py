"""What a voice is to the model: latents for the GPT and an embedding for the decoder, taken from reference clips."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from xttsproject.lib.audio import Audio
from xttsproject.lib.errors import DomainError
from xttsproject.lib.files import atomic_path
from xttsproject.xtts.mel import MEL_RATE, conditioning_mel
from xttsproject.xtts.types import ConditioningSettings
from xttsproject.xtts.weights import read_tensors

SPEAKER_RATE = 16_000
_SHORTEST_CHUNK = 0.33
"""Seconds; a shorter rest of the clip says too little to be averaged with whole chunks."""


@dataclass(frozen=True)
class Conditioning:
    """``gpt_latents`` ``(1, 32, width)`` and ``speaker_embedding`` ``(1, 512, 1)``, float32 on the CPU."""

    gpt_latents: Tensor
    speaker_embedding: Tensor

    def __post_init__(self) -> None:
        if self.gpt_latents.ndim != 3 or self.gpt_latents.shape[0] != 1:
            raise ValueError(f"GPT latents are (1, 32, width), got {tuple(self.gpt_latents.shape)}.")
        if self.speaker_embedding.ndim != 3 or self.speaker_embedding.shape[::2] != (1, 1):
            raise ValueError(f"A speaker embedding is (1, width, 1), got {tuple(self.speaker_embedding.shape)}.")

    def save(self, path: Path) -> None:
        """Write both tensors as safetensors, whole or not at all."""
        with atomic_path(path) as temporary:
            save_file(
                {
                    "gpt_cond_latent": self.gpt_latents.contiguous(),
                    "speaker_embedding": self.speaker_embedding.contiguous(),
                },
                temporary,
            )

    @classmethod
    def load(cls, path: Path) -> Conditioning:
        """Read what :meth:`save` wrote. Raises :class:`DomainError` ``conditioning_missing`` or ``…_damaged``."""
        try:
            tensors = read_tensors(path)
            return cls(tensors["gpt_cond_latent"], tensors["speaker_embedding"])
        except DomainError as error:
            raise DomainError(error.code.replace("model", "conditioning"), error.message) from error
        except (KeyError, ValueError) as error:
            raise DomainError("conditioning_damaged", f"{path.name} holds no voice ({error}).") from error


class VoiceNetworks(Protocol):
    """What :func:`compute` needs of an engine."""

    @property
    def style_encoder(self) -> nn.Module:
        """Mel ``(batch, 80, frames)`` to latents ``(batch, 32, width)``."""

    @property
    def speaker_encoder(self) -> nn.Module:
        """Sound ``(batch, samples)`` at 16 000 Hz to embeddings ``(batch, 512)``."""

    @property
    def mel_stats(self) -> Tensor:
        """Scale of each mel band, ``(80,)``."""

    @property
    def device(self) -> torch.device:
        """Where the networks are."""


@torch.inference_mode()
def compute(
    engine: VoiceNetworks, clips: Sequence[Audio], settings: ConditioningSettings | None = None
) -> Conditioning:
    """Take a voice from reference clips at any rate.

    The speaker embedding is the mean over clips; the GPT's latents are the mean over chunks of all clips joined.
    Raises :class:`DomainError` ``reference_missing``, ``reference_too_short`` or ``reference_unusable``.
    """
    chosen = settings or ConditioningSettings()
    if not clips:
        raise DomainError("reference_missing", "A voice needs at least one reference clip.", field="reference_clips")
    waves = [_wave(clip, chosen.max_reference_seconds, engine.device) for clip in clips]
    joined = torch.cat(waves, dim=1)[:, : round(chosen.gpt_seconds * MEL_RATE)]
    if joined.shape[1] < _SHORTEST_CHUNK * MEL_RATE:
        raise DomainError(
            "reference_too_short",
            f"The reference clips hold {joined.shape[1] / MEL_RATE:.2f} s of sound, less than {_SHORTEST_CHUNK:g} s.",
            field="reference_clips",
        )
    chunks = [
        chunk
        for chunk in torch.split(joined, round(chosen.chunk_seconds * MEL_RATE), dim=1)
        if chunk.shape[1] >= _SHORTEST_CHUNK * MEL_RATE
    ]
    styles = [engine.style_encoder(conditioning_mel(chunk, engine.mel_stats)) for chunk in chunks]
    speakers = [
        speaker_embedding(engine.speaker_encoder, wave) for wave in waves if wave.shape[1] >= _SHORTEST_CHUNK * MEL_RATE
    ]
    if not speakers:
        speakers = [speaker_embedding(engine.speaker_encoder, joined)]
    latents = torch.stack(styles).mean(dim=0).float().cpu()
    speaker = torch.stack(speakers).mean(dim=0).unsqueeze(-1).float().cpu()
    if not (latents.isfinite().all() and speaker.isfinite().all()):
        raise DomainError(
            "reference_unusable",
            "The reference clips give no usable voice (silent or damaged sound?).",
            field="reference_clips",
        )
    return Conditioning(latents.clone(), speaker.clone())


def _wave(clip: Audio, longest: float, device: torch.device) -> Tensor:
    samples = clip.cut(0.0, longest).at_rate(MEL_RATE).samples
    return torch.from_numpy(samples.copy()).clamp(-1.0, 1.0).unsqueeze(0).to(device)


def speaker_embedding(encoder: nn.Module, wave: Tensor) -> Tensor:
    """Sound ``(batch, samples)`` at ``MEL_RATE`` to embeddings ``(batch, width)`` of length one."""
    # Coqui's resampler, not libsoxr: the embedding then equals the one that published voices were made with.
    from torchaudio.functional import resample

    embedding: Tensor = encoder(resample(wave, MEL_RATE, SPEAKER_RATE), l2_norm=True)
    return embedding
