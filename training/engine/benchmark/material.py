"""What both sides are given: a model of any size with random weights, and clips of mixed length with their texts.

What a step costs depends on shapes alone, so weights and sounds are drawn.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from xttsproject.bundles.manifest import write_manifest
from xttsproject.bundles.tiny.vocabulary import vocabulary
from xttsproject.lib.audio import Audio, write_wav
from xttsproject.lib.errors import DomainError
from xttsproject.lib.files import write_json
from xttsproject.xtts.limits import MODEL_RATE

TEXT_TOKENS = 6681
"""As many as the released model has; those that no text here has are only there to be as large."""

SHORTEST, LONGEST = 2.0, 11.0
"""Seconds of a clip; lengths in between are equally likely. Both trainers take at most 11.6."""

SPOKEN = 120
"""Codes, five and a half seconds, after which the model stops speaking: about the mean of the fixed prompts."""

LETTERS_PER_SECOND = 6
"""One letter is one token here; the released tokenizer makes about six tokens of a second's words."""

_WORDS = ("the", "river", "ran", "down", "from", "hills", "that", "no", "one", "had", "ever", "seen", "and", "light")


@dataclass(frozen=True)
class Size:
    """Of a GPT. The released one is 1024x30 with 16 heads."""

    width: int
    layers: int

    @property
    def heads(self) -> int:
        return max(2, self.width // 64)

    def __str__(self) -> str:
        return f"{self.width}x{self.layers}"


def size_named(name: str) -> Size:
    """``WIDTHxLAYERS``; DomainError ``size_invalid``."""
    found = re.fullmatch(r"(\d+)x(\d+)", name)
    if not found or int(found[1]) % 64 or not 64 <= int(found[1]) <= 4096 or not 1 <= int(found[2]) <= 200:
        raise DomainError(
            "size_invalid",
            f"A size is WIDTHxLAYERS, such as 512x10, with a width that is a multiple of 64, got {name!r}.",
        )
    return Size(int(found[1]), int(found[2]))


def write_model(folder: Path, size: Size) -> Path:
    """A bundle of this size; all but the GPT as in the release, for Coqui's trainer builds nothing else."""
    import torch
    from safetensors.torch import save_file

    from xttsproject.xtts.config import read_config
    from xttsproject.xtts.networks import build_decoder, build_dvae, build_gpt
    from xttsproject.xtts.weights import DVAE_FILE, MODEL_FILE

    folder.mkdir(parents=True)
    write_json(folder / "config.json", configuration(size))
    write_json(folder / "vocab.json", _vocabulary())
    config = read_config(folder)
    torch.manual_seed(0)
    model = {f"gpt.{name}": value for name, value in _with_an_end(build_gpt(config).state_dict(), size).items()}
    model |= {f"hifigan_decoder.{name}": value for name, value in build_decoder(config).state_dict().items()}
    model["mel_stats"] = torch.linspace(5.0, 7.5, 80)
    save_file({name: value.contiguous() for name, value in model.items()}, folder / MODEL_FILE)
    save_file(build_dvae(config).state_dict(), folder / DVAE_FILE)
    write_manifest(
        folder,
        name=str(size),
        kind="xtts",
        licence="MIT",
        licence_url="",
        notice="Random weights.",
        source="made for a measurement",
    )
    return folder


def write_clips(folder: Path, count: int) -> Path:
    """``count`` clips of one speaker, the same at every call; returns the manifest's path."""
    random = np.random.default_rng(1)
    (folder / "clips").mkdir(parents=True)
    lines = []
    for number in range(count):
        seconds = float(random.uniform(SHORTEST, LONGEST))
        name = f"clips/{number:04d}.wav"
        write_wav(folder / name, Audio(_sound(seconds, random), MODEL_RATE))
        letters = round(LETTERS_PER_SECOND * seconds)
        text = " ".join(random.choice(_WORDS, letters))[:letters].strip()
        line = {"id": f"clip-{number:04d}", "audio": name, "text": text, "language": "en"}
        lines.append({**line, "split": "train", "speaker": "a"})
    manifest = folder / "manifest.jsonl"
    manifest.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return manifest


def configuration(size: Size) -> dict[str, Any]:
    """The content of ``config.json``."""
    return {
        "model": "xtts",
        "model_args": {
            "gpt_layers": size.layers,
            "gpt_n_model_channels": size.width,
            "gpt_n_heads": size.heads,
            "gpt_num_audio_tokens": 1026,
            "gpt_start_audio_token": 1024,
            "gpt_stop_audio_token": 1025,
            "gpt_max_audio_tokens": 605,
            "gpt_max_text_tokens": 402,
            "gpt_max_prompt_tokens": 70,
            "gpt_use_masking_gt_prompt_approach": True,
            "gpt_use_perceiver_resampler": True,
            "decoder_input_dim": size.width,
        },
        "audio": {"sample_rate": 22050, "output_sample_rate": 24000, "dvae_sample_rate": 22050},
        "languages": ["en"],
    }


def _with_an_end(gpt: dict[str, Any], size: Size) -> dict[str, Any]:
    """The weights, changed so that speech ends after about :data:`SPOKEN` codes, as that of a model that can speak
    does: along one direction of its own the place grows, and the stop code listens to that alone.
    """
    import torch

    places = gpt["mel_pos_embedding.emb.weight"]
    places[:, 0] = torch.arange(len(places)) - float(SPOKEN)
    for name in ("text_embedding.weight", "mel_embedding.weight", "text_pos_embedding.emb.weight"):
        gpt[name][:, 0] = 0.0
    for layer in range(size.layers):
        for part in ("attn", "mlp"):
            gpt[f"gpt.h.{layer}.{part}.c_proj.weight"][:, 0] = 0.0
    stop = gpt["mel_head.weight"].shape[0] - 1
    gpt["mel_head.weight"][:, 0] = 0.0
    gpt["mel_head.weight"][stop] = 0.0
    gpt["mel_head.weight"][stop, 0] = 3.0
    return gpt


def _vocabulary() -> dict[str, Any]:
    content = vocabulary()
    known = content["model"]["vocab"]
    known.update({f"<{number}>": number for number in range(len(known), TEXT_TOKENS)})
    return content


def _sound(seconds: float, random: np.random.Generator) -> np.ndarray[Any, np.dtype[np.float32]]:
    time = np.arange(int(seconds * MODEL_RATE)) / MODEL_RATE
    phase = 2 * np.pi * np.cumsum(120 * (1 + 0.1 * np.sin(2 * np.pi * 0.9 * time))) / MODEL_RATE
    tone = np.sum([np.sin(number * phase) / number for number in range(1, 12)], axis=0)
    envelope = 0.55 + 0.45 * np.sin(2 * np.pi * 3.1 * time + random.uniform(0, 6))
    sound: np.ndarray[Any, np.dtype[np.float32]] = 0.15 * envelope * tone + 0.003 * random.standard_normal(len(time))
    return sound.astype(np.float32)
