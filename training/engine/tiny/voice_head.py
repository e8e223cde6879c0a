"""What a voice is, told to the GPT's conditioning: its pitch and its speaker embedding, to be read off the latents.

Without this the GPT takes the voice from the codes before, which in training are always right, and speaks in any voice
when it has to begin by itself.
"""

from __future__ import annotations

import json
import math
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


class VoiceHead(nn.Module):
    """Per voice, octaves of its median pitch from 130 Hz, ``(voices, 1)``, and its speaker embedding ``(voices, 512)``;
    and the head that reads both off style latents ``(b, 32, width)``. For training only.
    """

    octaves: Tensor
    embeddings: Tensor

    def __init__(self, voices: list[str], octaves: Tensor, embeddings: Tensor, width: int):
        super().__init__()
        self.place = {voice: number for number, voice in enumerate(voices)}
        self.register_buffer("octaves", octaves)
        self.register_buffer("embeddings", embeddings)
        self.inner = nn.Linear(width, 192)
        self.outer = nn.Linear(192, 1 + embeddings.shape[1])

    @classmethod
    def of(cls, workshop: Workshop, corpus: Corpus, width: int) -> VoiceHead:
        """Pitch from the stage "features", embeddings from the encoder of the stage "speaker"."""
        medians = json.loads((workshop.folder("features") / "voices.json").read_text(encoding="utf-8"))
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
        octaves = torch.tensor([[math.log2(medians[voice]) - _PITCH_CENTRE] for voice in voices])
        return cls(voices, octaves, torch.stack(rows), width)

    def forward(self, style: Tensor) -> tuple[Tensor, Tensor]:
        # Every latent answers, and the mean counts: none may go without the voice.
        told = self.outer(fn.gelu(self.inner(style))).mean(1).float()
        return told[:, :1], fn.normalize(told[:, 1:], dim=1)

    def loss(self, style: Tensor, voices: list[str]) -> tuple[Tensor, Tensor]:
        """What is to be trained on, and of it the mean error of the pitch in semitones."""
        rows = torch.tensor([self.place[voice] for voice in voices], device=style.device)
        octave, embedding = self(style)
        wrong = (octave - self.octaves[rows]).abs().mean()
        likeness = (embedding * fn.normalize(self.embeddings[rows], dim=1)).sum(1).mean()
        return _OCTAVE_WEIGHT * wrong + 1 - likeness, 12 * wrong
