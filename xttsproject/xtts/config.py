"""A bundle's ``config.json``: the released shape, and optional keys for other sizes. Loads no ML library."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from xttsproject.lib.errors import DomainError
from xttsproject.xtts.languages import LANGUAGES
from xttsproject.xtts.types import Sampling

RELEASED_SAMPLING = {"temperature": 0.75, "top_k": 50, "top_p": 0.85, "repetition_penalty": 10.0}
"""What Coqui's code takes where neither the caller nor the bundle says anything."""

CONFIG_FILE = "config.json"
VOCAB_FILE = "vocab.json"

STOCK_DECODER, SOURCE_FILTER = "hifigan", "source_filter"
"""What ``"class"`` under ``"decoder"`` may say; without it the decoder is the released model's."""

STOCK_SPEAKER_ENCODER, TDNN = "resnet", "tdnn"
"""What ``"class"`` under ``"speaker_encoder"`` may say, likewise."""

# The released model's DVAE: its size is written nowhere in the release, only in the trainer that made it.
RELEASED_DVAE: Mapping[str, Any] = {
    "channels": 80,
    "normalization": None,
    "positional_dims": 1,
    "codebook_dim": 512,
    "hidden_dim": 512,
    "num_resnet_blocks": 3,
    "kernel_size": 3,
    "num_layers": 2,
    "use_transposed_convs": False,
}

# What the released model's speaker encoder hears, in samples at 16 000 Hz.
RELEASED_SPEAKER_AUDIO: Mapping[str, Any] = {
    "fft_size": 512,
    "win_length": 400,
    "hop_length": 160,
    "sample_rate": 16000,
    "preemphasis": 0.97,
    "num_mels": 64,
}


@dataclass(frozen=True)
class GptShape:
    """Size of the GPT. Token counts include the start and stop tokens."""

    layers: int
    width: int
    heads: int
    text_tokens: int
    start_text_token: int
    stop_text_token: int
    audio_tokens: int
    start_audio_token: int
    stop_audio_token: int
    max_audio_tokens: int
    max_text_tokens: int
    max_prompt_tokens: int
    code_stride: int

    @property
    def longest_speech(self) -> int:
        """The most codes that one sentence may have: one conditioning input and two special tokens are set aside."""
        return self.max_audio_tokens - 3

    @property
    def longest_text(self) -> int:
        """The most tokens of one sentence, the start and stop tokens not counted."""
        return min(self.max_text_tokens, 402) - 2


@dataclass(frozen=True)
class XttsConfig:
    """What the networks of a bundle are built from; rates are in hertz.

    ``decoder``, ``dvae`` and ``speaker_encoder`` are keyword arguments of Coqui's classes that differ from the
    released model's. ``sampling`` holds the bundle's own defaults.

    ``decoder_class`` is ``"class"`` of the file's ``"decoder"``: ``hifigan``, which is Coqui's, or ``source_filter``,
    this project's own (:mod:`xttsproject.xtts.source_filter`); ``decoder`` is then keyword arguments of that class.
    ``speaker_encoder_class`` likewise: ``resnet``, Coqui's, or ``tdnn`` (:mod:`xttsproject.xtts.speaker_encoder`).
    """

    gpt: GptShape
    input_rate: int
    output_rate: int
    decoder_hop: int
    speaker_width: int
    decoder_input_width: int
    condition_each_layer: bool
    languages: tuple[str, ...]
    sampling: Mapping[str, Any] = field(default_factory=dict)
    decoder_class: str = STOCK_DECODER
    decoder: Mapping[str, Any] = field(default_factory=dict)
    dvae: Mapping[str, Any] = field(default_factory=dict)
    speaker_encoder_class: str = STOCK_SPEAKER_ENCODER
    speaker_encoder: Mapping[str, Any] = field(default_factory=dict)

    def drawn(self, wanted: Sampling) -> dict[str, Any]:
        """How codes are drawn: as ``wanted``, where it says nothing as the bundle has it, or else the released code."""
        chosen = {name: getattr(wanted, name) for name in RELEASED_SAMPLING}
        given = {name: value for name, value in chosen.items() if value is not None}
        return {**RELEASED_SAMPLING, **self.sampling, **given}


def read_config(bundle_path: Path) -> XttsConfig:
    """Read ``config.json`` and the sizes that ``vocab.json`` decides.

    Raises :class:`DomainError` ``model_missing``, ``model_damaged`` or ``model_unsuitable``.
    """
    raw = _read_json(bundle_path / CONFIG_FILE)
    try:
        return parse_config(raw, _vocabulary(bundle_path / VOCAB_FILE))
    except (KeyError, TypeError, ValueError) as error:
        raise DomainError(
            "model_damaged", f"The model in {bundle_path.name} has a {CONFIG_FILE} that cannot be used ({error!r})."
        ) from error


def known_characters(bundle_path: Path) -> frozenset[str]:
    """The characters that the tokenizer has tokens of their own for; others are unknown to the model.

    Raises :class:`DomainError` ``model_missing`` or ``model_damaged``.
    """
    return frozenset(token for token in _vocabulary(bundle_path / VOCAB_FILE) if len(token) == 1)


def parse_config(raw: Mapping[str, Any], vocabulary: Mapping[str, int]) -> XttsConfig:
    """Build the configuration from the file's content. The vocabulary overrides the text-token counts, as in Coqui.

    Raises :class:`DomainError` ``model_unsuitable``; what else is wrong with the content as KeyError, TypeError or
    ValueError.
    """
    args: Mapping[str, Any] = raw["model_args"]
    audio: Mapping[str, Any] = raw.get("audio", {})
    if not args.get("gpt_use_perceiver_resampler", False):
        raise ValueError("only XTTS-v2 models (gpt_use_perceiver_resampler) are supported")
    gpt = GptShape(
        layers=int(args["gpt_layers"]),
        width=int(args["gpt_n_model_channels"]),
        heads=int(args["gpt_n_heads"]),
        text_tokens=max(vocabulary.values()) + 1,
        start_text_token=vocabulary["[START]"],
        stop_text_token=vocabulary["[STOP]"],
        audio_tokens=int(args["gpt_num_audio_tokens"]),
        start_audio_token=int(args["gpt_start_audio_token"]),
        stop_audio_token=int(args["gpt_stop_audio_token"]),
        max_audio_tokens=int(args["gpt_max_audio_tokens"]),
        max_text_tokens=int(args["gpt_max_text_tokens"]),
        max_prompt_tokens=int(args["gpt_max_prompt_tokens"]),
        code_stride=int(args.get("gpt_code_stride_len", 1024)),
    )
    unknown = [code for code in raw.get("languages", ()) if code not in LANGUAGES]
    if unknown:
        raise ValueError(f"unknown languages {', '.join(unknown)}")
    decoder, decoder_class = _with_class(raw, "decoder", (STOCK_DECODER, SOURCE_FILTER))
    speaker_encoder, speaker_encoder_class = _with_class(raw, "speaker_encoder", (STOCK_SPEAKER_ENCODER, TDNN))
    return XttsConfig(
        gpt=gpt,
        input_rate=int(args.get("input_sample_rate", audio.get("sample_rate", 22050))),
        output_rate=int(args.get("output_sample_rate", audio.get("output_sample_rate", 24000))),
        decoder_hop=int(args.get("output_hop_length", 256)),
        speaker_width=int(args.get("d_vector_dim", 512)),
        decoder_input_width=int(args.get("decoder_input_dim", gpt.width)),
        condition_each_layer=bool(args.get("cond_d_vector_in_each_upsampling_layer", True)),
        languages=tuple(raw.get("languages") or LANGUAGES),
        sampling=_sampling(raw),
        decoder_class=decoder_class,
        decoder=decoder,
        dvae=dict(raw.get("dvae") or {}),
        speaker_encoder_class=speaker_encoder_class,
        speaker_encoder=speaker_encoder,
    )


def parse_vocabulary(raw: Mapping[str, Any]) -> dict[str, int]:
    """Every token of a tokenizer file's content with its number, those added later included.

    What is wrong with the content comes as KeyError, TypeError, ValueError or AttributeError.
    """
    vocabulary = {str(token): int(index) for token, index in raw["model"]["vocab"].items()}
    vocabulary.update({str(added["content"]): int(added["id"]) for added in raw.get("added_tokens") or ()})
    return vocabulary


def _sampling(raw: Mapping[str, Any]) -> dict[str, Any]:
    """The bundle's own defaults, those that it has. A value that no one could ask for is a ValueError."""
    own = {name: raw[name] for name in RELEASED_SAMPLING if raw.get(name) is not None}
    try:
        Sampling(**own)
    except DomainError as error:
        raise ValueError(error.message) from error
    return own


def _with_class(raw: Mapping[str, Any], part: str, classes: tuple[str, str]) -> tuple[dict[str, Any], str]:
    """A part's keyword arguments, and its class: the first unless the file names one."""
    arguments = dict(raw.get(part) or {})
    chosen = arguments.pop("class", classes[0])
    if chosen not in classes:
        raise DomainError(
            "model_unsuitable",
            f"The model's {CONFIG_FILE} asks for a {part.replace('_', ' ')} of the class {chosen!r}; this installation "
            f"has {' and '.join(classes)}. A newer one may know it.",
        )
    return arguments, chosen


def _vocabulary(path: Path) -> dict[str, int]:
    raw = _read_json(path)
    try:
        return parse_vocabulary(raw)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DomainError(
            "model_damaged", f"The model in {path.parent.name} has a {path.name} that is no tokenizer file ({error!r})."
        ) from error


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DomainError(
            "model_missing", f"The model {path.parent.name} is not there: {path.name} is missing. Build or download it."
        ) from None
    except (OSError, ValueError) as error:
        raise DomainError("model_damaged", f"The model's file {path.name} cannot be read ({error}).") from error
