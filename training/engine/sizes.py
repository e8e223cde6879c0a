"""How large a checkpoint is, reckoned from the model's shapes before there is one. Imports no ML library."""

from __future__ import annotations

import math

from training.engine.spec import FULL, LoraSpec, TrainSpec
from xttsproject.xtts.config import GptShape
from xttsproject.xtts.limits import MODEL_RATE
from xttsproject.xtts.shapes import gpt_shapes

FLOAT_BYTES = 4
"""Checkpoints are written in float32, whatever precision they were trained in: what was measured is what is kept."""

MELS = 80
FRAMES_PER_SECOND = MODEL_RATE / 256
"""Of the conditioning mel."""

VARIANTS = 4
"""Altered recordings of each training clip."""

# Of a weight of the model that speaks the samples; what "auto" stands for is known only where the run is.
SPEECH_BYTES = {"auto": 2, "fp32": 4, "bf16": 2, "fp16": 2, "int8": 1}
ALTERED_FLOAT_BYTES = 2
"""Half precision: what is lost is far below the noise that was added."""

CONDITIONING = ("conditioning_encoder", "conditioning_perceiver")
"""The modules that hear the reference."""

HEADS = ("final_norm", "text_head", "mel_head")
"""The modules between the last hidden state and the logits."""


def whole_modules(spec: TrainSpec) -> tuple[str, ...]:
    """The modules that are trained as a whole beside the adapters."""
    return (*(CONDITIONING if spec.train_conditioning else ()), *(HEADS if spec.train_heads else ()))


def adapter_parameters(shape: GptShape, lora: LoraSpec) -> int:
    """Numbers in a LoRA adapter: every targeted projection of ``inputs x outputs`` gets ``rank`` of each."""
    return sum(
        lora.rank * sum(size)
        for name, size in gpt_shapes(shape).items()
        if name.startswith("gpt.h.") and name.split(".")[-2:] in [[target, "weight"] for target in lora.targets]
    )


def gpt_parameters(shape: GptShape, modules: tuple[str, ...] = ()) -> int:
    """Numbers in the whole GPT, or in those of its modules alone."""
    return sum(
        math.prod(size) for name, size in gpt_shapes(shape).items() if not modules or name.partition(".")[0] in modules
    )


def trained_parameters(shape: GptShape, spec: TrainSpec) -> int:
    """Numbers that a run moves, and therefore keeps in each checkpoint."""
    if spec.method == FULL:
        return gpt_parameters(shape)
    modules = whole_modules(spec)
    return adapter_parameters(shape, spec.lora) + (gpt_parameters(shape, modules) if modules else 0)


def adapter_bytes(shape: GptShape, lora: LoraSpec) -> int:
    """Bytes of an adapter without modules that are trained whole."""
    return FLOAT_BYTES * adapter_parameters(shape, lora)


def checkpoint_bytes(shape: GptShape, spec: TrainSpec) -> int:
    """Bytes of a checkpoint's weights, but for the few kilobytes of names in front of them."""
    return FLOAT_BYTES * trained_parameters(shape, spec)


def features_bytes(seconds_train: float, seconds_validation: float, *, altered: bool) -> int:
    """About the bytes of what is computed once per clip, of which 80 mel bands a frame are nearly all."""
    frames_train, frames = (seconds * FRAMES_PER_SECOND for seconds in (seconds_train, seconds_validation))
    plain = (frames_train + frames) * MELS * FLOAT_BYTES
    return round(plain + (frames_train * MELS * ALTERED_FLOAT_BYTES * VARIANTS if altered else 0))


def least_memory_bytes(shape: GptShape, spec: TrainSpec) -> int:
    """Bytes that a run's device must hold at once whatever the batch: what trains comes on top, with its length.

    Each number that is trained has its weight, a gradient and AdamW's two moments in float32. What is frozen may stand
    there in half precision. Samples are spoken by a copy of the model beside all that, in the precision of speech.
    """
    model, trained = gpt_parameters(shape), trained_parameters(shape, spec)
    modules = whole_modules(spec)
    frozen = 0 if spec.method == FULL else model - (gpt_parameters(shape, modules) if modules else 0)
    at_rest = FLOAT_BYTES if spec.precision == "fp32" else FLOAT_BYTES // 2
    speaking = SPEECH_BYTES[spec.speech_precision] * model if spec.sample_prompts else 0
    return 4 * FLOAT_BYTES * trained + at_rest * frozen + speaking


def state_bytes(shape: GptShape, spec: TrainSpec) -> int:
    """Bytes of the file from which a run goes on: what is trained and AdamW's two moments of it."""
    return 3 * checkpoint_bytes(shape, spec)
