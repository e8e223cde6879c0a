from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from xttsproject.xtts.guard.pace import KEPT, length_of, pace_of, ratio, remembered


def test_a_voice_that_nobody_has_heard_has_the_wide_bounds_of_its_language() -> None:
    unknown = pace_of("en", ())
    low, high = unknown.bounds(60)

    assert unknown.sentences == 0
    assert high / low > 3
    # Chinese characters stand for syllables.
    assert pace_of("zh-cn", ()).per_character > 2 * unknown.per_character


def test_bounds_close_in_on_what_a_voice_has_said() -> None:
    said = np.random.default_rng(1).lognormal(np.log(1.1), 0.08, 100)
    widths = []
    for count in (0, 3, 10, 100):
        low, high = pace_of("en", said[:count].tolist()).bounds(60)
        widths.append(high / low)

    assert widths == sorted(widths, reverse=True)
    assert pace_of("en", said.tolist()).per_character == pytest.approx(1.1, rel=0.03)
    assert pace_of("en", said.tolist()).spread == pytest.approx(0.08, rel=0.25)


def test_a_slow_speaker_is_not_taken_for_a_babbling_one_once_known() -> None:
    slow = 3.2
    assert pace_of("en", ()).bounds(60)[1] < slow * 60
    assert pace_of("en", [slow] * 5).bounds(60)[1] > slow * 60


def test_a_few_bad_sentences_do_not_move_the_pace() -> None:
    good = [1.0, 1.05, 0.95, 1.1, 0.9, 1.02, 0.98, 1.0, 1.0, 1.03]

    assert pace_of("en", [*good, 9.0]).per_character == pytest.approx(pace_of("en", good).per_character, rel=0.05)


def test_pauses_and_spoken_out_signs_count_as_length() -> None:
    assert length_of("one two") == 7
    assert length_of("one, two.") == length_of("one, two") == 8 + 4
    assert ratio(63, 60) == 1.0
    assert ratio(0, 0) == 1.0


def test_the_last_sentences_are_remembered() -> None:
    known = [1.0] * KEPT

    assert remembered(known, [2.0, 3.0])[-2:] == [2.0, 3.0]
    assert len(remembered(known, [2.0, 3.0])) == KEPT


def test_the_guard_loads_no_ml_library() -> None:
    code = (
        "import sys, xttsproject.xtts.guard.verdict, xttsproject.xtts.guard.retries;"
        "print([name for name in ('torch', 'TTS', 'faster_whisper', 'transformers') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_whether_a_text_tells_of_a_voice_does_not_change_with_what_the_voice_has_taught() -> None:
    """Else a sentence would teach at one time and not at another, and be judged by what came before it."""
    slow, fast = pace_of("en", [1.9] * 50), pace_of("en", [0.9] * 50)
    for text in ("No.", "Short and sweet.", "A sentence of usual length is told here."):
        assert slow.tells(length_of(text)) is fast.tells(length_of(text)) is (text != "No.")
