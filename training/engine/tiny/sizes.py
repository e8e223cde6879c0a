"""The sizes of the tiny XTTS model: what its bundle's ``config.json`` says, read as every bundle's is."""

from __future__ import annotations

import torch
from torch import Tensor

from xttsproject.bundles.tiny.vocabulary import vocabulary
from xttsproject.bundles.tiny.xtts import configuration
from xttsproject.xtts.config import XttsConfig, parse_config


def tiny_config() -> XttsConfig:
    return parse_config(configuration(), vocabulary()["model"]["vocab"])


def mel_stats() -> Tensor:
    """Scale of each mel band, ``(80,)``: falling with frequency, about as the loudness of speech does."""
    return torch.tensor([5.0 + band / 32 for band in range(80)])
