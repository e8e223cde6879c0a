"""The speaker encoder learns to tell voices apart, and is the one that the product builds from the bundle's config."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from random import Random

import numpy as np
import pytest
import torch

from tests.training.engine.tiny.material import hum, humming_workshop
from training.engine.tiny import speaker
from training.engine.tiny.recipe import Workshop
from training.engine.tiny.sizes import tiny_config
from training.engine.tiny.speaker import Heard, altered, at_16k, load_encoder, measure
from xttsproject.bundles.tiny.vocabulary import vocabulary
from xttsproject.bundles.tiny.xtts import configuration
from xttsproject.lib.audio import Samples
from xttsproject.lib.errors import DomainError
from xttsproject.xtts.conditioning import speaker_embedding
from xttsproject.xtts.config import parse_config
from xttsproject.xtts.networks import build_decoder
from xttsproject.xtts.speaker_encoder import TdnnSpeakerEncoder, speaker_power


def sounding(pcm: np.ndarray) -> Samples:
    return (pcm / 32_768).astype(np.float32)


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    made = humming_workshop(tmp_path_factory.mktemp("work"), clips=10, scale=25 / speaker._STEPS)
    speaker.run(made)
    return made


def test_voices_are_told_apart_after_training(workshop: Workshop) -> None:
    report = json.loads((workshop.folder("speaker") / "report.json").read_text())
    assert report["steps"] == 25
    assert report["identification"] > 0.9
    assert report["cosine_own"] > report["cosine_others"] + 0.2
    assert measure(load_encoder(workshop), workshop.corpus("held"))["identification"] == report["identification"]


def test_it_takes_what_conditioning_gives_and_gives_a_voice_of_length_one(workshop: Workshop) -> None:
    wave = torch.from_numpy(hum(120.0, 22_050, 1)).float()[None] / 32_768
    voice = speaker_embedding(load_encoder(workshop), wave)
    assert voice.shape == (1, 512)
    assert voice.norm().item() == pytest.approx(1.0, abs=1e-5)


def test_a_voice_is_the_same_however_loud_it_is(workshop: Workshop) -> None:
    encoder = load_encoder(workshop)
    wave = at_16k(sounding(hum(160.0, 30_000, 2)))[None]
    loud, soft = encoder(wave, l2_norm=True), encoder(wave * 0.1, l2_norm=True)
    assert (loud @ soft.T).item() > 0.999
    assert encoder(torch.zeros(1, 8_000), l2_norm=True).isfinite().all()


def test_crops_are_the_voices_own(workshop: Workshop) -> None:
    heard = Heard.of(workshop.corpus("train"), workshop)
    crops, whose = heard.draw(Random(1))
    for crop, voice in zip(crops[:4], whose[:4].tolist(), strict=True):
        mine = torch.from_numpy(heard.power[voice])
        assert any(
            torch.equal(mine[:, at : at + crop.shape[1]], crop) for at in range(mine.shape[1] - crop.shape[1] + 1)
        )


def test_altered_crops_keep_their_spectrum_about(workshop: Workshop) -> None:
    torch.manual_seed(0)
    power = speaker_power(at_16k(sounding(hum(120.0, 40_000, 3)))[None]).repeat(64, 1, 1)
    changed = altered(power)
    assert changed.shape == power.shape
    assert (changed > 0).all()
    was, now = power.mean(2).log(), changed.mean(2).log()
    alike = torch.stack([torch.corrcoef(torch.stack([a, b]))[0, 1] for a, b in zip(was, now, strict=True)])
    assert alike.median() > 0.8
    assert alike.min() < 0.999


def test_the_bundles_config_chooses_the_class() -> None:
    assert isinstance(build_decoder(tiny_config()).speaker_encoder, TdnnSpeakerEncoder)
    raw = copy.deepcopy(configuration())
    del raw["speaker_encoder"]["class"]
    raw["speaker_encoder"] = {"num_filters": [8, 8, 8, 8], "layers": [1, 1, 1, 1]}
    stock = build_decoder(parse_config(raw, vocabulary()["model"]["vocab"]))
    assert type(stock.speaker_encoder).__name__ == "ResNetSpeakerEncoder"


def test_an_unknown_class_is_refused_by_name(tmp_path: Path) -> None:
    raw = copy.deepcopy(configuration())
    raw["speaker_encoder"]["class"] = "oracle"
    with pytest.raises(DomainError, match="speaker encoder of the class 'oracle'") as caught:
        parse_config(raw, vocabulary()["model"]["vocab"])
    assert caught.value.code == "model_unsuitable"
