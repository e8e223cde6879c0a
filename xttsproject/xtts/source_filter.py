"""A small decoder of this project's own: the GPT's latents to sound by way of pitch and spectral envelopes.

Coqui's decoder, a HiFi-GAN, learns to draw waveforms and needs adversarial training for it, which takes a GPU. This one
is a vocoder of the older kind: a network of a few convolutions says for every frame how high and how voiced the sound
is and how loud its tone and its noise are in each frequency band; a pulse train and white noise, which nobody has to
learn, are filtered accordingly (source and filter: Fant, 1960, "Acoustic Theory of Speech Production"; harmonics plus
noise trained through the synthesis: Engel et al., 2020, https://arxiv.org/abs/2001.04643).

It is called as Coqui's ``HifiDecoder`` is, returns sound of the same length and carries the speaker encoder as well.
A bundle chooses it in its config.json: see :class:`xttsproject.xtts.config.XttsConfig`.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as fn

_FFT = 1024
_LOWEST_PITCH, _HIGHEST_PITCH = math.log2(40.0), math.log2(1000.0)
_USUAL_PITCH = math.log2(150.0)
"""What the network's output zero means, in octaves above 1 Hz."""
_USUAL_TONE, _USUAL_NOISE = -2.0, -4.0
"""Natural logarithms of the gains that an output of zero means: sound at about -20 dBFS."""
_QUIETEST, _LOUDEST = -12.0, 4.0
_VOICING_SLOPE = 4.0
_NOISE_SEED = 20_000


class Controls(NamedTuple):
    """What is to sound, frame by frame; frame ``i`` is the moment ``i * hop / input_rate`` seconds.

    ``pitch`` ``(b, frames)`` in octaves above 1 Hz; ``voicing`` ``(b, frames)`` as log-odds; ``tone`` and ``noise``
    ``(b, bands, frames)``, natural logarithms of gains.
    """

    pitch: Tensor
    voicing: Tensor
    tone: Tensor
    noise: Tensor

    def voiced(self) -> Tensor:
        """``(b, frames)`` from 0 to 1."""
        return self.voicing.sigmoid()


class SourceFilterDecoder(nn.Module):
    """Latents to sound. Rates are in hertz; ``hop`` and ``code_stride`` in samples at the rate they belong to.

    ``channels`` is the width at one step per code, ``frame_channels`` at one per frame, ``bands`` the number of points
    of each envelope. In training mode the noise is drawn from torch's generator and the voice's embedding is withheld
    from half of the rows, so that the latents are listened to as well; otherwise the same latents give the same bytes.
    """

    curve: Tensor
    audible: Tensor
    window: Tensor

    def __init__(
        self,
        latent_width: int,
        *,
        input_rate: int = 22_050,
        output_rate: int = 24_000,
        hop: int = 256,
        code_stride: int = 1024,
        speaker_width: int = 512,
        channels: int = 256,
        frame_channels: int = 192,
        bands: int = 96,
    ):
        super().__init__()
        self.input_rate, self.output_rate, self.hop = input_rate, output_rate, hop
        self.frames_per_code = code_stride // hop
        self.top = min(input_rate, output_rate) / 2
        # The convolutions reach four codes and four frames to each side: a latent has not seen its own code, only those
        # before it, so the sound of a code is to be read off the latents that follow.
        self.entry = nn.Conv1d(latent_width, channels, 3, padding=1)
        self.voice = nn.Linear(speaker_width, channels)
        self.codes = nn.ModuleList(nn.Conv1d(channels, channels, 3, padding=gap, dilation=gap) for gap in (1, 2))
        self.spread = nn.Conv1d(channels, self.frames_per_code * frame_channels, 1)
        self.frames = nn.ModuleList(
            nn.Conv1d(frame_channels, frame_channels, 5, padding=2 * gap, dilation=gap) for gap in (1, 2, 4, 1)
        )
        self.melody = nn.Conv1d(frame_channels, 2, 3, padding=1)
        self.envelopes = nn.Conv1d(frame_channels, 2 * bands, 3, padding=1)
        # What can be computed is not kept with the weights.
        self.register_buffer("curve", _curves(bands, self.top, output_rate), persistent=False)
        self.register_buffer("audible", _audible(self.top, output_rate), persistent=False)
        self.register_buffer("window", torch.hann_window(_FFT), persistent=False)

    def forward(self, latents: Tensor, g: Tensor | None = None) -> Tensor:
        """Sound ``(b, 1, samples)`` of latents ``(b, n, width)`` and speaker embeddings ``(b, 512, 1)``.

        As Coqui's, it is ``hop`` samples for each whole frame that ``n`` codes last at the output's rate.
        """
        controls = self.controls(latents, g)
        return self.sound(controls.pitch, controls.voiced(), controls.tone, controls.noise)[:, None]

    def controls(self, latents: Tensor, g: Tensor | None = None) -> Controls:
        """What the network makes of latents ``(b, n, width)``: ``frames_per_code`` frames for each."""
        x = self.entry(latents.transpose(1, 2))
        if g is not None:
            x = x + self._heard(g)[:, :, None]
        x = fn.gelu(x)
        for layer in self.codes:
            x = x + fn.gelu(layer(x))
        batch, _, codes = x.shape
        x = self.spread(x).view(batch, -1, self.frames_per_code, codes)
        x = fn.gelu(x.transpose(2, 3).reshape(batch, -1, codes * self.frames_per_code))
        for layer in self.frames:
            x = x + fn.gelu(layer(x))
        tone, noise = self.envelopes(x).float().chunk(2, dim=1)
        with torch.autocast(x.device.type, enabled=False):
            # Half precision would step through pitch in twentieths of a semitone.
            pitch, voicing = self.melody(x.to(self.melody.weight.dtype)).float().unbind(dim=1)
        return Controls(
            pitch=(pitch + _USUAL_PITCH).clamp(_LOWEST_PITCH, _HIGHEST_PITCH),
            voicing=_VOICING_SLOPE * voicing,
            tone=tone + _USUAL_TONE,
            noise=noise + _USUAL_NOISE,
        )

    def sound(self, pitch: Tensor, voiced: Tensor, tone: Tensor, noise: Tensor) -> Tensor:
        """Sound ``(b, samples)``; arguments as in :class:`Controls`, ``voiced`` from 0 to 1, all in float32.

        Gradients reach the envelopes and the voicing; that of the pitch would be of no use (the phase runs on it).
        """
        with torch.autocast(tone.device.type, enabled=False):
            pitch, voiced = self._at_output(pitch), self._at_output(voiced)
            tone, noise = self._at_output(tone), self._at_output(noise)
            pulses = self._pulses(pitch) * self._samples(voiced)
            spectrum = self._spectrum(pulses) * self._gains(tone)
            spectrum = spectrum + self._spectrum(self._hiss(pulses)) * self._gains(noise)
            return torch.istft(spectrum, _FFT, self.hop, _FFT, self.window, length=pulses.shape[1])

    def _heard(self, g: Tensor) -> Tensor:
        """What the embedding ``(b, 512, 1)`` adds to every code, ``(b, channels)``. It has length 1: brought to unit
        spread, it learns at the others' pace."""
        embedding = g.reshape(g.shape[0], -1)
        voice: Tensor = self.voice(embedding * embedding.shape[1] ** 0.5)
        if self.training:
            voice = voice * (torch.rand(len(voice), 1, device=voice.device) < 0.5)
        return voice

    def _at_output(self, x: Tensor) -> Tensor:
        """Frames at the input's rate to frames of the same length in samples at the output's, ``(…, frames)``."""
        frames = x.shape[-1] * self.output_rate // self.input_rate
        place = torch.arange(frames, device=x.device) * self.input_rate
        left = place.div(self.output_rate, rounding_mode="floor")
        share = (place - left * self.output_rate).float() / self.output_rate
        right = (left + 1).clamp(max=x.shape[-1] - 1)
        return torch.lerp(x[..., left], x[..., right], share)

    def _samples(self, x: Tensor) -> Tensor:
        """``(b, frames)`` at the output's rate to ``(b, samples)``, straight from each frame to the next."""
        ramp = torch.arange(self.hop, device=x.device) / self.hop
        following = torch.cat([x[:, 1:], x[:, -1:]], dim=1)
        return torch.lerp(x[:, :, None], following[:, :, None], ramp).flatten(1)

    @torch.no_grad()
    def _pulses(self, pitch: Tensor) -> Tensor:
        """All harmonics below the top, alike in strength, of unit power: ``(b, frames)`` to ``(b, samples)``.

        The sum of ``cos(k x)`` over ``k = 1 … n`` in closed form, plus a share of the next, so that nothing jumps when
        a harmonic comes or goes.
        """
        frequency = torch.exp2(self._samples(pitch))
        turns = torch.cumsum(frequency.double() / self.output_rate, dim=1)
        # Half the angle, near zero around each pulse: there the quotient needs all digits.
        half = ((turns - turns.round()) * torch.pi).float()
        harmonics = self.top / frequency
        whole = harmonics.floor()
        sine = half.sin()
        tiny = sine.abs() < 1e-6
        ratio = ((2 * whole + 1) * half).sin() / sine.masked_fill(tiny, 1.0)
        full = torch.where(tiny, 2 * whole + 1, ratio) - 1
        partial = 2 * (harmonics - whole) * (2 * (whole + 1) * half).cos()
        return (full + partial) * torch.rsqrt(2 * harmonics)

    def _hiss(self, like: Tensor) -> Tensor:
        """White noise of unit power ``(b, samples)``: one and the same for every row, so that what is said does not
        depend on what else is said or was said before."""
        if self.training:
            return torch.randn_like(like)
        generator = torch.Generator().manual_seed(_NOISE_SEED)
        return torch.randn(like.shape[1], generator=generator).to(like.device).expand_as(like)

    def _spectrum(self, wave: Tensor) -> Tensor:
        return torch.stft(wave, _FFT, self.hop, _FFT, self.window, pad_mode="constant", return_complex=True)

    def _gains(self, envelope: Tensor) -> Tensor:
        """``(b, bands, frames)`` to gains of bins ``(b, bins, frames + 1)``: the sound ends with a frame of its own."""
        bins = torch.einsum("bkt,kf->bft", envelope, self.curve).clamp(_QUIETEST, _LOUDEST).exp()
        bins = bins * self.audible[:, None]
        return torch.cat([bins, bins[:, :, -1:]], dim=2)


def _curves(bands: int, top: float, rate: int) -> Tensor:
    """``(bands, bins)``: straight lines between points that lie evenly on the mel scale, from 0 Hz to the top."""
    mels = np.linspace(0.0, 2595 * np.log10(1 + top / 700), bands)
    centres = 700 * (10 ** (mels / 2595) - 1)
    bins = np.arange(_FFT // 2 + 1) * rate / _FFT
    curves = [np.interp(bins, centres, row) for row in np.eye(bands)]
    return torch.tensor(np.stack(curves), dtype=torch.float32)


def _audible(top: float, rate: int) -> Tensor:
    """``(bins,)``: 1, but 0 for the constant part and above the top."""
    bins = torch.arange(_FFT // 2 + 1) * rate / _FFT
    return ((bins > 0) & (bins <= top)).float()
