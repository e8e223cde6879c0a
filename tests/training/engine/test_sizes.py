"""What a checkpoint will weigh is known before it is made, and is what it then weighs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.training.engine.conftest import Finished
from training.engine.sizes import (
    adapter_bytes,
    checkpoint_bytes,
    least_memory_bytes,
    state_bytes,
    trained_parameters,
)
from training.engine.spec import LoraSpec, Prompt, TrainSpec
from xttsproject.xtts.config import GptShape, read_config

COQUI_BYTES = 5e9
"""What Coqui's trainer writes for every checkpoint of the released model: weights, optimizer and DVAE."""


def released() -> GptShape:
    """The released XTTS-v2's arguments, those that a checkpoint's size depends on as they are in its files."""
    from xttsproject.xtts.config import parse_config

    arguments = {
        "gpt_layers": 30,
        "gpt_n_model_channels": 1024,
        "gpt_n_heads": 16,
        "gpt_num_audio_tokens": 1026,
        "gpt_start_audio_token": 1024,
        "gpt_stop_audio_token": 1025,
        "gpt_max_audio_tokens": 605,
        "gpt_max_text_tokens": 402,
        "gpt_max_prompt_tokens": 70,
        "gpt_use_perceiver_resampler": True,
    }
    vocabulary = {"[START]": 0, "[STOP]": 1, "[UNK]": 2, "the last of its 6681": 6680}
    return parse_config({"model_args": arguments, "languages": ["en"]}, vocabulary).gpt


def test_a_checkpoint_of_the_released_model_at_rank_8_is_far_below_coquis() -> None:
    size = adapter_bytes(released(), LoraSpec(rank=8))
    # Rank times inputs and outputs: c_attn 1024+3072, c_proj 1024+1024, c_fc 1024+4096, the MLP's c_proj 4096+1024.
    assert size == 30 * 8 * 16384 * 4 == 15_728_640
    assert size < 20e6
    assert COQUI_BYTES / size > 300


@pytest.mark.parametrize(("rank", "megabytes"), [(4, 7.9), (8, 15.7), (16, 31.5), (32, 62.9)])
def test_the_table_in_the_docs(rank: int, megabytes: float) -> None:
    assert adapter_bytes(released(), LoraSpec(rank=rank)) / 1e6 == pytest.approx(megabytes, abs=0.05)


@pytest.mark.parametrize(
    ("changes", "parameters", "megabytes"),
    [
        ({"train_heads": True}, 11_833_883, 47.3),
        ({"train_conditioning": True}, 50_231_976, 200.9),
        ({"method": "full"}, 441_018_563, 1764.1),
    ],
)
def test_what_is_trained_whole_weighs_what_the_docs_say(
    changes: dict[str, Any], parameters: int, megabytes: float
) -> None:
    spec = TrainSpec(Path("run"), Path("bundle"), Path("manifest"), "en", **changes)
    assert trained_parameters(released(), spec) == parameters
    assert checkpoint_bytes(released(), spec) / 1e6 == pytest.approx(megabytes, abs=0.05)
    assert state_bytes(released(), spec) == 3 * checkpoint_bytes(released(), spec)


@pytest.mark.parametrize(
    ("changes", "gigabytes"),
    [
        ({"method": "full"}, 8.8),
        ({}, 3.6),
        ({"precision": "bf16"}, 2.7),
        ({"precision": "bf16", "speech_precision": "auto"}, 1.8),
        ({"precision": "bf16", "speech_precision": "int8"}, 1.4),
    ],
)
def test_the_least_memory_is_that_of_weights_gradients_moments_and_the_copy_that_speaks(
    changes: dict[str, Any], gigabytes: float
) -> None:
    speaking = {"sample_prompts": (Prompt("A line.", "en"),), "reference_clips": (Path("clip"),)}
    values = {"precision": "fp32", **speaking, **changes}
    spec = TrainSpec(Path("run"), Path("bundle"), Path("manifest"), "en", **values)
    assert least_memory_bytes(released(), spec) / 1e9 == pytest.approx(gigabytes, abs=0.05)


def test_the_files_of_a_run_are_as_large_as_was_reckoned(finished: Finished) -> None:
    spec = finished.spec
    shape = read_config(spec.bundle).gpt
    told = finished.of("checkpoint")[0]["bytes"]
    names = 12_000  # the header of a safetensors file
    assert 0 <= told - checkpoint_bytes(shape, spec) < names
    state = (spec.run_dir / "state/resume.safetensors").stat().st_size
    assert 0 <= state - state_bytes(shape, spec) < 5 * names
