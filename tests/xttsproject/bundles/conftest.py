"""The files of an XTTS-v2 release, made from random weights."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def released(random_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """model.pth with a pickled configuration beside the weights, as the release has it, and the other files."""
    import torch
    from safetensors.torch import load_file
    from TTS.tts.configs.xtts_config import XttsConfig

    folder = tmp_path_factory.mktemp("released")
    for name in ("config.json", "vocab.json"):
        shutil.copyfile(random_bundle / name, folder / name)
    model = load_file(random_bundle / "model.safetensors")
    torch.save({"model": model, "config": XttsConfig(), "step": 3, "optimizer": []}, folder / "model.pth")
    torch.save(model["mel_stats"], folder / "mel_stats.pth")
    torch.save(load_file(random_bundle / "dvae.safetensors"), folder / "dvae.pth")
    speakers: dict[str, dict[str, torch.Tensor]] = {}
    for name, value in load_file(random_bundle / "speakers.safetensors").items():
        speaker, key = name.split("/")
        speakers.setdefault(speaker, {})[key] = value
    torch.save(speakers, folder / "speakers_xtts.pth")
    return folder
