from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from training.engine.tiny.alignment import align
from training.engine.tiny.corpus import GRID, LEAD, PEAK, RATE, TAIL, Corpus, Line, render
from training.engine.tiny.voices import FINETUNE_VOICE, HELD_VOICES, Voice
from xttsproject.xtts.tokenizer import Tokenizer

LINES = [
    Line("Good morning, the yellow dog walked home.", HELD_VOICES[0]),
    Line("Who painted the lighthouse?", FINETUNE_VOICE),
    Line("Nobody answered.", HELD_VOICES[0]),
]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return render(LINES, tmp_path_factory.mktemp("speech") / "set", processes=2)


def test_every_line_becomes_a_clip_of_whole_codes_at_one_level(corpus: Corpus):
    assert [clip.text for clip in corpus.utterances] == [line.text for line in LINES]
    for index, clip in enumerate(corpus.utterances):
        wave = corpus.wave(index)
        assert len(wave) == clip.samples
        assert clip.samples % GRID == 0
        assert np.abs(wave).max() == pytest.approx(PEAK, abs=0.01)
        assert np.abs(wave[: LEAD - 64]).max() < 0.01
        assert np.abs(wave[-TAIL + 64 :]).max() < 0.01


def test_clips_are_listed_by_voice(corpus: Corpus):
    assert corpus.by_voice == {HELD_VOICES[0].key: [0, 2], FINETUNE_VOICE.key: [1]}


def test_words_are_spoken_one_after_the_other_within_the_clip(corpus: Corpus):
    for clip in corpus.utterances:
        assert [word for word, _, _ in clip.words] == [word.strip(",.?") for word in clip.text.split()]
        assert clip.words[0][1] == pytest.approx(LEAD / RATE, abs=0.08)
        for (_, start, end), (_, following, _) in zip(clip.words, clip.words[1:], strict=False):
            assert start < end <= following
        assert clip.words[-1][2] <= clip.samples / RATE


def test_a_word_sounds_where_its_time_says(corpus: Corpus):
    """“Nobody answered”: between the words' start and end there is sound, after the last none."""
    clip, wave = corpus.utterances[2], corpus.wave(2)
    for _, start, end in clip.words:
        assert np.sqrt(np.mean(wave[round(start * RATE) : round(end * RATE)] ** 2)) > 0.02
    assert np.sqrt(np.mean(wave[round((clip.words[-1][2] + 0.05) * RATE) :] ** 2)) < 0.005


def test_the_same_lines_take_the_same_time_whatever_the_number_of_processes(corpus: Corpus, tmp_path: Path):
    again = render(LINES, tmp_path / "again", processes=1)
    assert [clip.samples for clip in again.utterances] == [clip.samples for clip in corpus.utterances]
    for clip, other in zip(again.utterances, corpus.utterances, strict=True):
        assert [word for word, _, _ in clip.words] == [word for word, _, _ in other.words]
        # Where a breathy variant's last sound ends hangs on its noise, which differs from run to run.
        times, others = ([time for _, *pair in one.words for time in pair] for one in (clip, other))
        assert times == pytest.approx(others, abs=0.02)


def test_each_code_is_laid_on_the_character_that_sounds_in_its_middle(corpus: Corpus, random_bundle: Path):
    tokenizer = Tokenizer(random_bundle / "vocab.json")
    for clip in corpus.utterances:
        with_stop, without = (align(clip, tokenizer, with_stop=kept) for kept in (True, False))
        assert with_stop is not None
        assert without is not None
        assert len(with_stop.tokens) - len(without.tokens) == int(clip.text.endswith("."))
        assert len(without.places) == clip.samples // GRID
        assert (np.diff(without.places) >= 0).all()
        assert without.places[0] == 2.0
        assert without.places[-1] == len(without.tokens) + 1.0
    clip = corpus.utterances[0]
    aligned = align(clip, tokenizer, with_stop=False)
    assert aligned is not None
    _, start, end = clip.words[3]
    middle = aligned.places[round((start + end) / 2 * RATE / GRID)]
    begin = "good morning, the yellow".index("yellow") + 2
    assert begin <= middle <= begin + len("yellow")


def test_a_line_is_spoken_as_fast_as_it_says_and_by_the_voice_without_a_variant_too(tmp_path: Path):
    usual = Line("Don't they remember the yellow house?", Voice("", 50))
    corpus = render([usual, replace(usual, words_per_minute=135), replace(usual, words_per_minute=200)], tmp_path / "s")
    seconds = [clip.words[-1][2] - clip.words[0][1] for clip in corpus.utterances]
    assert seconds[1] > 1.15 * seconds[0]
    assert seconds[2] < 0.92 * seconds[0]
    assert [word for word, _, _ in corpus.utterances[0].words][:2] == ["Don't", "they"]
