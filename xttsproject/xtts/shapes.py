"""Which GPT tensors a bundle must have, and in which shapes: checked when a model is imported, without building it."""

from __future__ import annotations

from collections.abc import Iterator

from xttsproject.xtts.config import GptShape

Shape = tuple[int, ...]

_MELS, _LATENTS, _PERCEIVER_HEADS, _HEAD_WIDTH = 80, 32, 8, 64


def gpt_shapes(shape: GptShape) -> dict[str, Shape]:
    """Name and shape of every tensor of the GPT with its conditioning networks."""
    return dict([*_embeddings(shape), *_transformer(shape), *_conditioning(shape), *_perceiver(shape)])


def _embeddings(shape: GptShape) -> Iterator[tuple[str, Shape]]:
    width = shape.width
    yield "text_embedding.weight", (shape.text_tokens, width)
    yield "mel_embedding.weight", (shape.audio_tokens, width)
    # Coqui adds a start and a stop token to both, and one conditioning input to the audio's.
    yield "mel_pos_embedding.emb.weight", (shape.max_audio_tokens + 3, width)
    yield "text_pos_embedding.emb.weight", (shape.max_text_tokens + 2, width)
    yield from _affine("final_norm", (width,), width)
    yield from _affine("text_head", (shape.text_tokens, width), shape.text_tokens)
    yield from _affine("mel_head", (shape.audio_tokens, width), shape.audio_tokens)


def _transformer(shape: GptShape) -> Iterator[tuple[str, Shape]]:
    width = shape.width
    for layer in range(shape.layers):
        block = f"gpt.h.{layer}"
        yield from _affine(f"{block}.ln_1", (width,), width)
        yield from _affine(f"{block}.attn.c_attn", (width, 3 * width), 3 * width)
        yield from _affine(f"{block}.attn.c_proj", (width, width), width)
        yield from _affine(f"{block}.ln_2", (width,), width)
        yield from _affine(f"{block}.mlp.c_fc", (width, 4 * width), 4 * width)
        yield from _affine(f"{block}.mlp.c_proj", (4 * width, width), width)
    yield from _affine("gpt.ln_f", (width,), width)


def _conditioning(shape: GptShape) -> Iterator[tuple[str, Shape]]:
    width = shape.width
    yield from _affine("conditioning_encoder.init", (width, _MELS, 1), width)
    for block in range(6):
        name = f"conditioning_encoder.attn.{block}"
        yield from _affine(f"{name}.norm", (width,), width)
        yield from _affine(f"{name}.qkv", (3 * width, width, 1), 3 * width)
        yield from _affine(f"{name}.proj_out", (width, width, 1), width)


def _perceiver(shape: GptShape) -> Iterator[tuple[str, Shape]]:
    width, inner = shape.width, _PERCEIVER_HEADS * _HEAD_WIDTH
    hidden = int(width * 4 * 2 / 3)
    yield "conditioning_perceiver.latents", (_LATENTS, width)
    for layer in range(2):
        name = f"conditioning_perceiver.layers.{layer}"
        yield f"{name}.0.to_q.weight", (inner, width)
        yield f"{name}.0.to_kv.weight", (2 * inner, width)
        yield f"{name}.0.to_out.weight", (width, inner)
        yield from _affine(f"{name}.1.0", (2 * hidden, width), 2 * hidden)
        yield from _affine(f"{name}.1.2", (width, hidden), width)
    yield "conditioning_perceiver.norm.gamma", (width,)


def _affine(name: str, weight: Shape, bias: int) -> Iterator[tuple[str, Shape]]:
    yield f"{name}.weight", weight
    yield f"{name}.bias", (bias,)
