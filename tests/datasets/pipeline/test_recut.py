"""The second look at the cuts: its promises on any recording, and its choices on a few."""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datasets.pipeline.media import decode_audio
from datasets.pipeline.planning import FORCED_CUT, SegmentSettings, plan_segments
from datasets.pipeline.recut import Heard, HeardWord, Recut, recut
from datasets.pipeline.segment import quietest_point
from datasets.pipeline.spoken_words import TOLERANCE
from datasets.pipeline.voice_activity import speech_stretches
from xttsproject.lib.audio import Audio, write_wav

RULES = SegmentSettings()
MILLISECOND = 0.0015


def middle(start: float, end: float) -> float:
    return (start + end) / 2


def heard(plan, words: list[tuple[str, float, float]]) -> list[Heard]:
    """The segments of a first plan with what was said in each, as a perfect listener would write it."""
    segments = []
    for key, span in enumerate(plan.spans):
        own = [word for word in words if span.start <= middle(word[1], word[2]) < span.end]
        segments.append(
            Heard(
                key,
                span.start,
                span.end,
                " ".join(text for text, _, _ in own),
                tuple(HeardWord(text, a - span.start, b - span.start, 0.9) for text, a, b in own),
                forced=FORCED_CUT in span.flags,
            )
        )
    return segments


@st.composite
def talks(draw: st.DrawFn):
    """Stretches of speech, the words in them (some with a closure inside that looks like a pause), and the length."""
    chance = random.Random(draw(st.integers(0, 10**9)))
    position = chance.uniform(0.0, 2.0)
    speech: list[tuple[float, float]] = []
    words: list[tuple[str, float, float]] = []
    for _ in range(draw(st.integers(1, 14))):
        position += chance.choice([0.1, 0.2, 0.31, 0.45, 0.7, 1.1, 1.6])
        begin = position
        for _ in range(chance.randint(1, draw(st.sampled_from([3, 12, 60])))):
            length = chance.choice([0.15, 0.3, 0.45, 0.8])
            words.append((f"word{chance.choice(['', '', '', ',', '.'])}", position, position + length))
            position += length
            if length == 0.8 and chance.random() < 0.3:
                # The detector hears a pause in the middle of the word.
                speech.append((begin, position - 0.55))
                begin = position - 0.22
        speech.append((begin, position))
    return speech, words, position + chance.uniform(0.0, 1.0)


@settings(max_examples=150)
@given(talks(), st.data())
def test_the_second_plan_keeps_its_promises(talk, data: st.DataObject) -> None:
    speech, words, total = talk
    first = heard(plan_segments(speech, total, RULES, middle), words)
    touched = data.draw(st.sets(st.integers(0, max(len(first) - 1, 0)), max_size=3))
    first = [replace(one, fixed=one.key in touched) for one in first]
    again = recut(first, speech, total, RULES, middle)

    spans = _spans(first, again)
    known = [w for w in words if any(one.start <= middle(w[1], w[2]) < one.end for one in first)]
    given = [edge for one in first if one.fixed for edge in (one.start, one.end)]
    assert {key for key in touched if key < len(first)} <= again.kept, "what a person touched stays"
    for before, after in pairwise(spans):
        assert before[1] <= after[0] + 1e-9, "segments do not overlap"
    for start, end, flags in spans:
        assert RULES.shortest - MILLISECOND <= end - start <= RULES.max_seconds + 1e-9
        assert start >= 0
        assert end <= total + MILLISECOND
        for cut in (start, end):
            through = [w for w in known if w[1] + TOLERANCE + MILLISECOND < cut < w[2] - TOLERANCE - MILLISECOND]
            if FORCED_CUT not in flags and min([abs(cut - edge) for edge in given], default=9) > MILLISECOND:
                assert not through, "no cut inside a word"
    _assert_every_word_is_somewhere(words, spans, again)
    _assert_new_pieces_are_padded(speech, again, first, total)
    for piece in again.pieces:
        if piece.part is not None:
            assert piece.part.text == " ".join(word.text for word in piece.part.words)
            assert all(0 <= word.start <= word.end <= piece.span.seconds + 1e-9 for word in piece.part.words)


def _spans(first: list[Heard], again: Recut) -> list[tuple[float, float, tuple[str, ...]]]:
    kept = [(s.start, s.end, (FORCED_CUT,) if s.forced or s.fixed else ()) for s in first if s.key in again.kept]
    return sorted(kept + [(p.span.start, p.span.end, p.span.flags) for p in again.pieces])


def _assert_every_word_is_somewhere(words, spans, again: Recut) -> None:
    held = [(a, b) for a, b, _ in spans] + [(a, b) for a, b, _ in again.left_out]
    for _, start, end in words:
        assert any(a - TOLERANCE <= middle(start, end) <= b + TOLERANCE for a, b in held), "no word is lost"


@settings(max_examples=100)
@given(talks(), st.integers(0, 10**9))
def test_words_whose_times_are_wrong_do_no_harm(talk, seed: int) -> None:
    speech, words, total = talk
    chance = random.Random(seed)
    first = heard(plan_segments(speech, total, RULES, middle), words)
    wrong = [
        replace(
            one,
            words=tuple(
                replace(word, start=max(0.0, word.start + chance.gauss(0, 0.3)), end=word.end + chance.gauss(0, 0.3))
                for word in one.words
            ),
        )
        for one in first
    ]
    again = recut(wrong, speech, total, RULES, middle)
    spans = _spans(wrong, again)
    for before, after in pairwise(spans):
        assert before[1] <= after[0] + 1e-9
    assert all(RULES.shortest - MILLISECOND <= end - start <= RULES.max_seconds + 1e-9 for start, end, _ in spans)
    held = sum(max(0.0, min(b, end) - max(a, start)) for a, b in speech for start, end in _held(spans, again))
    assert held == pytest.approx(sum(b - a for a, b in speech), abs=0.002 * (len(spans) + 1) * 2)


def _held(spans, again: Recut) -> list[tuple[float, float]]:
    return [(a, b) for a, b, _ in spans] + [(a, b) for a, b, _ in again.left_out]


def _assert_new_pieces_are_padded(speech, again: Recut, first: list[Heard], total: float) -> None:
    fixed = [edge for s in first if s.key in again.kept for edge in (s.start, s.end)]
    for piece in again.pieces:
        if FORCED_CUT in piece.span.flags:
            continue
        inside = [(a, b) for a, b in speech if b > piece.span.start and a < piece.span.end]
        lead, tail = inside[0][0] - piece.span.start, piece.span.end - inside[-1][1]
        for pad, edge in ((lead, piece.span.start), (tail, piece.span.end)):
            free = edge > MILLISECOND and edge < total - MILLISECOND
            if free and min([abs(edge - other) for other in fixed], default=9) > 0.02:
                assert RULES.pad_min - MILLISECOND <= pad <= RULES.pad_max + MILLISECOND


def test_what_comes_out_as_it_was_is_left_alone() -> None:
    speech = [(1.0, 5.0), (6.0, 11.0)]
    words = sentence("One two three.", 1.0, 5.0) + sentence("Four five six.", 6.0, 11.0)
    first = heard(plan_segments(speech, 12.0, RULES, middle), words)
    assert recut(first, speech, 12.0, RULES, middle) == Recut(frozenset({0, 1}), (), ())


def sentence(text: str, start: float, end: float) -> list[tuple[str, float, float]]:
    """Its words, spread evenly."""
    parts = text.split()
    step = (end - start) / len(parts)
    return [(part, start + n * step, start + (n + 1) * step) for n, part in enumerate(parts)]


def test_a_clip_of_two_sentences_is_parted_between_them_and_keeps_its_words() -> None:
    speech = [(1.0, 5.0), (5.45, 9.5)]
    words = sentence("He came and he saw all.", 1.0, 5.0) + sentence("Then he went away again.", 5.45, 9.5)
    (whole,) = [Heard(7, 0.75, 9.75, " ".join(w[0] for w in words), tuple(_relative(words, 0.75)))]
    again = recut([whole], speech, 10.0, SegmentSettings(aim_to=5.0), middle)

    assert again.kept == frozenset()
    assert [piece.part.text for piece in again.pieces if piece.part] == [
        "He came and he saw all.",
        "Then he went away again.",
    ]
    assert [(piece.span.start, piece.span.end) for piece in again.pieces] == [(0.75, 5.225), (5.225, 9.75)]
    second = again.pieces[1].part
    assert second is not None
    assert (second.words[0].text, second.words[0].start) == ("Then", 0.225)


def _relative(words, start: float) -> list[HeardWord]:
    return [HeardWord(text, a - start, b - start, 0.9) for text, a, b in words]


def test_a_word_that_a_forced_cut_went_through_is_made_whole_and_heard_again() -> None:
    """Thirteen seconds without a pause: the first plan could only cut where it was quietest, inside “understand”."""
    speech = [(1.0, 14.0)]
    whole = sentence("a b c d e f g h i j k l understand n o p q r s t u v w x y z", 1.0, 14.0)
    plan = plan_segments(speech, 15.0, RULES, lambda a, b: 7.25)
    assert plan.spans[0].end == plan.spans[1].start == 7.25
    halves = [*whole[:12], ("under", 7.0, 7.25), ("stand", 7.25, 7.5), *whole[13:]]
    again = recut(heard(plan, halves), speech, 15.0, RULES, middle)

    assert [piece.part for piece in again.pieces] == [None, None]
    assert all(FORCED_CUT in piece.span.flags for piece in again.pieces)
    cut = again.pieces[0].span.end
    assert cut == again.pieces[1].span.start
    assert not any(start + TOLERANCE < cut < end - TOLERANCE for _, start, end in whole)
    assert abs(cut - 7.25) > 0.2


def test_of_gaps_between_words_the_end_of_a_sentence_is_taken_first() -> None:
    speech = [(1.0, 14.0)]
    words = [(f"w{n}", 1 + n * 0.5, 1.5 + n * 0.5) for n in range(26)]
    words[13] = ("done.", *words[13][1:])
    words[14] = ("Then", *words[14][1:])
    again = recut(heard(plan_segments(speech, 15.0, RULES, lambda a, b: 8.25), words), speech, 15.0, RULES, middle)
    assert again.pieces[0].span.end == pytest.approx(words[13][2], abs=TOLERANCE)


def test_the_pause_inside_a_word_is_no_place_to_cut() -> None:
    speech = [(1.0, 6.0), (6.32, 12.0)]
    first = plan_segments(speech, 13.0, RULES, middle)
    assert len(first.spans) == 2
    words = [*sentence("one two three four five", 1.0, 5.6), ("stop-ped", 5.6, 6.8), *sentence("six seven", 6.8, 12.0)]
    again = recut(heard(first, words), speech, 13.0, RULES, middle)
    assert again.kept == frozenset({0, 1}) or all(
        not 5.6 + TOLERANCE < edge < 6.8 - TOLERANCE
        for piece in again.pieces
        for edge in (piece.span.start, piece.span.end)
    )


def test_words_that_were_said_in_silence_are_not_relied_upon() -> None:
    speech = [(20.0, 24.0)]
    wrong = Heard(1, 0.0, 9.0, "It is noise.", tuple(_relative(sentence("It is noise.", 1.0, 8.0), 0.0)))
    right = Heard(2, 19.75, 24.25, "So.", tuple(_relative([("So.", 20.0, 22.0)], 19.75)))
    again = recut([wrong, right], speech, 30.0, RULES, middle)
    assert 1 in again.kept


@pytest.mark.shared_data
def test_no_cut_of_real_speech_falls_inside_what_was_said(shared_data: Path, tmp_path: Path) -> None:
    """Eight real clips joined with pauses that leave room to cut, and some that do not. What is speech in each was
    found in the clip alone; words are spread over it by their letters."""
    speech_of, words, pieces, position = [], [], [], 0.0
    table = (shared_data / "lj" / "metadata.csv").read_text(encoding="utf-8").splitlines()
    texts = dict(line.split("|")[:2] for line in table if line)
    for number, (name, text) in enumerate(sorted(texts.items())):
        audio = decode_audio(shared_data / "lj" / f"{name}.wav", 24_000)
        alone = tmp_path / f"{name}.wav"
        write_wav(alone, Audio(np.concatenate([np.zeros(12_000, np.float32), audio.samples]), 24_000))
        said = [(position + a - 0.5, position + b - 0.5) for a, b in speech_stretches(alone)]
        speech_of += said
        words += _spread(text if text[-1] in ".,;" else f"{text}.", said)
        gap = np.zeros(round((0.7, 0.45, 0.9, 0.15)[number % 4] * 24_000), np.float32)
        pieces += [audio.samples, gap]
        position += audio.seconds + len(gap) / 24_000
    master = tmp_path / "joined.wav"
    noise = np.random.default_rng(0).normal(0, 0.0005, round(position * 24_000))
    samples = np.concatenate(pieces)
    write_wav(master, Audio((samples + noise[: len(samples)]).astype(np.float32), 24_000))

    def quietest(a: float, b: float) -> float:
        return quietest_point(master, a, b)

    speech = speech_stretches(master)
    plan = plan_segments(speech, position, RULES, quietest)
    again = recut(heard(plan, words), speech, position, RULES, quietest)
    first = heard(plan, words)
    spans = _spans(first, again)
    assert len(spans) >= 6
    assert sum(FORCED_CUT not in flags for _, _, flags in spans) >= 5
    for start, end, flags in spans:
        assert 1.0 <= end - start <= 11.5
        if FORCED_CUT not in flags:
            for cut in (start, end):
                assert not any(a + 0.1 < cut < b - 0.1 for a, b in speech_of), f"{cut} is inside speech"


def _spread(text: str, said: list[tuple[float, float]]) -> list[tuple[str, float, float]]:
    """Each word its share of the speech, by letters."""
    total = sum(b - a for a, b in said)
    letters = sum(map(len, text.split()))
    done, words = 0.0, []

    def clock(spoken: float) -> float:
        for a, b in said:
            if spoken <= b - a:
                return a + spoken
            spoken -= b - a
        return said[-1][1]

    for word in text.split():
        begin = done
        done += total * len(word) / letters
        words.append((word, clock(begin + 1e-6), clock(done)))
    return words
