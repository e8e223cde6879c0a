"""Verdicts on sound that is made here: syllables of a buzzing voice with pauses, as long as the text asks for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from xttsproject.lib.audio import Samples, read_wav
from xttsproject.xtts.guard.pace import CODE_SECONDS, Pace, pace_of
from xttsproject.xtts.guard.verdict import Fault, Spoken, cut_off, judge, misheard
from xttsproject.xtts.normaliser import normalise

RATE = 24_000
TEXT = "The old baker walked over the bridge in the rain"
PACE = Pace(per_character=1.2, spread=0.1, sentences=50)


def voice(seconds: float, seed: int = 1, gain: float = 0.3) -> Samples:
    """Syllables of 0.2 s, each of another colour and pitch, that rise and fall; ends in quiet."""
    random = np.random.default_rng(seed)
    parts = []
    for _ in range(max(1, round(seconds / 0.2))):
        time = np.arange(round(0.2 * RATE)) / RATE
        pitch = random.uniform(100, 220)
        colour = random.uniform(0.2, 1.0, 25)
        wave = sum(colour[n] * np.sin(2 * np.pi * pitch * (n + 1) * time) / (n + 1) ** 0.5 for n in range(25))
        parts.append(wave * np.sin(np.pi * time / 0.2) ** 0.5)
    sound = np.concatenate(parts)
    levelled: Samples = (gain * sound / np.abs(sound).max()).astype(np.float32)
    return levelled


def quiet(seconds: float) -> Samples:
    return np.zeros(round(seconds * RATE), np.float32)


def spoken(*parts: Samples, codes: tuple[int, ...] | None = None, finished: bool | None = True) -> Spoken:
    return Spoken(TEXT, np.concatenate([quiet(0.1), *parts, quiet(0.1)]), RATE, codes, finished)


USUAL = len(TEXT) * PACE.per_character * CODE_SECONDS


def test_a_sentence_of_usual_length_is_good() -> None:
    verdict = judge(spoken(voice(USUAL)), PACE)

    assert verdict.good
    assert verdict.findings == ()
    assert verdict.ratio == pytest.approx(PACE.per_character, rel=0.1)


@pytest.mark.parametrize(
    ("sound", "fault"),
    [
        (spoken(voice(USUAL * 1.6)), Fault.BABBLE),
        (spoken(voice(USUAL), quiet(0.3), voice(USUAL * 0.8, seed=2)), Fault.BABBLE),
        (spoken(voice(USUAL), quiet(0.3), voice(0.2, seed=2)), Fault.TAIL),
        (spoken(voice(USUAL * 0.6)), Fault.TRUNCATED),
        (spoken(voice(USUAL / 2), quiet(2.0), voice(USUAL / 2, seed=2)), Fault.SILENCE),
        (spoken(quiet(USUAL)), Fault.SILENCE),
        (spoken(np.clip(voice(USUAL) * 8, -1, 1)), Fault.CLIPPING),
        (spoken(voice(USUAL), finished=False), Fault.NO_STOP),
        (spoken(np.tile(voice(0.6), 4)), Fault.LOOP),
        (spoken(np.tile(voice(0.2), 12)), Fault.LOOP),
    ],
)
def test_each_fault_is_found_and_told_in_a_sentence(sound: Spoken, fault: Fault) -> None:
    verdict = judge(sound, PACE)

    assert fault in verdict.faults
    assert all(finding.message.endswith(".") for finding in verdict.findings)
    assert verdict.badness > 0


def test_a_sentence_that_breaks_off_in_a_sound_is_truncated_whatever_its_length() -> None:
    whole = voice(USUAL)
    broken = Spoken(TEXT, np.concatenate([quiet(0.1), whole[: len(whole) - round(0.1 * RATE)]]), RATE, None, True)

    assert Fault.TRUNCATED in judge(broken, PACE).faults


@pytest.mark.parametrize(
    ("text", "language", "seconds"),
    # Six syllables, and two words that take as long as they do in English; and nothing but such words.
    [
        ("我用Python和JavaScript写程序", "zh-cn", 3.0),
        ("iPhone十五Pro和MacBook", "zh-cn", 2.4),
        ("Wi-Fiを使う", "ja", 1.2),
    ],
)
def test_foreign_words_are_no_syllables(text: str, language: str, seconds: float) -> None:
    sound = np.concatenate([quiet(0.1), voice(seconds), quiet(0.1)])

    assert judge(Spoken(text, sound, RATE, None, True), pace_of(language, ())).good
    assert pace_of("en", ()).letter == pace_of("ru", [1.0]).letter == 1.0


@pytest.mark.parametrize(
    ("text", "language", "seconds"),
    [
        ("No.", "en", 0.4),
        ("OK.", "en", 0.6),
        ("É.", "pt", 0.4),
        ("Да.", "ru", 0.4),
        ("네.", "ko", 0.6),
        ("لا.", "ar", 0.6),
    ],
)
def test_a_word_said_alone_takes_its_time_and_babble_is_found(text: str, language: str, seconds: float) -> None:
    def said(length: float) -> Spoken:
        return Spoken(text, np.concatenate([quiet(0.1), voice(length), quiet(0.1)]), RATE, None, True)

    known = pace_of(language, [pace_of(language, ()).per_character] * 50)
    for pace in (pace_of(language, ()), known):
        assert judge(said(seconds), pace).good
        assert Fault.BABBLE in judge(said(1.4), pace).faults
        # Of many such answers a voice would be taken for a slow one, and its next long sentence for a truncated one.
        assert pace_of(language, [*[judge(said(seconds), pace).ratio] * 40, 1.2]) == pace_of(language, [1.2])


def test_repeated_codes_are_a_loop_and_silent_ones_are_not() -> None:
    sound = voice(USUAL)
    count = round((len(sound) / RATE + 0.2) / CODE_SECONDS)
    codes = np.random.default_rng(3).integers(0, 1024, count)
    looped = codes.copy()
    looped[10:30] = np.tile(codes[10:15], 4)

    assert judge(spoken(sound, codes=tuple(codes.tolist())), PACE).good
    assert judge(spoken(sound, codes=tuple(looped.tolist())), PACE).faults == {Fault.LOOP}

    pause = np.concatenate([voice(USUAL / 2), quiet(0.9), voice(USUAL / 2, seed=2)])
    silent = np.random.default_rng(3).integers(0, 1024, round((len(pause) / RATE + 0.2) / CODE_SECONDS))
    first = round((USUAL / 2 + 0.2) / CODE_SECONDS)
    silent[first : first + 16] = 7

    assert Fault.LOOP not in judge(spoken(pause, codes=tuple(silent.tolist())), PACE).faults


def test_hurried_sound_is_judged_by_the_codes_it_came_of() -> None:
    half = voice(USUAL / 2)
    verdict = judge(Spoken(TEXT, np.concatenate([quiet(0.1), half, quiet(0.1)]), RATE, None, True, 2.0), PACE)

    assert verdict.good


def test_babble_after_a_pause_can_be_cut_off() -> None:
    sentence = voice(USUAL)
    sound = spoken(sentence, quiet(0.3), voice(USUAL, seed=2))
    verdict = judge(sound, PACE)

    assert verdict.cut is not None
    assert verdict.cut == pytest.approx(0.1 + len(sentence) / RATE, abs=0.05)
    saved = cut_off(sound.samples, RATE, verdict.cut)
    assert judge(Spoken(TEXT, saved, RATE, None, True), PACE).good
    assert saved[-1] == 0.0
    # The sound that was handed in is left alone.
    assert len(sound.samples) > len(saved)


def test_a_comma_allows_for_a_pause_and_a_short_last_clause() -> None:
    text = "The old baker walked over the bridge, yes"
    sound = np.concatenate([quiet(0.1), voice(2.1), quiet(0.3), voice(0.2, seed=2), quiet(0.1)])

    assert judge(Spoken(text, sound, RATE, None, True), PACE).good


def test_people_pause_within_a_long_clause() -> None:
    """Two thirds, a breath, and the rest, which is more than a word: as long as it should be, and all words of it."""
    text = "The invention of letters made of metal may justly be considered as the invention of the art of printing"
    usual = len(text) * PACE.per_character * CODE_SECONDS
    sound = np.concatenate([quiet(0.1), voice(0.67 * usual), quiet(0.2), voice(0.3 * usual, seed=2), quiet(0.1)])

    verdict = judge(Spoken(text, sound, RATE, None, True), PACE)
    assert verdict.good
    assert verdict.cut is None
    # Behind the whole sentence the same is babble.
    longer = np.concatenate([quiet(0.1), voice(usual), quiet(0.2), voice(0.3 * usual, seed=2), quiet(0.1)])
    assert judge(Spoken(text, longer, RATE, None, True), PACE).cut is not None


def test_what_is_cut_off_of_a_voice_that_nobody_has_heard_are_no_words() -> None:
    """Its bounds are wide; half a sentence lies within them, and what follows is the other half."""
    unknown = pace_of("en", ())
    usual = len(TEXT) * unknown.per_character * CODE_SECONDS
    sound = np.concatenate([quiet(0.1), voice(0.55 * usual), quiet(0.2), voice(0.3, seed=2), quiet(0.1)])
    verdict = judge(Spoken(TEXT, sound, RATE, None, True), unknown)

    assert Fault.TAIL in verdict.faults
    assert verdict.cut is None


@pytest.mark.shared_data
def test_nothing_is_wrong_with_what_a_person_reads(shared_data: Path) -> None:
    """Nor would anything of it be cut off, whether the reader's pace is known or not."""
    lines = (shared_data / "lj" / "metadata.csv").read_text(encoding="utf-8").splitlines()
    read = []
    for name, _text, text in (line.split("|") for line in lines):
        clip = read_wav(shared_data / "lj" / f"{name}.wav")
        read.append(Spoken(normalise(text, "en"), clip.samples, clip.sample_rate))
    unknown = [judge(each, pace_of("en", ())) for each in read]
    known = pace_of("en", [verdict.ratio for verdict in unknown])

    assert len(read) == 8
    assert [verdict.findings for verdict in unknown] == [()] * 8
    assert [judge(each, known).findings for each in read] == [()] * 8


@pytest.mark.parametrize("length", [0, 1, 5, 200, 3000])
def test_the_shortest_sounds_are_judged_without_an_error(length: int) -> None:
    assert not judge(Spoken(TEXT, np.ones(length, np.float32) * 0.5, RATE, (), True), PACE).good


def test_what_the_transcription_model_hears_otherwise_is_a_finding() -> None:
    assert misheard(0.1) is None
    found = misheard(0.6)
    assert found is not None
    assert found.fault == Fault.MISHEARD
    assert "60%" in found.message
