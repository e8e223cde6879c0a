"""What the tiny Whisper is taught is true to the sound, and what it is measured by is counted rightly."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch

from training.engine.tiny.augment import Noises, degraded, power_spectrum, with_noise
from training.engine.tiny.corpus import RATE, Corpus, Utterance
from training.engine.tiny.listener import Listener, losses
from training.engine.tiny.listening import noisy
from training.engine.tiny.windows import ALPHABET, FRAMES_PER_SECOND, IGNORED, Desk, Scribe
from xttsproject.bundles.tiny.whisper_spec import Sizes
from xttsproject.bundles.tiny.whisper_tokens import Tokens, tokens

SMALL = Sizes(width=32, heads=2, encoder_layers=1, decoder_layers=2, alignment_heads=((1, 0),))
TEXTS = (
    ("Please, come home.", (("Please", 0.1, 0.9), ("come", 0.9, 1.2), ("home", 1.2, 1.6))),
    ("Is it late?", (("Is", 0.1, 0.3), ("it", 0.3, 0.45), ("late", 0.45, 0.9))),
)


@pytest.fixture(scope="module")
def vocabulary() -> Tokens:
    return tokens()


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    chance = np.random.default_rng(1)
    utterances, start = [], 0
    for number in range(12):
        text, words = TEXTS[number % 2]
        samples = round((words[-1][2] + 0.2) * RATE)
        utterances.append(Utterance(text, f"v{number % 3}-50", start, samples, words))
        start += samples
    return Corpus(tuple(utterances), chance.integers(-9000, 9000, start, dtype=np.int16))


def test_a_line_says_when_each_letter_is_spoken(corpus: Corpus, vocabulary: Tokens) -> None:
    line = Scribe(vocabulary).line(corpus.utterances[0])
    assert [vocabulary.all[token] for token in line.tokens] == [
        "ĠP", *"lease,", "Ġc", *"ome", "Ġh", *"ome", "."
    ]  # fmt: skip
    assert np.all(np.diff(line.starts) > 0)
    assert np.all(line.ends > line.starts)
    comma = 6
    assert line.starts[comma] == pytest.approx(line.ends[comma - 1])
    assert 0.7 < line.starts[comma] < line.ends[comma] <= 0.9 + 1e-6
    assert line.starts[comma + 1] == pytest.approx(0.9)
    assert line.begins == pytest.approx(0.1)
    assert line.finishes == 1.6
    assert "".join(ALPHABET[sign - 1] for sign in line.spelling) == "please come home"
    later = line.moved(2.0, 2.0)
    assert later.begins == pytest.approx(2.05)
    assert later.finishes == pytest.approx(2.8)


def test_features_are_those_of_faster_whisper(corpus: Corpus, vocabulary: Tokens) -> None:
    from faster_whisper.feature_extractor import FeatureExtractor

    desk = Desk([corpus], vocabulary, seconds=4.0)
    sound = np.random.default_rng(2).normal(0, 0.1, 20_123).astype(np.float32)
    np.testing.assert_allclose(desk.features(sound), FeatureExtractor()(sound), atol=1e-3)


def test_every_clip_is_heard_once_an_epoch(corpus: Corpus, vocabulary: Tokens) -> None:
    desk = Desk([corpus], vocabulary, seconds=4.0)
    heard: list[int] = []
    step = 0
    while len(heard) < len(corpus):
        heard.extend(desk.clips(step))
        step += 1
    assert sorted(heard) == list(range(len(corpus)))
    assert desk.clips(0) == Desk([corpus], vocabulary, seconds=4.0).clips(0)


def test_of_two_corpora_an_epoch_has_as_many_seconds_of_each(corpus: Corpus, vocabulary: Tokens) -> None:
    small = Corpus(corpus.utterances[:4], np.zeros(corpus.utterances[4].start, np.int16))
    desk = Desk([corpus, small], vocabulary, seconds=4.0)
    lengths = [clip.samples / RATE for clip in (*corpus.utterances, *small.utterances)]
    met: set[int] = set()
    for epoch in range(12):
        clips = [int(clip) for batch in desk.epoch(epoch) for clip in batch]
        assert len(clips) == len(set(clips))
        assert {12, 13, 14, 15} <= set(clips)
        drawn = sum(lengths[clip] for clip in clips if clip < 12)
        assert sum(lengths[12:]) - max(lengths) < drawn < sum(lengths[12:]) + 0.1
        met.update(clips)
    assert met == set(range(16))


def test_a_batch_asks_for_what_is_said_where_it_is_said(corpus: Corpus, vocabulary: Tokens) -> None:
    desk = Desk([corpus], vocabulary, seconds=6.0)
    texts, spoken = {text for text, _words in TEXTS}, 0
    for step in range(12):
        batch = desk.batch(step, np.random.default_rng(step))
        again = desk.batch(step, np.random.default_rng(step))
        assert all(
            torch.equal(part.nan_to_num(), other.nan_to_num())
            for part, other in zip(vars(batch).values(), vars(again).values(), strict=True)
        )
        assert torch.isfinite(batch.features).all()
        rows = zip(batch.inputs, batch.targets, batch.stretches, batch.spoken, strict=True)
        for given, wanted, where, moments in rows:
            # Each target is the next input.
            asked = wanted != IGNORED
            following = (asked[:-1] & asked[1:]).nonzero().flatten()[1:]
            assert torch.equal(wanted[following], given[following + 1])
            if wanted[0] == vocabulary.special_id("nospeech"):
                continue
            spoken += 1
            assert wanted[0] == vocabulary.special_id("en")
            assert int((where[..., 1].nan_to_num() > 0).sum()) >= 10
            letters = [int(token) for token in wanted if 0 <= token < vocabulary.special_id("endoftext")]
            said = "".join(vocabulary.all[token] for token in letters).replace("Ġ", " ")
            heard = [ALPHABET[int(sign) - 1] for sign in torch.unique_consecutive(moments) if sign]
            plainly = [sign for sign in said.lower() if sign in ALPHABET[:26]]
            assert "".join(heard) == "".join(re.sub(r"(.)\1", r"\1", "".join(plainly)))
            assert all(part.strip() + sign in texts for part, sign in _sentences(said))
            middles = where.mean(-1)[~where.isnan().any(-1)]
            assert float(middles.max()) < batch.features.shape[-1] / 2 + FRAMES_PER_SECOND
    assert spoken > 12


def _sentences(said: str) -> list[tuple[str, str]]:
    found, rest = [], said
    while rest:
        place = min(rest.index(sign) for sign in ".?" if sign in rest)
        found.append((rest[:place], rest[place]))
        rest = rest[place + 1 :]
    return found


def test_silence_beyond_the_window_counts_as_in_the_whole_of_it(corpus: Corpus, vocabulary: Tokens) -> None:
    torch.manual_seed(1)
    model = Listener(vocabulary, SMALL).eval()
    features = torch.from_numpy(Desk([corpus], vocabulary, seconds=4.0).features(corpus.wave(0)))[None, :, :160]
    encoder = model.whisper.model.encoder
    with torch.no_grad():
        whole = encoder(torch.nn.functional.pad(features, (0, 3000 - 160))).last_hidden_state[:, :80]

        def error(positions: int) -> float:
            model.silent_positions = positions
            return float((model.encode(features)[0][:, :80] - whole).norm() / whole.norm())

        assert error(1420) < 1e-4
        assert error(64) < 0.1


def test_a_few_steps_learn_text_place_and_letters(corpus: Corpus, vocabulary: Tokens) -> None:
    torch.manual_seed(2)
    torch.set_num_threads(1)
    model = Listener(vocabulary, SMALL)
    batch = Desk([corpus], vocabulary, seconds=8.0).batch(1, np.random.default_rng(4))
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    found = []
    for _step in range(25):
        loss = losses(model(batch.features, batch.inputs), batch, vocabulary)
        optimizer.zero_grad()
        torch.stack(list(loss)).sum().backward()
        optimizer.step()
        found.append([part.item() for part in loss])
    assert np.isfinite(found).all()
    assert all(last < 0.85 * first for first, last in zip(found[0], found[-1], strict=True))


def test_noise_and_losses_leave_finite_sound(corpus: Corpus) -> None:
    noises = Noises()
    for seed in range(40):
        chance = np.random.default_rng(seed)
        sound = with_noise(corpus.wave(0), chance, noises, corpus.wave(1))
        power = power_spectrum(sound)
        spoilt = degraded(power, chance)
        assert spoilt.shape == power.shape
        assert np.isfinite(spoilt).all()
        assert (spoilt >= 0).all()


def test_noise_has_the_level_that_was_asked_for() -> None:
    sound = np.sin(np.arange(44_100) * 0.1).astype(np.float32)
    noise = noisy(sound, 15.0, seed=1) - sound
    assert 10 * np.log10(np.mean(sound**2) / np.mean(noise**2)) == pytest.approx(15.0, abs=0.2)
