"""A bundle of the released architecture with random weights that never stops by itself: for speed, not for words."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from xttsproject.bundles.manifest import write_manifest
from xttsproject.bundles.tiny.vocabulary import vocabulary
from xttsproject.lib.files import write_json
from xttsproject.xtts.config import read_config
from xttsproject.xtts.languages import LANGUAGES
from xttsproject.xtts.shapes import gpt_shapes
from xttsproject.xtts.weights import MODEL_FILE, State

Size = Literal["full", "tiny"]

_ARGUMENTS: dict[Size, tuple[int, int, int]] = {"full": (30, 1024, 16), "tiny": (4, 128, 4)}
"""Layers, width and heads."""

_DEVIATION = 0.02
"""GPT-2's own."""
_NEVER = -1e4


def build_random(folder: Path, size: Size) -> Path:
    """Write the bundle into an empty folder: 1.8 GB for ``full``, which is what the released model has.

    Its stop code is too unlikely ever to come, so that both sides speak as many codes as they are asked for.
    """
    import torch
    from safetensors.torch import save_file

    from xttsproject.xtts.networks import build_decoder

    write_json(folder / "config.json", _configuration(size))
    write_json(folder / "vocab.json", vocabulary())
    config = read_config(folder)
    torch.manual_seed(11)
    state: State = {"mel_stats": torch.ones(80)}
    for name, shape in gpt_shapes(config.gpt).items():
        leaf = name.rsplit(".", 1)[-1]
        if leaf == "gamma" or (leaf == "weight" and len(shape) == 1):
            state[f"gpt.{name}"] = torch.ones(shape)
        elif leaf == "bias":
            state[f"gpt.{name}"] = torch.zeros(shape)
        else:
            state[f"gpt.{name}"] = torch.empty(shape).normal_(0.0, _DEVIATION)
    state["gpt.mel_head.bias"][[config.gpt.start_audio_token, config.gpt.stop_audio_token]] = _NEVER
    for name, value in build_decoder(config).state_dict().items():
        state[f"hifigan_decoder.{name}"] = value.contiguous()
    save_file(state, folder / MODEL_FILE)
    return write_manifest(
        folder,
        name=folder.name,
        kind="xtts",
        licence="MIT",
        licence_url="",
        notice="Random weights: what this model speaks is noise. It is made to measure speed.",
        source="built by this project",
    ).path


def _configuration(size: Size) -> dict[str, Any]:
    layers, width, heads = _ARGUMENTS[size]
    return {
        "model_args": {
            "gpt_layers": layers,
            "gpt_n_model_channels": width,
            "gpt_n_heads": heads,
            "gpt_num_audio_tokens": 1026,
            "gpt_start_audio_token": 1024,
            "gpt_stop_audio_token": 1025,
            "gpt_max_audio_tokens": 605,
            "gpt_max_text_tokens": 402,
            "gpt_max_prompt_tokens": 70,
            "gpt_use_perceiver_resampler": True,
            "decoder_input_dim": width,
        },
        "languages": list(LANGUAGES),
        # As the class has it: 512 channels at the first step; the small one, an eighth.
        "decoder": {} if size == "full" else {"upsample_initial_channel_decoder": 64},
    }
