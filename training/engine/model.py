"""The parts of a bundle that training needs, as training needs them."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from xttsproject.bundles.manifest import open_bundle
from xttsproject.lib.audio import Audio
from xttsproject.lib.errors import DomainError
from xttsproject.xtts.config import XttsConfig, read_config
from xttsproject.xtts.limits import MODEL_RATE, SAMPLES_PER_CODE, Limits, limits_of
from xttsproject.xtts.mel import conditioning_mel, dvae_mel
from xttsproject.xtts.networks import load_dvae, load_gpt, load_tokenizer
from xttsproject.xtts.tokenizer import Tokenizer
from xttsproject.xtts.weights import read_state


@dataclass(frozen=True)
class Base:
    """A bundle opened for training. ``key`` is a hash of all its files' hashes."""

    path: Path
    config: XttsConfig
    tokenizer: Tokenizer
    key: str

    @property
    def limits(self) -> Limits:
        return limits_of(self.config, self.tokenizer.unknown)

    def load_gpt(self) -> Any:
        """Coqui's GPT with the bundle's weights, on the CPU, in float32 whatever the bundle keeps them in: what is
        trained whole moves by less than half precision can tell."""
        gpt = load_gpt(self.path, self.config).float()
        # Keys and values of past positions are for decoding; training would only carry them along.
        gpt.gpt.config.use_cache = False
        return gpt


def open_base(bundle_path: Path) -> Base:
    """Open a bundle to train upon; DomainErrors ``model_missing``, ``model_damaged``, ``model_unsuitable``."""
    bundle = open_bundle(bundle_path)
    if bundle.kind != "xtts":
        raise DomainError(
            "model_unsuitable", f"The model {bundle.name} is a {bundle.kind} model and cannot be trained to speak."
        )
    config = read_config(bundle_path)
    if config.gpt.code_stride != SAMPLES_PER_CODE or config.input_rate != MODEL_RATE:
        raise DomainError(
            "model_unsuitable",
            f"The model {bundle.name} hears {config.input_rate} Hz with {config.gpt.code_stride} samples to a code; "
            f"only {MODEL_RATE} Hz and {SAMPLES_PER_CODE} can be trained.",
        )
    facts = sorted((name, fact.sha256) for name, fact in bundle.files.items())
    key = hashlib.sha256(json.dumps(facts).encode()).hexdigest()
    return Base(bundle_path, config, load_tokenizer(bundle_path), key)


class BundleAnalyser:
    """Codes and conditioning mels from the bundle's DVAE and mel statistics. Networks load when first needed."""

    def __init__(self, base: Base, device: torch.device):
        self.key = base.key
        self._base, self._device = base, device
        self._stats: Tensor | None = None
        self._dvae: Any = None

    def analyse(self, audio: Audio) -> tuple[Tensor, Tensor]:
        if self._dvae is None:
            self._dvae = load_dvae(self._base.path, self._base.config).to(self._device)
        wav, stats = self._wave(audio)
        codes: Tensor = self._dvae.get_codebook_indices(dvae_mel(wav, stats))
        return codes[0], conditioning_mel(wav, stats)[0]

    def mel(self, audio: Audio) -> Tensor:
        """Conditioning mel ``(80, frames)`` alone."""
        return conditioning_mel(*self._wave(audio))[0]

    def _wave(self, audio: Audio) -> tuple[Tensor, Tensor]:
        if self._stats is None:
            self._stats = read_state(self._base.path, "mel_stats")["mel_stats"].to(self._device)
        return torch.from_numpy(audio.samples).to(self._device)[None], self._stats
