"""The networks are built in the size that the bundle's config says, up to the released one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import nn

from xttsproject.lib.audio import Audio
from xttsproject.lib.errors import DomainError
from xttsproject.xtts.config import parse_config, read_config
from xttsproject.xtts.mel import MEL_RATE, dvae_mel
from xttsproject.xtts.networks import Undrawn, build_dvae, build_gpt, load_dvae, load_gpt
from xttsproject.xtts.shapes import gpt_shapes
from xttsproject.xtts.weights import read_state

# The released model's config.json, as far as sizes go, and the size of its vocabulary.
RELEASED_ARGUMENTS = {
    "gpt_layers": 30,
    "gpt_n_model_channels": 1024,
    "gpt_n_heads": 16,
    "gpt_num_audio_tokens": 1026,
    "gpt_start_audio_token": 1024,
    "gpt_stop_audio_token": 1025,
    "gpt_max_audio_tokens": 605,
    "gpt_max_text_tokens": 402,
    "gpt_max_prompt_tokens": 70,
    "gpt_code_stride_len": 1024,
    "gpt_use_perceiver_resampler": True,
}
RELEASED_VOCABULARY = {"[STOP]": 0, "[START]": 261, "last": 6680}


def test_the_released_size_has_the_tensors_that_coquis_gpt_has() -> None:
    config = parse_config({"model_args": RELEASED_ARGUMENTS}, RELEASED_VOCABULARY)
    with torch.device("meta"):
        gpt = build_gpt(config)
    theirs = {name: tuple(value.shape) for name, value in gpt.state_dict().items()}
    assert gpt_shapes(config.gpt) == theirs
    assert sum(value.numel() for value in gpt.parameters()) == pytest.approx(438e6, rel=0.02)
    assert build_dvae(config).codebook.embed.shape == (512, 1024)
    assert (config.gpt.longest_speech, config.gpt.longest_text) == (602, 400)


def test_a_bundle_fits_its_own_config(random_bundle: Path) -> None:
    config = read_config(random_bundle)
    state = read_state(random_bundle, "gpt")
    assert gpt_shapes(config.gpt) == {name: tuple(value.shape) for name, value in state.items()}
    gpt = load_gpt(random_bundle, config)
    assert not gpt.training
    assert not any(parameter.requires_grad for parameter in gpt.parameters())


def test_a_recording_gets_one_code_for_each_1024_samples(random_bundle: Path, clip: Audio) -> None:
    dvae = load_dvae(random_bundle, read_config(random_bundle))
    wave = torch.from_numpy(clip.samples[: 100 * 1024])[None]
    assert clip.sample_rate == MEL_RATE
    codes = dvae.get_codebook_indices(dvae_mel(wave, read_state(random_bundle, "mel_stats")["mel_stats"]))
    assert codes.shape[1] in (100, 101)
    assert int(codes.min()) >= 0
    assert int(codes.max()) < 1024
    assert len(codes.unique()) > 5


def test_a_config_that_cannot_be_used_is_named(random_bundle: Path, tmp_path: Path) -> None:
    config = json.loads((random_bundle / "config.json").read_text())
    vocabulary = (random_bundle / "vocab.json").read_text()
    (tmp_path / "vocab.json").write_text(vocabulary)
    wrong = [
        {**config, "model_args": {**config["model_args"], "gpt_use_perceiver_resampler": False}},
        {**config, "languages": ["en", "tlh"]},
        {"no": "arguments"},
    ]
    for content in wrong:
        (tmp_path / "config.json").write_text(json.dumps(content))
        with pytest.raises(DomainError) as caught:
            read_config(tmp_path)
        assert caught.value.code == "model_damaged"
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(DomainError) as broken:
        read_config(tmp_path)
    assert broken.value.code == "model_damaged"


def test_networks_are_built_without_drawing_random_weights() -> None:
    state = torch.random.get_rng_state()
    with Undrawn():
        nn.Sequential(nn.Linear(8, 8), nn.Conv1d(4, 4, 3), nn.ConvTranspose1d(4, 4, 3), nn.Embedding(5, 4))
    assert torch.equal(torch.random.get_rng_state(), state)
