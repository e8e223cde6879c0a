"""English and Portuguese as written and as spoken, case by case."""

from __future__ import annotations

import pytest

from tests.xttsproject.xtts.normaliser.tables import ALL, FILES, cases
from xttsproject.xtts.normaliser import normalise, one_turn


@pytest.mark.parametrize(("language", "written", "spoken"), ALL)
def test_written_is_spoken_as_the_table_says(language: str, written: str, spoken: str) -> None:
    assert normalise(written, language) == spoken


@pytest.mark.parametrize(("language", "written", "spoken"), ALL)
def test_one_turn_of_the_rules_is_enough_and_a_second_changes_nothing(language: str, written: str, spoken: str) -> None:
    assert one_turn(written, language) == spoken
    assert one_turn(spoken, language) == spoken


@pytest.mark.parametrize("language", FILES)
def test_each_case_is_there_once_and_there_are_enough(language: str) -> None:
    written = [case for case, _ in cases(language)]

    assert len(written) == len(set(written)) >= 150


def test_what_the_model_cleans_after_us_changes_no_word() -> None:
    # Coqui's own cleaning runs on every text before it is encoded; it must find nothing to spell out.
    from TTS.tts.layers.xtts.tokenizer import VoiceBpeTokenizer

    coqui = VoiceBpeTokenizer()
    for language, _, spoken in ALL:
        assert coqui.preprocess_text(spoken.lower(), language) == spoken.lower()
