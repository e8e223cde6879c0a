"""Voices and models small enough to be made anew in each test."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from training.engine.batches import Reference
from training.engine.dataset import Clip
from training.engine.features import ClipFeatures
from xttsproject.lib.audio import Audio, write_wav
from xttsproject.xtts.config import XttsConfig, parse_config
from xttsproject.xtts.limits import MODEL_RATE

SENTENCES = (
    "The morning was bright and cold.",
    "Nobody knew where the road would end.",
    "She closed the door behind her.",
    "A small boat crossed the river.",
    "They talked until the lamp went out.",
    "Rain fell on the empty square.",
    "He had never seen such a garden.",
    "The letter came a week too late.",
)


def voice(seconds: float, pitch: float = 120.0, seed: int = 0, rate: int = MODEL_RATE) -> Audio:
    """A sung tone: harmonics of a wavering pitch under a syllable-like envelope, with a little breath."""
    random = np.random.default_rng(seed)
    time = np.arange(int(seconds * rate)) / rate
    phase = 2 * np.pi * np.cumsum(pitch * (1 + 0.05 * np.sin(2 * np.pi * 1.3 * time + seed))) / rate
    tone = sum(np.sin(number * phase) / number for number in range(1, 12))
    envelope = 0.55 + 0.45 * np.sin(2 * np.pi * 3.1 * time + seed)
    sound = 0.15 * envelope * tone + 0.003 * random.standard_normal(len(time))
    return Audio(sound.astype(np.float32), rate)


def write_dataset(
    folder: Path, train: Sequence[float] = (1.4, 1.1, 1.9, 1.2, 1.6, 1.3), validation: Sequence[float] = (1.5, 1.2)
) -> Path:
    """A dataset version with clips of these lengths in seconds; returns the manifest's path."""
    (folder / "clips").mkdir(parents=True, exist_ok=True)
    lines = []
    for number, (split, seconds) in enumerate([("train", s) for s in train] + [("validation", s) for s in validation]):
        name = f"clips/{number:03d}.wav"
        write_wav(folder / name, voice(seconds, seed=number))
        lines.append(manifest_line(f"clip-{number}", name, SENTENCES[number % len(SENTENCES)], split, seconds))
    return write_manifest(folder, lines)


def manifest_line(clip_id: str, audio: str, text: str, split: str = "train", seconds: float = 1.0) -> dict[str, Any]:
    return {
        "id": clip_id,
        "audio": audio,
        "text": text,
        "language": "en",
        "split": split,
        "speaker": "ada",
        "seconds": seconds,
    }


def write_manifest(folder: Path, lines: Sequence[dict[str, Any]]) -> Path:
    manifest = folder / "manifest.jsonl"
    manifest.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return manifest


def small_config() -> XttsConfig:
    """The released shape with a GPT of two narrow layers."""
    arguments = {
        "gpt_layers": 2,
        "gpt_n_model_channels": 64,
        "gpt_n_heads": 4,
        "gpt_num_audio_tokens": 34,
        "gpt_start_audio_token": 32,
        "gpt_stop_audio_token": 33,
        "gpt_max_audio_tokens": 300,
        "gpt_max_text_tokens": 402,
        "gpt_max_prompt_tokens": 70,
        "gpt_use_perceiver_resampler": True,
    }
    vocabulary = {"[STOP]": 0, "[UNK]": 1, "[SPACE]": 2, **{chr(97 + i): 3 + i for i in range(26)}, "[START]": 29}
    return parse_config({"model_args": arguments, "languages": ["en"]}, vocabulary)


def small_gpt(seed: int = 0) -> Any:
    """Coqui's GPT with random weights, the same for one seed."""
    from xttsproject.xtts.networks import build_gpt

    torch.manual_seed(seed)
    gpt = build_gpt(small_config())
    gpt.gpt.config.use_cache = False
    return gpt.requires_grad_(False).eval()


def made_up_clips(folder: Path, seconds: Sequence[float], seed: int = 0) -> tuple[list[Clip], list[ClipFeatures]]:
    """Clips whose codes, tokens and mels are drawn at random: for tests of the loop, which hears nothing."""
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    random = torch.Generator().manual_seed(seed)
    clips, features = [], []
    for number, length in enumerate(seconds):
        samples = int(length * MODEL_RATE)
        frames = 1 + samples // 256
        tokens = torch.randint(3, 29, (8 + number % 5,), generator=random)
        codes = torch.randint(0, 32, (-(-frames // 4),), generator=random)
        path = folder / f"{seed}-{number}.safetensors"
        save_file({"mel": torch.randn(frames, 80, generator=random)}, path)
        clips.append(Clip(f"clip-{number}", path, "text", "en", "ada", samples, tuple(tokens.tolist())))
        features.append(ClipFeatures(path, codes, tokens, frames))
    return clips, features


def own_references(batch: Sequence[int], frames: int, start: int = 0) -> list[Reference]:
    return [Reference(index, start, frames) for index in batch]
