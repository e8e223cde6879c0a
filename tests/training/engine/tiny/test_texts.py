from __future__ import annotations

from collections import Counter
from itertools import islice

from training.engine.tiny import texts
from training.engine.tiny.corpus import LISTENING, SETS, planned
from training.engine.tiny.voices import FINETUNE_VOICE, HELD_VOICES, TRAIN_VOICES
from xttsproject.demo.sentences import SENTENCES


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
    trained = {line.text for name in ("train", LISTENING) for line in planned(name)}
    for name in SETS[1:]:
        assert not trained & {line.text for line in planned(name)}
    assert not trained & set(SENTENCES)


def test_no_variant_that_is_measured_is_trained_on_in_any_pitch():
    trained = {voice.variant for voice in TRAIN_VOICES}
    assert not trained & {voice.variant for voice in (*HELD_VOICES, FINETUNE_VOICE)}
    assert len({voice.key for voice in HELD_VOICES}) == 10
    assert {line.voice for line in planned("held")} == set(HELD_VOICES)


def test_the_further_words_are_none_that_the_other_sets_say():
    further = texts.further_vocabulary()
    assert len(further) > 1800
    assert not {word.lower() for word in further} & {word.lower() for word in texts.vocabulary()}


def test_what_is_to_be_heard_is_written_as_people_write_it_and_repeats_with_its_seed():
    first = list(islice(texts.heard("a"), 400))
    assert first == list(islice(texts.heard("a"), 400))
    assert len(set(first) & set(islice(texts.heard("b"), 400))) < 20
    for text in first:
        assert text[0].isupper()
        assert text[-1] in ".?!"
        assert len(text) <= texts.LONGEST_CHARACTERS
        assert not set(text) & set("{}")
        assert "  " not in text


def test_every_further_word_is_heard_often_at_many_speeds_and_in_the_plain_voice_too():
    lines = planned(LISTENING)
    said = Counter(word.strip(",.?!").lower() for line in lines for word in line.text.split())
    assert min(said[word.lower()] for word in texts.further_vocabulary()) >= 12
    assert {line.words_per_minute for line in lines} == set(range(135, 201))
    plain = [line.voice.pitch for line in lines if not line.voice.variant]
    assert len(plain) == len(lines) // 4
    assert set(plain) == set(range(35, 66))
    assert {line.voice for line in lines if line.voice.variant} == set(TRAIN_VOICES)


def test_the_other_sets_keep_their_one_speed():
    assert {line.words_per_minute for name in SETS for line in planned(name)} == {170}


def test_a_larger_scale_gives_more_to_learn_from_and_the_same_measures():
    assert len(planned("train", 1.5)) == 1.5 * len(planned("train"))
    assert len(planned("train", 100)) == len(planned("train", 2.5))
    assert planned("train", 1.5)[: len(planned("train"))] == planned("train")
    assert planned("held", 2.0) == planned("held")
