"""The GPT's matrices, packed once for the precision and the device that multiply them.

On a CPU the sentence itself stays in float32 in every precision, with its keys, values and sums: only the weights, and
what is multiplied with them, get smaller. One code of one sentence reads all weights and computes little, so that
their size is its time.

=========  ===========================================================================  ===================
precision  weights and products on a CPU                                                 on a GPU
=========  ===========================================================================  ===================
``fp32``   float32                                                                       float32
``bf16``   bfloat16, packed by oneDNN                                                    bfloat16
``fp16``   float16, packed by FBGEMM, multiplied in float32                              float16
``int8``   8 bits with a scale for each output, times 8 bits with a scale for each       refused
           position (LLM.int8, Dettmers et al., 2022, without its outliers); sums whole
=========  ===========================================================================  ===================

A position's scale is its own, not the batch's as in torch's dynamic quantisation: who shares the batch changes nothing.

``auto`` stands for the precision that loses next to nothing and is fast: ``fp16`` on a GPU and on a processor with
FBGEMM (its sums are float32's, and the released weights lie well within its range), ``bf16`` on another processor that
multiplies in it, and else ``fp32``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal, get_args

import torch
from torch import Tensor
from torch.nn import functional as fn

from xttsproject.lib.errors import DomainError

Precision = Literal["fp32", "bf16", "fp16", "int8"]

PRECISIONS: tuple[Precision, ...] = get_args(Precision)

AUTO: Literal["auto"] = "auto"

Wanted = Precision | Literal["auto"]
"""What may be asked for: a precision, or the device's own."""

Projection = Callable[[Tensor], Tensor]
"""``(…, inputs)`` to ``(…, outputs)``, in the dtype that it was given."""

_LISTED = f"{', '.join(PRECISIONS[:-1])} or {PRECISIONS[-1]}"
_LARGEST_HALF = 65504.0
_GPU_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def resolve_precision(wanted: str, device: torch.device) -> Precision:
    """The precision that is meant on this device. Raises :class:`DomainError` ``precision_unknown``, or
    ``precision_unsupported`` where the device lacks it."""
    if wanted == AUTO:
        if device.type != "cpu" or "fbgemm" in _engines():
            return "fp16"
        return "bf16" if multiplies_bf16(device) else "fp32"
    if wanted not in PRECISIONS:
        raise DomainError("precision_unknown", f"The precision is {wanted!r}, but {AUTO}, {_LISTED} is expected.")
    if missing := _missing(wanted, device):
        raise DomainError("precision_unsupported", missing)
    return wanted


def supported_precisions(device: torch.device) -> tuple[Precision, ...]:
    """Those of PRECISIONS that :func:`resolve_precision` does not refuse on this device."""
    return tuple(each for each in PRECISIONS if not _missing(each, device))


def multiplies_bf16(device: torch.device) -> bool:
    """Whether it does so itself: AMX or AVX512-BF16 in a processor, Ampere or later among GPUs. What others make of it
    is slower than float32: twice as slow with AVX512 alone, thirty times with AVX2."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    abilities = torch.cpu.get_capabilities()
    return bool(abilities.get("avx512_bf16") or abilities.get("amx_bf16"))


def packs_bf16() -> bool:
    """Whether oneDNN is part of this PyTorch (for Apple's processors it is not) and multiplies in bfloat16 here."""
    there = bool(torch.backends.mkldnn.is_available())  # type: ignore[no-untyped-call]
    return there and bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def _missing(precision: Precision, device: torch.device) -> str:
    """Why it cannot be had on the device; empty where it can."""
    if precision == "int8" and device.type != "cpu":
        return f"int8 weights are for a processor; on {device.type} take fp16 or bf16."
    if device.type == "cpu" and precision in ("fp16", "int8") and "fbgemm" not in _engines():
        return f"This processor's PyTorch has no FBGEMM, which {precision} weights need; take bf16 or fp32."
    return ""


def activation_dtype(precision: Precision, device: torch.device) -> torch.dtype:
    """What a sentence's hidden states, keys and values are kept in."""
    return torch.float32 if device.type == "cpu" else _GPU_DTYPES[precision]


def projection(weight: Tensor, bias: Tensor, precision: Precision, device: torch.device) -> Projection:
    """``x @ weight + bias`` for a weight ``(inputs, outputs)`` and a bias ``(outputs,)``, both copied as needed.

    Of a precision that :func:`resolve_precision` gave.
    """
    if is_packed(precision, device):
        return packed(shrunk(weight, precision), bias, precision)
    dtype = _GPU_DTYPES[precision]
    # Turned round, but not copied: float32 is multiplied as fast either way.
    return _plain(weight.to(device, dtype).t(), bias.to(device, dtype))


def is_packed(precision: Precision, device: torch.device) -> bool:
    """Whether weights are shrunk and packed, as on a processor in all precisions but ``fp32``."""
    return device.type == "cpu" and precision != "fp32"


def shrunk(weight: Tensor, precision: Precision) -> dict[str, Tensor]:
    """A weight ``(inputs, outputs)`` in the precision's own numbers, as tensors that can be kept in a file; ``weight``
    is ``(outputs, inputs)`` in it."""
    turned = weight.t().float().contiguous()
    if precision == "bf16":
        return {"weight": turned.bfloat16()}
    if precision == "fp16":
        return {"weight": turned.clamp(-_LARGEST_HALF, _LARGEST_HALF).half()}
    scales = (turned.abs().amax(dim=1) / 127).clamp(min=1e-12)
    steps = torch.quantize_per_channel(turned, scales.double(), _zeros(scales), 0, torch.qint8).int_repr()
    return {"weight": steps, "scales": scales}


def packed(tensors: Mapping[str, Tensor], bias: Tensor, precision: Precision) -> Projection:
    """What :func:`shrunk` gave, perhaps by way of a file, packed by the library that multiplies with it. Nothing of
    the tensors is kept."""
    makers = {"bf16": _bf16, "fp16": _fp16, "int8": _int8}
    return makers[precision](tensors, bias.float().clone())


def _plain(weight: Tensor, bias: Tensor) -> Projection:
    def apply(x: Tensor) -> Tensor:
        return fn.linear(x, weight, bias)

    return apply


def _bf16(tensors: Mapping[str, Tensor], bias: Tensor) -> Projection:
    half = tensors["weight"]
    if not packs_bf16():
        plain = _plain(half.clone(), bias.bfloat16())
        return lambda x: plain(x.bfloat16()).to(x.dtype)
    matrix = torch.ops.mkldnn._reorder_linear_weight(half, None)

    def apply(x: Tensor) -> Tensor:
        # The bias is added in float32, after the sum.
        product: Tensor = torch.ops.mkldnn._linear_pointwise(x.bfloat16(), matrix, None, "none", [], "")
        return product.to(x.dtype).add_(bias)

    return apply


def _fp16(tensors: Mapping[str, Tensor], bias: Tensor) -> Projection:
    _use_fbgemm()
    matrix = torch.ops.quantized.linear_prepack_fp16(tensors["weight"].float(), bias)

    def apply(x: Tensor) -> Tensor:
        product: Tensor = torch.ops.quantized.linear_dynamic_fp16(x.contiguous(), matrix)
        return product

    return apply


def _int8(tensors: Mapping[str, Tensor], bias: Tensor) -> Projection:
    _use_fbgemm()
    scales = tensors["scales"].double()
    steps = _as_steps(tensors["weight"], scales)
    matrix = torch.ops.quantized.linear_prepack(steps, None)
    multiply = torch.ops.quantized.linear_with_input_q_dq_qweight_dq_output_fp32
    # Without VNNI, FBGEMM adds pairs of products in 16 bits, which 8 bits times 8 bits may exceed.
    most = 127.0 if torch.cpu._is_vnni_supported() else 63.0

    def apply(x: Tensor) -> Tensor:
        scale = x.abs().amax(dim=-1, keepdim=True).div_(most).clamp_(min=1e-12)
        # The operator counts its input's steps from 128 and takes one scale for all: 1, since ours are divided out.
        product: Tensor = multiply(x / scale, 1.0, 128, matrix)
        return product.mul_(scale).add_(bias)

    return apply


def _as_steps(weight: Tensor, scales: Tensor) -> Tensor:
    """An int8 weight as a quantised one in the same memory: a copy would take a tenth of the time of packing."""
    steps = torch._empty_per_channel_affine_quantized(
        weight.shape, scales=scales, zero_points=_zeros(scales), axis=0, dtype=torch.qint8
    )
    return steps.set_(weight.untyped_storage(), weight.storage_offset(), weight.shape, weight.stride())


def _zeros(scales: Tensor) -> Tensor:
    return torch.zeros(len(scales), dtype=torch.long)


def _use_fbgemm() -> None:
    # What a weight is packed by hangs on this, and not every build of PyTorch begins with it.
    if torch.backends.quantized.engine not in ("fbgemm", "x86"):
        torch.backends.quantized.engine = "fbgemm"


def _engines() -> list[str]:
    engines: list[str] = torch.backends.quantized.supported_engines
    return engines
