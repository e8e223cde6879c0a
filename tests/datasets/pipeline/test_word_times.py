"""Words out of a decoder's alignment."""

from __future__ import annotations

import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from datasets.pipeline.word_times import TimedWord, mean_logprob, timed_words, without_pauses


@pytest.fixture(scope="module")
def tokenizer(random_whisper_bundle: Path) -> Any:
    from faster_whisper.tokenizer import Tokenizer
    from tokenizers import Tokenizer as Plain

    plain = Plain.from_file(str(random_whisper_bundle / "tokenizer.json"))
    return Tokenizer(plain, True, task="transcribe", language="en")


def aligned(tokens: list[int], step: int, probabilities: list[float]) -> SimpleNamespace:
    """Every token takes ``step`` positions of 20 ms, the end of the text included."""
    pairs = [(number, number * step + place) for number in range(len(tokens) + 1) for place in range(step)]
    return SimpleNamespace(alignments=pairs, text_token_probs=probabilities)


def test_words_have_the_times_and_probabilities_of_their_tokens(tokenizer: Any) -> None:
    tokens = tokenizer.encode(" ab cd.")
    chances = [0.5, 1.0, 0.25, 0.75, 0.1]
    assert len(tokens) == 5
    words = timed_words(aligned(tokens, 5, chances), tokens, tokenizer)
    assert [word.text for word in words] == [" ab", " cd."]
    assert [word.start for word in words] == pytest.approx([0.0, 0.2])
    assert [word.end for word in words] == pytest.approx([0.2, 0.4])
    # The full stop's token counts for the mean of the clip, but not for the sureness of the word.
    assert [word.probability for word in words] == [pytest.approx(0.75), pytest.approx(0.5)]
    assert [word.tokens for word in words] == [2, 3]
    assert mean_logprob(words) == pytest.approx(sum(map(math.log, chances)) / 5)
    assert "".join(word.text for word in words) == tokenizer.decode(tokens)


def test_no_tokens_are_no_words(tokenizer: Any) -> None:
    assert timed_words(None, [], tokenizer) == []
    assert mean_logprob([]) == 0.0


def word(text: str, start: float, end: float) -> TimedWord:
    return TimedWord(text, start, end, 0.9, 1, -0.1)


def test_a_pause_is_nobodys_word() -> None:
    words = [
        word(" He", 0.0, 2.0),
        word(" went", 2.0, 2.3),
        word(" home.", 2.3, 4.3),
        word(" Then", 4.3, 6.0),
        word(" it", 6.0, 6.3),
        word(" rained", 6.3, 6.6),
        word(" hard", 6.6, 6.9),
        word(" all", 6.9, 7.2),
        word(" night", 7.2, 7.5),
        word(" on", 7.5, 9.0),
    ]
    calm = without_pauses(words)
    assert [(w.start, w.end) for w in calm] == [
        (pytest.approx(1.4), 2.0),
        (2.0, 2.3),
        (2.3, pytest.approx(2.9)),
        (pytest.approx(5.4), 6.0),
        (6.0, 6.3),
        (6.3, 6.6),
        (6.6, 6.9),
        (6.9, 7.2),
        (7.2, 7.5),
        (7.5, pytest.approx(8.1)),
    ]
    assert without_pauses([]) == []
