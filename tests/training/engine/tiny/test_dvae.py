"""Features lie on the grid of codes, and codes are what the product computes of the same clip."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from tests.training.engine.tiny.material import PITCHES, humming_workshop
from training.engine.model import BundleAnalyser
from training.engine.tiny import dvae, features
from training.engine.tiny.corpus import SETS
from training.engine.tiny.dvae import Codes, Windows, begin_codebook, load_dvae, noise_in_mels, read_dvae, revive
from training.engine.tiny.features import Features
from training.engine.tiny.recipe import Workshop
from training.engine.tiny.sizes import mel_stats, tiny_config
from xttsproject.lib.audio import Audio
from xttsproject.xtts.mel import dvae_mel
from xttsproject.xtts.networks import build_dvae


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    """With features and codes: of a DVAE after a handful of steps."""
    made = humming_workshop(tmp_path_factory.mktemp("work"), scale=12 / dvae._STEPS)
    features.run(made)
    dvae.run(made)
    return made


def test_a_clip_has_four_frames_for_each_1024_samples(workshop: Workshop) -> None:
    for name in SETS:
        corpus, read = workshop.corpus(name), Features.open(workshop.folder("features") / name)
        assert len(read) == len(corpus)
        for index, utterance in enumerate(corpus.utterances):
            assert read.mel(index).shape == (80, utterance.samples // 256)
            assert read.f0(index).shape == (utterance.samples // 256,)


def test_mels_are_those_of_the_product_up_to_half_precision(workshop: Workshop) -> None:
    corpus, read = workshop.corpus("held"), Features.open(workshop.folder("features") / "held")
    wanted = dvae_mel(torch.from_numpy(corpus.wave(4))[None], mel_stats())[0, :, :-1]
    assert (read.mel(4) - wanted).abs().max() < 2e-3


def test_pitch_is_that_of_the_voice_where_it_is_voiced(workshop: Workshop) -> None:
    corpus, read = workshop.corpus("train"), Features.open(workshop.folder("features") / "train")
    for index, utterance in enumerate(corpus.utterances):
        f0 = read.f0(index)
        assert (f0 > 0).float().mean() > 0.5
        assert abs(float(f0[f0 > 0].median()) / PITCHES[utterance.voice] - 1) < 0.01


def test_the_codes_are_what_the_product_computes_of_the_clip(workshop: Workshop) -> None:
    class Product(BundleAnalyser):
        """As the bundle's analyser, its networks read from the stage's own file instead of a bundle's."""

        def __init__(self) -> None:
            self._device = torch.device("cpu")
            self._dvae, self._stats = load_dvae(workshop), mel_stats()

    for name in SETS:
        corpus, kept = workshop.corpus(name), Codes.open(workshop.folder("dvae") / name)
        for index in range(len(corpus)):
            codes, _ = Product().analyse(Audio(corpus.wave(index), 22_050))
            assert len(codes) == corpus.utterances[index].samples // 1024 + 1
            assert torch.equal(kept[index], codes)


def test_the_weights_lose_nothing_when_they_are_shipped_in_half_precision(workshop: Workshop) -> None:
    for name, value in load_dvae(workshop).state_dict().items():
        if value.is_floating_point():
            assert torch.equal(value, value.half().float()), name


def test_the_report_says_what_the_codes_keep(workshop: Workshop) -> None:
    report = json.loads((workshop.folder("dvae") / "report.json").read_text())
    assert report["steps"] == 12
    assert 1 < report["codes_used"] <= 1024
    assert 1 < report["perplexity"] <= report["codes_used"]
    assert 0 < report["held_l1"] < 5


def test_a_finished_file_of_weights_is_not_trained_again(workshop: Workshop) -> None:
    path = workshop.folder("dvae") / dvae.WEIGHTS
    before = path.read_bytes()
    dvae.run(workshop)
    assert path.read_bytes() == before
    assert read_dvae(path).num_tokens == 1024


def test_the_codebook_begins_among_what_the_encoder_says_and_dead_codes_come_back() -> None:
    torch.manual_seed(0)
    network = build_dvae(tiny_config()).train()
    said = torch.randn(3000, 64) * 3 + 5
    begin_codebook(network, said)
    book = network.codebook
    assert len(book(said[None])[1].unique()) > 900
    book.embed[:, :100] = 1e3  # nothing is ever near them
    book.cluster_size[:100] = 0.0
    assert revive(network, said) == 100
    assert book.embed[:, :100].abs().max() < 30
    assert len(book(said[None])[1].unique()) > 850


def test_noise_is_added_as_sound_would_have_it(workshop: Workshop) -> None:
    power, shape = noise_in_mels()
    assert power.shape == shape.shape == (80,)
    windows = Windows(Features.open(workshop.folder("features") / "train"), torch.device("cpu"))
    wave = torch.randn(1, 22_050, generator=torch.Generator().manual_seed(3)) * 0.05
    true = (dvae_mel(wave, mel_stats())[0] * mel_stats()[:, None]).exp().mean(1) / 0.05**2
    assert ((true / power).log().abs() < 0.5).all()
    torch.manual_seed(1)
    quiet = torch.zeros(200, 80, 8)
    heard = windows.heard(quiet) * windows.stats
    # Between -78 and -52 dB full scale, or no noise at all.
    assert heard.min() >= np.log(1e-5) - 1e-4
    assert (heard.mean((1, 2)) > np.log(1e-5) + 0.2).float().mean() > 0.15
    assert torch.equal(windows.wanted(quiet)[0], windows.wanted(quiet)[1])
