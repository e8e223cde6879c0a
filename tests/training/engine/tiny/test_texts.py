from __future__ import annotations

from itertools import islice

from training.engine.tiny import texts
from training.engine.tiny.corpus import SETS, planned
from training.engine.tiny.voices import FINETUNE_VOICE, HELD_VOICES, TRAIN_VOICES


def test_one_seed_gives_the_same_sentences_and_another_others():
    first = list(islice(texts.sentences("a"), 50))
    assert first == list(islice(texts.sentences("a"), 50))
    assert not set(first) & set(islice(texts.sentences("b"), 50)) - {"Past."}


def test_sentences_are_written_as_people_write_them():
    for sentence in islice(texts.sentences("written"), 500):
        assert sentence[0].isupper()
        assert sentence[-1] in ".?"
        assert len(sentence) <= texts.LONGEST_CHARACTERS
        assert "  " not in sentence


def test_short_sentences_have_three_to_ten_words():
    assert all(3 <= len(sentence.split()) <= 10 for sentence in islice(texts.sentences("s", short=True), 300))


def test_sentences_one_word_apart_differ_in_one_word():
    sentences = [sentence.split() for sentence in texts.one_word_apart("x", 10)]
    assert len({" ".join(words) for words in sentences}) == 10
    for words in sentences[1:]:
        assert sum(a != b for a, b in zip(words, sentences[0], strict=True)) == 1


def test_no_sentence_that_is_measured_is_trained_on():
    trained = {line.text for line in planned("train")}
    for name in SETS[1:]:
        assert not trained & {line.text for line in planned(name)}


def test_no_variant_that_is_measured_is_trained_on_in_any_pitch():
    trained = {voice.variant for voice in TRAIN_VOICES}
    assert not trained & {voice.variant for voice in (*HELD_VOICES, FINETUNE_VOICE)}
    assert len({voice.key for voice in HELD_VOICES}) == 10
    assert {line.voice for line in planned("held")} == set(HELD_VOICES)
