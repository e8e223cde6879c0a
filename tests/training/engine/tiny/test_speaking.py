"""The GPT's training pass against the loop that speaks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from training.engine.tiny.alignment import Aligned
from training.engine.tiny.gpt import cross_entropy, neighbours, sinusoids
from training.engine.tiny.speaking import STOPS, SoundHead, forward, noisy, pack
from xttsproject.xtts.config import read_config
from xttsproject.xtts.decode import GptDecoder, Utterance
from xttsproject.xtts.networks import load_gpt
from xttsproject.xtts.sampling import Draw
from xttsproject.xtts.weights import read_state

GREEDY = Draw(temperature=1.0, top_k=1, top_p=1.0, repetition_penalty=1.0)


def line(tokens: tuple[int, ...], codes: int) -> Aligned:
    return Aligned(tokens, np.linspace(2, len(tokens) + 1, codes, dtype=np.float32))


@pytest.fixture(scope="module")
def spoken(random_bundle: Path):
    config = read_config(random_bundle)
    decoder = GptDecoder(read_state(random_bundle, "gpt"), config.gpt, torch.device("cpu"))
    generator = torch.Generator().manual_seed(1)
    styles = torch.randn(2, 32, config.gpt.width, generator=generator)
    texts = ((5, 9, 30, 31, 2, 40), (5, 12, 13, 14, 15, 16, 17, 18, 2, 33))
    told = [
        Utterance(tokens, style[None], cap, 0, GREEDY)
        for tokens, style, cap in zip(texts, styles, (9, 14), strict=True)
    ]
    return config.gpt, load_gpt(random_bundle, config), styles, texts, decoder.decode(told)


def test_its_latents_are_those_that_speaking_has(spoken):
    """Packed together, of unlike lengths: every latent is the one with which the loop chose that code."""
    shape, gpt, styles, texts, decoded = spoken
    codes = [torch.tensor(row.codes[: row.spoken_codes]) for row in decoded]
    batch = pack(shape, [line(tokens, len(row)) for tokens, row in zip(texts, codes, strict=True)], codes)
    with torch.no_grad():
        latents, _, _ = forward(gpt, styles, batch, batch.codes, guided=False)
    for row, (heard, result) in enumerate(zip(codes, decoded, strict=True)):
        assert torch.allclose(latents[row, : len(heard)], result.latents[: len(heard)], atol=1e-4)


def test_targets_are_the_codes_and_then_stops(spoken):
    shape, _, _, texts, _ = spoken
    codes = [torch.tensor([7, 8]), torch.tensor([9, 10, 11])]
    batch = pack(shape, [line(tokens, 3) for tokens in texts], codes)
    stop = shape.stop_audio_token
    assert batch.codes[0].tolist() == [shape.start_audio_token, 7, 8, stop, stop, stop, stop]
    assert batch.targets[0].tolist() == [7, 8, *[stop] * STOPS, -1]
    assert batch.targets[1].tolist() == [9, 10, 11, *[stop] * STOPS]


def test_only_spoken_codes_are_replaced_by_noise_half_of_it_what_others_say(spoken):
    shape = spoken[0]
    codes = torch.full((200, 4), shape.start_audio_token)
    codes[:, 1:3] = torch.arange(400).view(200, 2)
    codes[:, 3] = shape.stop_audio_token
    torch.manual_seed(0)
    changed = noisy(codes, torch.tensor([[0.5]] * 100 + [[0.0]] * 100), shape)
    assert (changed[:, [0, 3]] == codes[:, [0, 3]]).all()
    assert (changed[100:] == codes[100:]).all()
    replaced = changed[:100, 1:3] != codes[:100, 1:3]
    assert 0.4 < replaced.float().mean() < 0.6
    said = torch.isin(changed[:100, 1:3][replaced], codes.roll(101, dims=0)[:100, 1:3])
    assert 0.4 < said.float().mean() < 0.75


def test_a_guided_head_that_looks_at_the_spoken_character_costs_less(spoken):
    """The same pass, judged by where it should look: anywhere it does look is better than where it does not."""
    shape, gpt, styles, texts, _ = spoken
    codes = [torch.arange(6), torch.arange(9)]
    lines = [line(tokens, len(row)) for tokens, row in zip(texts, codes, strict=True)]
    lost = []
    for shift in (0.0, 300.0):
        moved = [Aligned(each.tokens, each.places + shift) for each in lines]
        batch = pack(shape, moved, codes)
        with torch.no_grad():
            lost.append(float(forward(gpt, styles, batch, batch.codes, guided=True)[2]))
    assert 0 < lost[0] < lost[1]
    # Nothing can be seen there: minus the logarithm of the floor.
    assert lost[1] == pytest.approx(-np.log(1e-3), abs=0.01)


def test_neighbouring_codes_share_what_is_expected():
    book = torch.randn(64, 1024, generator=torch.Generator().manual_seed(2))
    book[:, 1] = book[:, 0] + 0.01
    near = neighbours(book)
    assert torch.allclose(near.sum(1), torch.ones(1024), atol=1e-4)
    assert near[0, 1] > near[0, 2:].max()
    head = torch.nn.Linear(8, 1026)
    latents, targets = torch.randn(2, 5, 8), torch.tensor([[3, 4, 5, 1025, -1], [1, 2, 1025, -1, -1]])
    plain = torch.nn.functional.cross_entropy(head(latents)[targets >= 0], targets[targets >= 0])
    assert float(cross_entropy(head, latents, targets, near, 0.0)) == pytest.approx(float(plain), rel=1e-5)
    assert float(cross_entropy(head, latents, targets, near, 0.2)) != pytest.approx(float(plain), rel=1e-5)


def test_places_close_together_begin_alike():
    table = sinusoids(torch.arange(100).float(), 64)
    close, far = (table[50] @ table[50 + step] for step in (1, 40))
    assert close > far


def test_the_sound_head_measures_pitch_in_octaves_over_voiced_frames():
    head = SoundHead(16)
    latents = torch.randn(1, 3, 16)
    mel, octave, _ = head(latents)
    pitch = 2 ** (octave.detach() + 1)
    pitch[0, :6] = 0
    mel_loss, pitch_loss, _ = head.loss(latents, mel.detach(), pitch, torch.ones(1, 12))
    assert float(mel_loss) == pytest.approx(0, abs=1e-6)
    assert float(pitch_loss) == pytest.approx(1.0, abs=1e-4)
