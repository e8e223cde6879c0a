"""Building the networks of a bundle: Coqui's classes, in the size that the bundle's config says; and, where it says so,
this project's own decoder or speaker encoder in the place of Coqui's.

The GPT class imports transformers, which takes seconds: only training builds it. Speech reads the same weights through
:mod:`xttsproject.xtts.decode` and :mod:`xttsproject.xtts.reference`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from torch import nn
from torch.nn.utils import parametrize
from torch.overrides import TorchFunctionMode

from xttsproject.lib.errors import DomainError
from xttsproject.xtts.config import (
    RELEASED_DVAE,
    RELEASED_SPEAKER_AUDIO,
    SOURCE_FILTER,
    TDNN,
    VOCAB_FILE,
    XttsConfig,
)
from xttsproject.xtts.weights import State, apply_adapter, read_state

if TYPE_CHECKING:
    from TTS.tts.layers.xtts.dvae import DiscreteVAE
    from TTS.tts.layers.xtts.gpt import GPT
    from TTS.tts.layers.xtts.hifigan_decoder import HifiDecoder

    from xttsproject.xtts.source_filter import SourceFilterDecoder
    from xttsproject.xtts.tokenizer import Tokenizer

Network = TypeVar("Network", bound=nn.Module)

_DRAWING = (
    torch.Tensor.uniform_,
    torch.Tensor.normal_,
    # These ask for a stand-in of their own, and what they call within asks no more.
    nn.init.uniform_,
    nn.init.normal_,
    nn.init.kaiming_uniform_,
)


def build_gpt(config: XttsConfig) -> GPT:
    """Coqui's GPT for training, weights not loaded. Forward shapes are in its own docstring."""
    # Coqui builds transformers' configuration without token ids, and transformers remarks on it each time.
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    from TTS.tts.layers.xtts.gpt import GPT

    shape = config.gpt
    return GPT(
        layers=shape.layers,
        model_dim=shape.width,
        heads=shape.heads,
        start_text_token=shape.start_text_token,
        stop_text_token=shape.stop_text_token,
        number_text_tokens=shape.text_tokens,
        num_audio_tokens=shape.audio_tokens,
        start_audio_token=shape.start_audio_token,
        stop_audio_token=shape.stop_audio_token,
        max_text_tokens=shape.max_text_tokens,
        max_mel_tokens=shape.max_audio_tokens,
        max_prompt_tokens=shape.max_prompt_tokens,
        code_stride_len=shape.code_stride,
        use_perceiver_resampler=True,
    )


def build_decoder(config: XttsConfig) -> nn.Module:
    """The decoder of the config's class, weights not loaded, weight norm still in place.

    Whichever it is: latents ``(b, n, width)`` and ``g``, speaker embeddings ``(b, 512, 1)``, to sound
    ``(b, 1, samples)``; and a ``speaker_encoder``. Raises :class:`DomainError` ``model_damaged`` where the
    class has no such sizes.
    """
    try:
        decoder = _source_filter(config) if config.decoder_class == SOURCE_FILTER else _stock_decoder(config)
    except TypeError as error:
        raise DomainError(
            "model_damaged",
            f"A decoder of the class {config.decoder_class} cannot be built as config.json says: {error}.",
        ) from error
    if config.speaker_encoder or config.speaker_encoder_class == TDNN or config.decoder_class == SOURCE_FILTER:
        audio = getattr(decoder, "speaker_encoder_audio_config", RELEASED_SPEAKER_AUDIO)
        decoder.speaker_encoder = build_speaker_encoder(config, audio)
    return decoder


def build_speaker_encoder(config: XttsConfig, audio: Mapping[str, Any] = RELEASED_SPEAKER_AUDIO) -> nn.Module:
    """The speaker encoder of the config's class, weights not loaded: sound ``(b, n)`` at 16 000 Hz to ``(b, 512)``.

    ``audio`` is what Coqui's hears, as in its ``audio_config``.
    """
    if config.speaker_encoder_class == TDNN:
        from xttsproject.xtts.speaker_encoder import TdnnSpeakerEncoder

        return TdnnSpeakerEncoder(config.speaker_width, **config.speaker_encoder)
    from TTS.encoder.models.resnet import ResNetSpeakerEncoder

    arguments: dict[str, Any] = {
        "input_dim": 64,
        "proj_dim": config.speaker_width,
        "log_input": True,
        "use_torch_spec": True,
        "audio_config": dict(audio),
    }
    encoder: nn.Module = ResNetSpeakerEncoder(**{**arguments, **config.speaker_encoder})
    return encoder


def _stock_decoder(config: XttsConfig) -> HifiDecoder:
    from TTS.tts.layers.xtts.hifigan_decoder import HifiDecoder

    arguments: dict[str, Any] = {
        "input_sample_rate": config.input_rate,
        "output_sample_rate": config.output_rate,
        "output_hop_length": config.decoder_hop,
        "ar_mel_length_compression": config.gpt.code_stride,
        "decoder_input_dim": config.decoder_input_width,
        "d_vector_dim": config.speaker_width,
        "cond_d_vector_in_each_upsampling_layer": config.condition_each_layer,
    }
    return HifiDecoder(**{**arguments, **config.decoder})


def _source_filter(config: XttsConfig) -> SourceFilterDecoder:
    from xttsproject.xtts.source_filter import SourceFilterDecoder

    return SourceFilterDecoder(
        config.decoder_input_width,
        input_rate=config.input_rate,
        output_rate=config.output_rate,
        hop=config.decoder_hop,
        code_stride=config.gpt.code_stride,
        speaker_width=config.speaker_width,
        **config.decoder,
    )


def build_dvae(config: XttsConfig) -> DiscreteVAE:
    """Coqui's DVAE, weights not loaded; one code per 1 024 samples at 22 050 Hz."""
    from TTS.tts.layers.xtts.dvae import DiscreteVAE

    return DiscreteVAE(**{**RELEASED_DVAE, "num_tokens": config.gpt.audio_tokens - 2, **config.dvae})


def load_gpt(bundle_path: Path, config: XttsConfig, adapter: Path | None = None) -> GPT:
    """The GPT with the bundle's weights (and an adapter merged into them), in evaluation mode."""
    state = read_state(bundle_path, "gpt")
    return load_into(build_gpt(config), apply_adapter(state, adapter) if adapter else state, bundle_path, "gpt")


def load_decoder(bundle_path: Path, config: XttsConfig) -> nn.Module:
    """The decoder with the bundle's weights in evaluation mode, weight norm folded into plain weights."""
    with Undrawn():
        decoder = build_decoder(config)
    return fold_weight_norm(load_into(decoder, read_state(bundle_path, "decoder"), bundle_path, "decoder"))


class Undrawn(TorchFunctionMode):
    """Networks built within have whatever lay in memory where they would draw random weights: those of a file take
    their place, each and every one, and drawing takes longer than reading."""

    def __torch_function__(self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None) -> Any:
        given = kwargs or {}
        if func in _DRAWING:
            return args[0] if args else given["tensor"]
        return func(*args, **given)


def load_dvae(bundle_path: Path, config: XttsConfig) -> DiscreteVAE:
    """The DVAE with the bundle's weights, in evaluation mode."""
    return load_into(build_dvae(config), read_state(bundle_path, "dvae"), bundle_path, "dvae")


def load_tokenizer(bundle_path: Path) -> Tokenizer:
    """The bundle's tokenizer with Coqui's text cleaning in front of it."""
    from xttsproject.xtts.tokenizer import Tokenizer

    return Tokenizer(bundle_path / VOCAB_FILE)


def load_into(network: Network, state: State, bundle_path: Path, part: str) -> Network:
    """Load every tensor, none missing and none left over, and switch to evaluation mode."""
    try:
        network.load_state_dict(state, assign=True)
    except RuntimeError as error:
        raise DomainError(
            "model_damaged", f"The {part} weights of {bundle_path.name} do not fit its config.json: {error}"
        ) from error
    for parameter in network.parameters():
        parameter.requires_grad_(False)
    return network.eval()


def fold_weight_norm(network: Network) -> Network:
    """Turn each weight-normalised layer into a plain one of the same output, which is faster."""
    for module in list(network.modules()):
        if parametrize.is_parametrized(module, "weight"):
            parametrize.remove_parametrizations(module, "weight")
    return network
