"""Weights under the names of transformers' Whisper, laid out as CTranslate2 wants them; needs neither at import."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from xttsproject.bundles.tiny.whisper_tokens import LANGUAGES, Tokens

if TYPE_CHECKING:
    from ctranslate2.specs import WhisperSpec

Array = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Sizes:
    """The network's sizes; ``alignment_heads`` are (layer, head) of the decoder, trained to look where the sound is."""

    width: int = 160
    heads: int = 4
    encoder_layers: int = 4
    decoder_layers: int = 3
    mels: int = 80
    sound_positions: int = 1500
    text_positions: int = 448
    alignment_heads: tuple[tuple[int, int], ...] = ((1, 0), (1, 1))


SIZES = Sizes()


def state_to_spec(state: Mapping[str, Array], tokens: Tokens, sizes: Sizes = SIZES) -> WhisperSpec:
    """The network of ``state`` (names of ``WhisperForConditionalGeneration``) with its vocabulary, ready to save.

    The projection to tokens is the table of their embeddings, as in every Whisper.
    Raises KeyError for a weight that is missing.
    """
    from ctranslate2.specs import WhisperSpec

    spec = WhisperSpec(sizes.encoder_layers, sizes.heads, sizes.decoder_layers, sizes.heads)
    spec.config.alignment_heads = [list(head) for head in sizes.alignment_heads]
    spec.config.lang_ids = [tokens.special_id(code) for code in LANGUAGES]
    spec.config.suppress_ids = []
    spec.config.suppress_ids_begin = [tokens.special_id("endoftext")]
    spec.register_vocabulary(tokens.all)

    weights = _Weights(state)
    encoder, decoder = spec.encoder, spec.decoder
    for name in ("conv1", "conv2"):
        weights.linear(getattr(encoder, name), f"model.encoder.{name}")
    decoder.embeddings.weight = weights["model.decoder.embed_tokens.weight"]
    decoder.projection.weight = decoder.embeddings.weight
    for part, layers in (("encoder", encoder), ("decoder", decoder)):
        layers.position_encodings.encodings = weights[f"model.{part}.embed_positions.weight"]
        weights.norm(layers.layer_norm, f"model.{part}.layer_norm")
        for number, layer in enumerate(layers.layer):
            name = f"model.{part}.layers.{number}"
            weights.attention(layer.self_attention, f"{name}.self_attn", alone=True)
            if part == "decoder":
                weights.attention(layer.attention, f"{name}.encoder_attn", alone=False)
            weights.norm(layer.ffn.layer_norm, f"{name}.final_layer_norm")
            weights.linear(layer.ffn.linear_0, f"{name}.fc1")
            weights.linear(layer.ffn.linear_1, f"{name}.fc2")
    return spec


class _Weights:
    def __init__(self, state: Mapping[str, Array]):
        self._state = state

    def __getitem__(self, name: str) -> Array:
        return np.ascontiguousarray(self._state[name], dtype=np.float32)

    def linear(self, spec: Any, name: str) -> None:
        spec.weight, spec.bias = self[f"{name}.weight"], self[f"{name}.bias"]

    def norm(self, spec: Any, name: str) -> None:
        spec.gamma, spec.beta = self[f"{name}.weight"], self[f"{name}.bias"]

    def attention(self, spec: Any, name: str, *, alone: bool) -> None:
        """Query, key and value in one matrix where sound or text attends to itself, else the query apart."""
        self.norm(spec.layer_norm, f"{name}_layer_norm")
        names = ("q_proj", "k_proj", "v_proj")
        groups = (names,) if alone else (names[:1], names[1:])
        for linear, group in zip(spec.linear, groups, strict=False):
            linear.weight = np.concatenate([self[f"{name}.{part}.weight"] for part in group])
            linear.bias = np.concatenate([self._bias(f"{name}.{part}") for part in group])
        self.linear(spec.linear[-1], f"{name}.out_proj")

    def _bias(self, name: str) -> Array:
        """Whisper's keys have none: an offset that all keys share changes no attention."""
        if f"{name}.bias" in self._state:
            return self[f"{name}.bias"]
        return np.zeros(len(self._state[f"{name}.weight"]), dtype=np.float32)
