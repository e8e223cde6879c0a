"""What a voice is, told to the GPT's conditioning: pitch, speaker embedding and spectrum, to be read off the latents.

Without this the GPT takes the voice from the codes before, which in training are always right, and speaks in any voice
when it has to begin by itself.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from itertools import islice

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as fn
from torchaudio.functional import resample

from training.engine.tiny.corpus import RATE, Corpus
from training.engine.tiny.recipe import Workshop
from training.engine.tiny.sizes import tiny_config
from xttsproject.xtts.conditioning import SPEAKER_RATE
from xttsproject.xtts.networks import build_speaker_encoder

_CLIPS = 6
_PITCH_CENTRE = math.log2(130.0)
_OCTAVE_WEIGHT = 2.0
_SPECTRUM_WEIGHT = 2.0
_BANDS = 80


class VoiceHead(nn.Module):
    """Per voice, octaves of its median pitch from 130 Hz, ``(voices, 1)``, and its speaker embedding ``(voices, 512)``;
    and the head that reads both, and the mean spectrum of what was heard, off style latents ``(b, 32, width)``. For
    training only.
    """

    octaves: Tensor
    embeddings: Tensor

    def __init__(self, voices: list[str], octaves: Tensor, embeddings: Tensor, width: int):
        super().__init__()
        self.place = {voice: number for number, voice in enumerate(voices)}
        self.register_buffer("octaves", octaves)
        self.register_buffer("embeddings", embeddings)
        self.inner = nn.Linear(width, 192)
        self.outer = nn.Linear(192, 1 + embeddings.shape[1] + _BANDS)

    @classmethod
    def of(cls, workshop: Workshop, corpus: Corpus, width: int) -> VoiceHead:
        """Pitch from the stage "features", embeddings from the encoder of the stage "speaker"."""
        encoder = build_speaker_encoder(tiny_config())
        encoder.load_state_dict(load_file(workshop.folder("speaker") / "speaker.safetensors"))
        encoder.eval()
        voices = list(corpus.by_voice)
        rows = []
        for voice in voices:
            clips = [torch.from_numpy(corpus.wave(index)) for index in islice(corpus.by_voice[voice], _CLIPS)]
            wave = resample(torch.cat(clips)[None], RATE, SPEAKER_RATE)
            with torch.no_grad():
                rows.append(encoder(wave, l2_norm=True)[0])
        octaves = torch.tensor(list(cls.pitches(workshop, voices).values()))[:, None]
        return cls(voices, octaves, torch.stack(rows), width)

    @staticmethod
    def pitches(workshop: Workshop, voices: Sequence[str]) -> dict[str, float]:
        """Octaves of each voice's median pitch from 130 Hz."""
        medians = json.loads((workshop.folder("features") / "voices.json").read_text(encoding="utf-8"))
        return {voice: math.log2(medians[voice]) - _PITCH_CENTRE for voice in voices}

    def forward(self, style: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Octaves ``(b, 1)``, embedding of length 1 ``(b, 512)`` and spectrum ``(b, 80)``."""
        # Every latent answers, and the mean counts: none may go without the voice.
        told = self.outer(fn.gelu(self.inner(style))).mean(1).float()
        octaves, embedding, spectrum = told.split([1, self.embeddings.shape[1], _BANDS], dim=1)
        return octaves, fn.normalize(embedding, dim=1), spectrum

    def loss(self, style: Tensor, voices: Sequence[str], mels: Tensor) -> tuple[Tensor, Tensor]:
        """What is to be trained on, and of it the mean error of the pitch in semitones. ``mels`` ``(b, 80, frames)``
        are what was heard."""
        rows = torch.tensor([self.place[voice] for voice in voices], device=style.device)
        octaves, embedding, spectrum = self(style)
        wrong = (octaves - self.octaves[rows]).abs().mean()
        likeness = (embedding * fn.normalize(self.embeddings[rows], dim=1)).sum(1).mean()
        uneven = (spectrum - mels.float().mean(2)).abs().mean()
        return _OCTAVE_WEIGHT * wrong + _SPECTRUM_WEIGHT * uneven + 1 - likeness, 12 * wrong
