"""The sound of a sentence while it is still being spoken, bit by bit and without seams.

What the decoder makes of the first ``n`` codes differs from what it makes of the whole sentence only near their end, as
far as its convolutions reach. So the last bit is held back until more codes are there, and what is handed out is, but
for rounding, the whole sentence's sound cut into pieces.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as fn

from xttsproject.lib.audio import Samples

if TYPE_CHECKING:
    from xttsproject.xtts.conditioning import Conditioning
    from xttsproject.xtts.engine import XttsEngine

_FADE = 480
"""Samples (20 ms) over which a piece goes over into the next one. Both sides are alike there, up to what is left of the
end's influence."""
_REACH = 20
"""Frames to each side that HiFi-GAN's sound depends on: 14 (Kong et al., 2020; most of it are the kernels of 11 at
dilations 1, 3 and 5 behind the first upsampling by 8), and up to 3 for the latents' interpolation to the output's rate.
"""


class GrowingSound:
    """One sentence's sound, piece by piece: hand in latents as they come, get the samples that are settled.

    All pieces together have the samples of :meth:`~xttsproject.xtts.engine.XttsEngine.render` over all latents, at any
    speed.
    """

    def __init__(self, engine: XttsEngine, conditioning: Conditioning, speed: float = 1.0):
        self._engine, self._speed = engine, speed
        self._voice = conditioning.speaker_embedding.to(engine.device)
        self._latents: Tensor | None = None
        self._sent = 0
        # What the last rendering said would come next.
        self._coming: Samples = np.zeros(0, dtype=np.float32)

    @torch.inference_mode()
    def extend(self, latents: Tensor, *, complete: bool) -> Samples:
        """Samples (perhaps none) that follow those handed out before.

        ``latents`` ``(codes, width)`` follow those handed in before; with ``complete`` they are the last ones, and
        everything up to the end comes.
        """
        self._latents = latents if self._latents is None else torch.cat([self._latents, latents])
        if not len(self._latents):
            return self._coming[:0]
        places = self._engine.stretched(self._latents, self._speed)
        first, wave = self._render(places)
        end = first + len(wave)
        if not complete:
            end = min(end, self._settled(places.shape[1]))
        if end <= self._sent:
            return wave[:0]
        piece = wave[self._sent - first : end - first].copy()
        length = min(len(self._coming), len(piece))
        rise = (0.5 - 0.5 * np.cos(np.pi * (np.arange(length) + 0.5) / max(length, 1))).astype(np.float32)
        piece[:length] = rise * piece[:length] + (1 - rise) * self._coming[:length]
        self._coming = wave[end - first : end - first + _FADE].copy()
        self._sent = end
        return piece

    def _settled(self, places: int) -> int:
        """Up to which sample more latents would change nothing that can be heard."""
        config = self._engine.config
        frames = places * config.gpt.code_stride * config.output_rate // (config.input_rate * config.decoder_hop)
        # Where time is stretched, the last latent has been drawn out over so many places.
        drawn_out = max(0.0, 0.5 / self._speed - 0.5) * frames / places
        return max(0, int(frames - _REACH - drawn_out)) * config.decoder_hop

    def _render(self, places: Tensor) -> tuple[int, Samples]:
        """Sound from some sample before the next one on, and which one that is."""
        engine = self._engine
        with engine.sounding():
            if hasattr(engine.vocoder, "waveform_decoder"):
                # Coqui's: an interpolation and a HiFi-GAN, which reads frames alike wherever they are: those out of its
                # reach are left out.
                frames = _coqui_frames(engine.vocoder, places)
                first = max(0, self._sent // engine.config.decoder_hop - _REACH)
                wave = engine.vocoder.waveform_decoder(frames[:, :, first:], g=self._voice)  # type: ignore[operator]
            else:
                # The phase of a pulse train is known from the sentence's beginning only.
                first, wave = 0, engine.vocoder(places, g=self._voice)
        samples: Samples = wave.float().cpu().numpy().reshape(-1)
        return first * engine.config.decoder_hop, samples


def _coqui_frames(decoder: torch.nn.Module, latents: Tensor) -> Tensor:
    """Latents ``(1, n, width)`` to ``(1, width, frames)`` at the output's rate, as Coqui's decoder does first."""
    sizes: dict[str, int] = vars(decoder)
    codes, hop = sizes["ar_mel_length_compression"], sizes["output_hop_length"]
    given, wanted = sizes["input_sample_rate"], sizes["output_sample_rate"]
    frames = fn.interpolate(latents.transpose(1, 2), scale_factor=[codes / hop], mode="linear")
    return fn.interpolate(frames, scale_factor=[wanted / given], mode="linear") if given != wanted else frames
