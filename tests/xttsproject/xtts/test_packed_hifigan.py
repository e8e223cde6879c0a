"""The packed HiFi-GAN makes the sound of Coqui's, but for bfloat16's rounding."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from xttsproject.lib.audio import Samples
from xttsproject.xtts.conditioning import Conditioning
from xttsproject.xtts.engine import XttsEngine
from xttsproject.xtts.packed_hifigan import PackedGenerator, can_pack

pytestmark = pytest.mark.skipif(
    not torch.ops.mkldnn._is_mkldnn_bf16_supported(), reason="this processor does not multiply in bfloat16"
)


def decibels(expected: Samples | Tensor, found: Samples | Tensor) -> float:
    exact, other = np.asarray(expected, dtype=np.float64), np.asarray(found, dtype=np.float64)
    return float(10 * np.log10(np.square(exact).sum() / np.square(exact - other).sum()))


@pytest.fixture(scope="module")
def packed(random_bundle: Path) -> XttsEngine:
    return XttsEngine.load(random_bundle, precision="int8")


@pytest.mark.parametrize("codes", [1, 5, 40])
def test_it_makes_the_same_sound(engine: XttsEngine, packed: XttsEngine, voice: Conditioning, codes: int) -> None:
    assert isinstance(packed.vocoder.waveform_decoder, PackedGenerator)
    latents = torch.randn(codes, engine.config.gpt.width, generator=torch.Generator().manual_seed(codes))
    exact = engine.render(latents, voice)
    own = packed.render(latents, voice)
    assert own.shape == exact.shape
    assert own.dtype == np.float32
    assert decibels(exact, own) > 35
    # Not worse than what PyTorch's own bfloat16 makes of Coqui's code.
    with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16):
        cast = engine.vocoder(latents[None], g=voice.speaker_embedding).float().reshape(-1).numpy()
    assert decibels(exact, own) > decibels(exact, cast) - 1


def test_a_voice_is_heard_in_it(packed: XttsEngine, voice: Conditioning) -> None:
    latents = torch.randn(5, packed.config.gpt.width, generator=torch.Generator().manual_seed(1))
    other = Conditioning(voice.gpt_latents, -voice.speaker_embedding)
    assert decibels(packed.render(latents, voice), packed.render(latents, other)) < 30


def test_it_changes_nothing_of_what_it_is_made_of(engine: XttsEngine, voice: Conditioning) -> None:
    latents = torch.randn(3, engine.config.gpt.width, generator=torch.Generator().manual_seed(2))
    before = engine.render(latents, voice)
    PackedGenerator(engine.vocoder.waveform_decoder)
    assert np.array_equal(engine.render(latents, voice), before)


def test_decoders_of_another_kind_stay_as_they_are(engine: XttsEngine, tiny_bundle: Path) -> None:
    assert can_pack(engine.vocoder)
    assert not can_pack(nn.Linear(1, 1))
    assert not can_pack(XttsEngine.load(tiny_bundle).vocoder)
