"""The decoder's lessons: latents as the product has them, losses that know better from worse, measures that hear."""

from __future__ import annotations

import math
from pathlib import Path
from random import Random

import pytest
import torch
from torch import Tensor

from training.engine.tiny.latents import Bank, teacher_latents
from training.engine.tiny.sounding import figures, hear, losses, spectral_distance
from xttsproject.xtts.config import read_config
from xttsproject.xtts.decode import GptDecoder, Utterance
from xttsproject.xtts.networks import load_gpt
from xttsproject.xtts.sampling import Draw
from xttsproject.xtts.source_filter import Controls, SourceFilterDecoder
from xttsproject.xtts.weights import read_state

FRAMES, BANDS = 160, 32


def test_latents_of_given_codes_are_those_of_speaking_them(tiny_bundle: Path) -> None:
    config = read_config(tiny_bundle)
    gpt = load_gpt(tiny_bundle, config)
    speaking = GptDecoder(read_state(tiny_bundle, "gpt"), config.gpt, torch.device("cpu"))
    styles = torch.randn(2, 1, 32, config.gpt.width, generator=torch.Generator().manual_seed(1))
    tokens = [(5, 9, 7, 12, 20), (6, 6, 11, 8, 15)]
    spoken = speaking.decode(
        [
            Utterance(line, style, cap, seed, Draw(temperature=0.9))
            for seed, (line, style, cap) in enumerate(zip(tokens, styles, (24, 17), strict=True))
        ]
    )
    longest = max(len(one.codes) for one in spoken)
    assert min(len(one.codes) for one in spoken) >= 10
    codes = torch.full((2, longest), config.gpt.stop_audio_token)
    for row, one in enumerate(spoken):
        codes[row, : len(one.codes)] = torch.tensor(one.codes)
    before = codes.clone()
    latents = teacher_latents(gpt, torch.cat(list(styles)), torch.tensor(tokens), codes)
    assert torch.equal(codes, before)
    for row, one in enumerate(spoken):
        assert (latents[row, : len(one.codes)] - one.latents).abs().max() < 1e-4


@pytest.fixture(scope="module")
def decoder() -> SourceFilterDecoder:
    torch.manual_seed(2)
    return SourceFilterDecoder(8, channels=8, frame_channels=8, bands=BANDS).eval()


def controls(hertz: float, level: float) -> Controls:
    envelope = torch.full((1, BANDS, FRAMES), math.log(level))
    pitch = torch.full((1, FRAMES), math.log2(hertz))
    return Controls(pitch, torch.full((1, FRAMES), 8.0), envelope, envelope - 4.0)


def speak(decoder: SourceFilterDecoder, told: Controls) -> Tensor:
    with torch.no_grad():
        return decoder.sound(told.pitch, told.voiced(), told.tone, told.noise)


def test_the_losses_know_wrong_pitch_wrong_level_and_wrong_voicing(decoder: SourceFilterDecoder) -> None:
    true = controls(140.0, 0.1)
    wave, pitch = speak(decoder, true), torch.full((1, FRAMES), 140.0)
    right = losses(decoder, true, pitch, wave)
    assert float(right.octaves) == pytest.approx(0.0, abs=1e-4)
    off = losses(decoder, controls(140.0 * 2 ** (1 / 12), 0.1), pitch, wave)
    assert 12 * float(off.octaves) == pytest.approx(1.0, abs=0.01)
    # The sound is compared at the true pitch, so a wrong one does not blur it.
    assert float(off.spectral) == pytest.approx(float(right.spectral), abs=0.01)
    soft = losses(decoder, controls(140.0, 0.02), pitch, wave)
    assert float(soft.spectral) > float(right.spectral) + 0.5
    voiceless = losses(decoder, true._replace(voicing=-true.voicing), pitch, wave)
    assert float(voiceless.voicing) > float(right.voicing) + 5
    assert float(off.total) > float(right.total)


def test_what_is_heard_is_the_pitch_that_sounds(decoder: SourceFilterDecoder) -> None:
    pitch = torch.full((FRAMES,), 140.0)
    wave = speak(decoder, controls(140.0, 0.1))[0]
    [same, higher] = [
        hear(speak(decoder, controls(hertz, 0.1))[0], 24_000, wave, pitch, 22_050)
        for hertz in (140.0, 140.0 * 2 ** (2 / 12))
    ]
    assert float(same.semitones.abs().median()) < 0.05
    assert float(higher.semitones.median()) == pytest.approx(2.0, abs=0.1)
    assert higher.spectral > same.spectral + 0.1
    assert same.found > 0.9
    told = figures([same, higher])
    assert told["within_a_semitone"] == pytest.approx(0.5, abs=0.05)


def test_the_distance_of_spectra_is_none_between_equals() -> None:
    wave = torch.randn(2, 6_000, generator=torch.Generator().manual_seed(0)) * 0.1
    assert float(spectral_distance(wave, wave)) == 0.0
    assert float(spectral_distance(0.5 * wave, wave)) == pytest.approx(0.25 + math.log(2), rel=0.1)


def test_a_bank_gives_each_clip_its_own_latents_and_voice() -> None:
    values = torch.arange(10, dtype=torch.float16)[:, None].repeat(1, 3)
    voices = torch.arange(2 * 4 * 5, dtype=torch.float32).view(2, 4, 5)
    bank = Bank("train", [7, 9], values, [0, 4, 10], voices, [1, 0])
    assert bank.latents(0)[:, 0].tolist() == [0, 1, 2, 3]
    assert bank.latents(1)[:, 0].tolist() == [4, 5, 6, 7, 8, 9]
    drawn = {tuple(bank.voice(0, Random(seed))[:, 0].tolist()) for seed in range(30)}
    assert drawn == {tuple(row) for row in voices[1].tolist()}
