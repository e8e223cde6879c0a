"""An XTTS bundle of Coqui's own classes in small, with random weights that are the same at every build."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.random_weights import tensor
from xttsproject.bundles.manifest import Bundle, open_bundle, write_manifest
from xttsproject.bundles.tiny import TINY_XTTS
from xttsproject.bundles.tiny.vocabulary import vocabulary
from xttsproject.lib.files import atomic_directory, write_json
from xttsproject.xtts.languages import LANGUAGES

if TYPE_CHECKING:
    from torch import Tensor, nn

    from xttsproject.xtts.config import GptShape
    from xttsproject.xtts.weights import State

NOTICE = (
    "This is a tiny model made by this project, with random weights: what it speaks is noise. It proves that every "
    "step from recording to speech works; download XTTS-v2 to hear words."
)
_WIDTH = 128
_SPEAKERS = ("Amber", "Basalt")

# Gains found by listening to none and measuring all: logits spread enough that texts differ, sound at about -20 dBFS.
_EMBEDDING = 0.5
_TEXT_EMBEDDING = 1.0
_LOGITS = 2.5
_LOUDNESS = 1.5
_STOP_BIAS, _STOP_GAIN, _PLACE_STEP = -6.0, 4.0, 0.125


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
        "languages": list(LANGUAGES),
        "temperature": 0.75,
        "length_penalty": 1.0,
        "repetition_penalty": 2.0,
        "top_k": 50,
        "top_p": 0.85,
        "decoder": {"upsample_initial_channel_decoder": 64},
        "dvae": {"codebook_dim": 64, "hidden_dim": 64, "num_resnet_blocks": 1},
        "speaker_encoder": {"num_filters": [8, 16, 16, 32], "layers": [1, 1, 1, 1]},
    }


def build(path: Path) -> Bundle:
    """Build the bundle at ``path``, replacing what stands there once all is written. Takes a few seconds."""
    from safetensors.torch import save_file

    from xttsproject.xtts.config import read_config
    from xttsproject.xtts.networks import build_decoder, build_dvae, build_gpt
    from xttsproject.xtts.weights import DVAE_FILE, MODEL_FILE, SPEAKERS_FILE

    with atomic_directory(path) as folder:
        write_json(folder / "config.json", configuration())
        write_json(folder / "vocab.json", vocabulary())
        config = read_config(folder)
        model: State = {}
        model.update({f"gpt.{name}": value for name, value in _gpt(build_gpt(config), config.gpt).items()})
        model.update({f"hifigan_decoder.{name}": value for name, value in _decoder(build_decoder(config)).items()})
        model["mel_stats"] = _mel_stats()
        save_file(_sorted(model), folder / MODEL_FILE)
        save_file(_sorted(_dvae(build_dvae(config))), folder / DVAE_FILE)
        save_file(_sorted(_speakers()), folder / SPEAKERS_FILE)
        write_manifest(
            folder,
            name=TINY_XTTS,
            kind="xtts",
            licence="MIT",
            licence_url="",
            notice=NOTICE,
            source="built by this project",
        )
    return open_bundle(path)


def stock_sizes(random_bundle: Path, path: Path) -> Path:
    """A copy with all but the GPT in the released sizes, as Coqui's code builds it, with a manifest of its own.

    Its config leaves out what our reader infers.
    """
    import torch
    from safetensors.torch import save_file

    from xttsproject.xtts.config import read_config
    from xttsproject.xtts.networks import build_decoder, build_dvae
    from xttsproject.xtts.weights import read_tensors

    folder = Path(shutil.copytree(random_bundle, path))
    raw = json.loads((folder / "config.json").read_text())
    for key in ("decoder", "dvae", "speaker_encoder", "audio", "model", "repetition_penalty"):
        del raw[key]
    for key in ("decoder_input_dim", "input_sample_rate", "gpt_code_stride_len"):
        del raw["model_args"][key]
    raw["decoder"] = {"class": "hifigan", "upsample_initial_channel_decoder": 512}
    raw["languages"] = ["en", "de"]
    (folder / "config.json").write_text(json.dumps(raw))
    config = read_config(folder)
    torch.manual_seed(3)
    decoder = build_decoder(config).state_dict()
    model = {name: value for name, value in read_tensors(folder / "model.safetensors").items() if "hifigan" not in name}
    model.update({f"hifigan_decoder.{name}": value.contiguous() for name, value in decoder.items()})
    # A new file in the old one's place: the tensors just read still lie in the old one.
    save_file(model, folder / "new.safetensors")
    (folder / "new.safetensors").replace(folder / "model.safetensors")
    save_file(build_dvae(config).state_dict(), folder / "dvae.safetensors")
    about = open_bundle(random_bundle)
    write_manifest(
        folder, name="stock", kind="xtts", licence="CPML", licence_url="", notice=about.notice, source=about.source
    )
    return folder


def _random(network: nn.Module, part: str) -> State:
    """A whole state: norms neutral, tables that the network computes kept, everything else drawn by its fan-in."""
    import torch

    state: State = {}
    for name, value in network.state_dict().items():
        leaf = name.rsplit(".", 1)[-1]
        size = tuple(value.shape)
        if "torch_spec" in name or not value.is_floating_point():
            state[name] = value.clone()
        elif leaf in ("running_var", "gamma") or (leaf == "weight" and value.ndim == 1):
            state[name] = torch.ones(size)
        elif leaf in ("bias", "running_mean", "cluster_size") or name.startswith("discrete_loss"):
            state[name] = torch.zeros(size)
        else:
            state[name] = tensor(f"{part}.{name}", size, _fan_in(name, value) ** -0.5)
    return state


def _fan_in(name: str, value: Tensor) -> int:
    if name.startswith("gpt.h.") or name == "codebook.embed":
        return int(value.shape[0])  # GPT-2 keeps projections as (in, out), the codebook its vectors as columns
    return int(value[0].numel())


def _gpt(network: nn.Module, shape: GptShape) -> State:
    import torch

    state = _random(network, "gpt")
    for name, deviation in (
        ("text_embedding.weight", _TEXT_EMBEDDING),
        ("mel_embedding.weight", _EMBEDDING),
        ("text_pos_embedding.emb.weight", _EMBEDDING),
        ("mel_pos_embedding.emb.weight", _EMBEDDING),
        ("conditioning_perceiver.latents", _EMBEDDING),
        ("mel_head.weight", _LOGITS * shape.width**-0.5),
        ("text_head.weight", _LOGITS * shape.width**-0.5),
    ):
        state[name] = tensor(f"gpt.{name}", tuple(state[name].shape), deviation)
    # Speech must end: along one direction of its own the position grows, and the stop code listens to that alone.
    place = torch.arange(state["mel_pos_embedding.emb.weight"].shape[0], dtype=torch.float32)
    state["mel_pos_embedding.emb.weight"][:, 0] = place * _PLACE_STEP
    for name, value in state.items():
        if name.startswith("gpt.h.") and name.endswith("c_proj.weight"):
            value[:, 0] = 0.0
    for table in ("text_embedding.weight", "mel_embedding.weight", "text_pos_embedding.emb.weight"):
        state[table][:, 0] = 0.0
    state["mel_head.weight"][:, 0] = 0.0
    state["mel_head.weight"][shape.stop_audio_token] = 0.0
    state["mel_head.weight"][shape.stop_audio_token, 0] = _STOP_GAIN
    state["mel_head.bias"][shape.stop_audio_token] = _STOP_BIAS
    # The start code is an input only.
    state["mel_head.bias"][shape.start_audio_token] = -100.0
    return state


def _decoder(network: nn.Module) -> State:
    state = _random(network, "decoder")
    for name, value in state.items():
        # Weight norm keeps a length (original0) and a direction (original1): a length of 1 keeps the signal's size.
        if name.endswith("parametrizations.weight.original0"):
            value.fill_(1.0)
    state["waveform_decoder.conv_post.weight"] *= _LOUDNESS
    return state


def _dvae(network: nn.Module) -> State:
    state = _random(network, "dvae")
    # The lower bands count against the upper ones: what all bands share (loudness) would otherwise drown every
    # difference, and a recording would get a handful of codes.
    first = state["encoder.0.0.weight"]
    first[:, 40:] = -first[:, :40].flip(1)
    return state


def _mel_stats() -> Tensor:
    """Scale of each mel band: falling with frequency, about as the loudness of speech does."""
    import torch

    return torch.tensor([5.0 + band / 32 for band in range(80)], dtype=torch.float32)


def _speakers() -> State:
    import torch

    state: State = {}
    for speaker in _SPEAKERS:
        state[f"{speaker}/gpt_cond_latent"] = tensor(f"speaker.{speaker}.gpt", (1, 32, _WIDTH), 1.0)
        embedding = tensor(f"speaker.{speaker}.embedding", (1, 512, 1), 1.0)
        # Speaker embeddings have length 1; the square root of 512 is their length here, up to luck.
        state[f"{speaker}/speaker_embedding"] = embedding * torch.tensor(512.0**-0.5)
    return state


def _sorted(state: State) -> State:
    return {name: state[name].contiguous() for name in sorted(state)}
