"""A Whisper bundle in small, with random weights that are the same at every build, in CTranslate2's format.

It writes letters, not words: they depend on the sound alone, whatever sound it is, and end after a line. What it serves
to prove is the path: language detection, timestamps, probabilities and word times are computed by the real library.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tests.random_weights import Array, spread
from xttsproject.bundles.manifest import Bundle
from xttsproject.bundles.tiny.whisper import write_bundle
from xttsproject.bundles.tiny.whisper_tokens import LANGUAGES, LETTERS, TIMESTAMPS, tokens

if TYPE_CHECKING:
    from ctranslate2.specs import WhisperSpec

NOTICE = (
    "This is a tiny model made by this project, with random weights: what it writes is noise, to be corrected by hand. "
    "It proves that every step works; download a Whisper model to get real transcripts."
)

_WIDTH, _HEADS, _MELS = 64, 2, 80
_SOUND_FRAMES, _TEXT_POSITIONS = 1500, 448

# How sure the model is of its letters (so that it needs no second attempt), how often a word begins, when a line ends.
_LETTER_GAIN, _WORD_BIAS, _NEVER = 2.5, 3.0, -60.0
_END_BIAS, _END_GAIN, _PLACE_STEP = -16.0, 8.0, 0.2


def build(path: Path) -> Bundle:
    """Build the bundle at ``path``, replacing what stands there once all is written. Takes a few seconds."""
    return write_bundle(path, _specification(tokens().all), notice=NOTICE, source="built by this project")


def _specification(vocabulary: Sequence[str]) -> WhisperSpec:
    from ctranslate2.specs import WhisperSpec

    ids = {token: number for number, token in enumerate(vocabulary)}
    spec = WhisperSpec(1, _HEADS, 1, _HEADS)
    spec.config.alignment_heads = [[0, head] for head in range(_HEADS)]
    spec.config.lang_ids = [ids[f"<|{code}|>"] for code in LANGUAGES]
    spec.config.suppress_ids = []
    spec.config.suppress_ids_begin = [ids["<|endoftext|>"]]
    spec.register_vocabulary(vocabulary)

    encoder, decoder = spec.encoder, spec.decoder
    _convolution(encoder.conv1, "encoder.conv1", _MELS)
    _convolution(encoder.conv2, "encoder.conv2", _WIDTH)
    encoder.position_encodings.encodings = spread("encoder.positions", (_SOUND_FRAMES, _WIDTH), 0.1)
    _norm(encoder.layer_norm)
    _attention(encoder.layer[0].self_attention, "encoder.attention", (3, 1))
    _feed(encoder.layer[0].ffn, "encoder.feed")

    decoder.embeddings.weight = spread("decoder.tokens", (len(vocabulary), _WIDTH), 0.3)
    decoder.position_encodings.encodings = _text_positions()
    _norm(decoder.layer_norm)
    _attention(decoder.layer[0].self_attention, "decoder.attention", (3, 1))
    _attention(decoder.layer[0].attention, "decoder.listening", (1, 2, 1))
    _feed(decoder.layer[0].ffn, "decoder.feed")
    decoder.projection.weight, decoder.projection.bias = _head(vocabulary)
    return spec


def _text_positions() -> Array:
    """Every place its own direction, so that letters do not repeat; the first dimension tells how far the line is."""
    positions = spread("decoder.positions", (_TEXT_POSITIONS, _WIDTH), 1.0)
    positions[:, 0] = np.arange(_TEXT_POSITIONS, dtype=np.float32) * np.float32(_PLACE_STEP)
    return positions


def _head(vocabulary: Sequence[str]) -> tuple[Array, Array]:
    """Only letters are ever likely, and the end once the line is long enough; timestamps where the rules demand one."""
    ids = {token: number for number, token in enumerate(vocabulary)}
    weight = np.zeros((len(vocabulary), _WIDTH), dtype=np.float32)
    bias = np.full(len(vocabulary), _NEVER, dtype=np.float32)
    for letter in LETTERS:
        for token, offset in ((letter, 0.0), (f"Ġ{letter}", _WORD_BIAS)):
            row = ids[token]
            weight[row] = spread(f"head.{token}", (_WIDTH,), _LETTER_GAIN)
            weight[row, 0] = 0.0
            bias[row] = offset - _WORD_BIAS
    for code in LANGUAGES:
        # Which language it hears is a whim of the sound, within those whose letters it writes.
        row = ids[f"<|{code}|>"]
        weight[row] = spread(f"head.{code}", (_WIDTH,), 0.1)
        bias[row] = -30.0 + 4.0 * float(code == "en")
    first = ids["<|0.00|>"]
    weight[first : first + TIMESTAMPS] = spread("head.timestamps", (TIMESTAMPS, _WIDTH), 0.1)
    bias[first] = _NEVER + 10.0
    end = ids["<|endoftext|>"]
    weight[end, 0] = _END_GAIN
    bias[end] = _END_BIAS
    return weight, bias


def _convolution(spec: Any, name: str, inputs: int) -> None:
    spec.weight = spread(name, (_WIDTH, inputs, 3), (3 * inputs) ** -0.5)
    spec.bias = np.zeros(_WIDTH, dtype=np.float32)


def _norm(spec: Any) -> None:
    spec.gamma = np.ones(_WIDTH, dtype=np.float32)
    spec.beta = np.zeros(_WIDTH, dtype=np.float32)


def _linear(spec: Any, name: str, outputs: int, inputs: int) -> None:
    spec.weight = spread(name, (outputs, inputs), inputs**-0.5)
    spec.bias = np.zeros(outputs, dtype=np.float32)


def _attention(spec: Any, name: str, fused: tuple[int, ...]) -> None:
    """``fused`` says how many projections each matrix holds: query, key and value in one, or query apart."""
    _norm(spec.layer_norm)
    for number, (linear, count) in enumerate(zip(spec.linear, fused, strict=True)):
        _linear(linear, f"{name}.{number}", count * _WIDTH, _WIDTH)


def _feed(spec: Any, name: str) -> None:
    _norm(spec.layer_norm)
    _linear(spec.linear_0, f"{name}.in", 4 * _WIDTH, _WIDTH)
    _linear(spec.linear_1, f"{name}.out", _WIDTH, 4 * _WIDTH)
