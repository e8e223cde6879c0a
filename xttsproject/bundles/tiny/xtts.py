"""The tiny XTTS bundle: XTTS-v2's architecture in small, with the weights that this project trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from xttsproject.bundles.manifest import Bundle, open_bundle, write_manifest
from xttsproject.bundles.tiny import TINY_XTTS, shipped
from xttsproject.bundles.tiny.shipped import WEIGHTS, open_shipped
from xttsproject.bundles.tiny.vocabulary import vocabulary
from xttsproject.lib.files import atomic_directory, write_json

NOTICE = (
    "This is a tiny model made by this project and trained on a synthesiser's English voices alone: it speaks short "
    "English sentences like a synthesiser, not always clearly, and follows a synthesiser's voice but no person's. "
    "Download XTTS-v2 for natural speech and for other languages."
)
_WIDTH = 192


def configuration() -> dict[str, Any]:
    """The content of ``config.json``: the released keys in the tiny sizes, and the optional ones of this project."""
    return {
        "model": "xtts",
        "model_args": {
            "gpt_layers": 4,
            "gpt_n_model_channels": _WIDTH,
            "gpt_n_heads": 4,
            "gpt_num_audio_tokens": 1026,
            "gpt_start_audio_token": 1024,
            "gpt_stop_audio_token": 1025,
            "gpt_max_audio_tokens": 605,
            "gpt_max_text_tokens": 402,
            "gpt_max_prompt_tokens": 70,
            "gpt_code_stride_len": 1024,
            "gpt_use_masking_gt_prompt_approach": True,
            "gpt_use_perceiver_resampler": True,
            "input_sample_rate": 22050,
            "output_sample_rate": 24000,
            "output_hop_length": 256,
            "decoder_input_dim": _WIDTH,
            "d_vector_dim": 512,
            "cond_d_vector_in_each_upsampling_layer": True,
        },
        "audio": {"sample_rate": 22050, "output_sample_rate": 24000, "dvae_sample_rate": 22050},
        "languages": ["en"],
        "temperature": 0.75,
        "length_penalty": 1.0,
        "repetition_penalty": 2.0,
        "top_k": 50,
        "top_p": 0.85,
        "decoder": {"class": "source_filter", "channels": 256, "frame_channels": 192, "bands": 96},
        "dvae": {"codebook_dim": 64, "hidden_dim": 128, "num_resnet_blocks": 2},
        "speaker_encoder": {"class": "tdnn", "channels": 96, "pooled": 256},
    }


def build(path: Path, weights: Path = WEIGHTS) -> Bundle:
    """Build the bundle at ``path``, replacing what stands there once all is written. Takes a second.

    Raises :class:`~xttsproject.lib.errors.DomainError` ``weights_missing`` or ``weights_damaged``.
    """
    from safetensors.torch import save_file

    from xttsproject.xtts.weights import DVAE_FILE, MODEL_FILE, SPEAKERS_FILE

    record = open_shipped(weights)
    with atomic_directory(path) as folder:
        write_json(folder / "config.json", configuration())
        write_json(folder / "vocab.json", vocabulary())
        for source, target in (
            (shipped.XTTS_FILE, MODEL_FILE),
            (shipped.DVAE_FILE, DVAE_FILE),
            (shipped.SPEAKERS_FILE, SPEAKERS_FILE),
        ):
            # While they are being made, the speakers' own voices are computed with the bundle that lacks them.
            if source != shipped.SPEAKERS_FILE or source in record.files:
                state = record.read(source)
                save_file({name: state[name].contiguous() for name in sorted(state)}, folder / target)
        write_manifest(
            folder,
            name=TINY_XTTS,
            kind="xtts",
            licence="MIT",
            licence_url="",
            notice=NOTICE,
            source="trained by this project on synthetic speech",
        )
    return open_bundle(path)
