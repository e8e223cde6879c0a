"""What the judge of a request answers, sentence by sentence and attempt by attempt."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from tests.xttsproject.xtts.guard.test_verdict import PACE, RATE, TEXT, USUAL, quiet, voice
from voices.engine.guarding import Guardian
from voices.engine.requests import Attempt, Hearing, ModelChoice, Piece, Verdict
from xttsproject.lib.audio import Audio, Samples
from xttsproject.xtts.guard.retries import GuardSettings, Mode, retry_seed
from xttsproject.xtts.types import Sampling

LATENTS = Path("latents")
PIECE = Piece(ModelChoice(Path("bundle")), "key", LATENTS, TEXT, "en", Sampling(seed=7))
GOOD = np.concatenate([quiet(0.1), voice(USUAL), quiet(0.1)])
LONG = np.concatenate([GOOD, quiet(0.3), voice(USUAL, seed=2)])


def guardian(settings: GuardSettings | None = None, **more: Any) -> Guardian:
    return Guardian(settings or GuardSettings(), {(LATENTS, "en"): PACE}, **more)


def attempt(samples: Samples, seed: int = 7, number: int = 0, *, sent: bool = False) -> Attempt:
    codes = tuple(np.random.default_rng(seed).integers(0, 1024, round(len(samples) / RATE * 21.5)).tolist())
    decoded: Any = SimpleNamespace(codes=(*codes, 1025), spoken_codes=len(codes), finished=True)
    return Attempt(PIECE, TEXT, decoded, samples, RATE, seed, number, sent)


def judged(judge: Guardian, said: Attempt) -> Verdict:
    """With what has to be listened to, listened to here."""
    answer = judge(said)
    return answer.decide(answer.listen()) if isinstance(answer, Hearing) else answer


def test_a_good_sentence_is_taken_without_a_word() -> None:
    judge = guardian()
    verdict = judged(judge, attempt(GOOD))

    assert verdict.again is None
    assert verdict.warnings == ()
    report = judge.report(7)
    assert report is not None
    assert (report.attempts, report.faults, report.warnings) == (1, (), ())
    assert report.ratio > 0.5


def test_a_babbling_one_is_said_again_and_the_report_is_of_the_one_that_was_delivered() -> None:
    judge = guardian()
    again = judged(judge, attempt(LONG)).again
    assert again == retry_seed(7, 1)
    verdict = judged(judge, attempt(GOOD, again, 1))

    assert verdict.again is None
    assert verdict.samples is not None
    assert len(verdict.samples) == len(GOOD)
    report = judge.report(7)
    assert report is not None
    assert report.attempts == 2
    assert report.faults == ()


def test_babble_that_does_not_go_away_is_cut_off_and_told() -> None:
    judge = guardian(GuardSettings(max_retries=0))
    verdict = judged(judge, attempt(LONG))

    assert verdict.samples is not None
    assert len(verdict.samples) < len(GOOD) + RATE / 10
    assert verdict.warnings[0].startswith(f"“{TEXT}”: Its end was cut off")


def test_sentences_are_judged_in_any_order() -> None:
    judge = guardian()
    first, second = judged(judge, attempt(LONG, 7)).again, judged(judge, attempt(LONG, 8)).again
    assert first is not None
    assert second is not None
    judged(judge, attempt(GOOD, second, 1))
    judged(judge, attempt(GOOD, first, 1))

    assert {seed: (judge.report(seed) or judge).attempts for seed in (7, 8)} == {7: 2, 8: 2}  # type: ignore[union-attr]


def test_what_was_streamed_is_warned_of_and_left_as_it_is() -> None:
    verdict = judged(guardian(), attempt(LONG, sent=True))

    assert verdict.again is None
    assert verdict.samples is None
    assert "babbles" in verdict.warnings[0]


def test_careful_asks_who_listens_and_takes_what_is_understood() -> None:
    heard = iter(["something else altogether", "the old baker walked over the bridge in the rain"])
    asked: list[tuple[Audio, str]] = []

    def hear(sound: Audio, language: str) -> str:
        asked.append((sound, language))
        return next(heard)

    judge = guardian(GuardSettings(Mode.CAREFUL), hear=hear)
    again = judged(judge, attempt(GOOD)).again
    assert again is not None
    verdict = judged(judge, attempt(GOOD, again, 1))

    assert verdict.again is None
    assert verdict.warnings == ()
    assert [language for _sound, language in asked] == ["en", "en"]
    assert asked[0][0].sample_rate == RATE


def test_candidates_are_asked_for_in_advance_with_the_seeds_that_the_judge_will_want() -> None:
    judge = guardian(GuardSettings(Mode.CAREFUL, candidates=3, max_retries=1), hear=lambda sound, language: "a cow")
    assert judge.chooses
    assert judge.rivals(7) == (retry_seed(7, 1), retry_seed(7, 2))
    seeds = [7]
    while (again := judged(judge, attempt(GOOD, seeds[-1], len(seeds) - 1)).again) is not None:
        seeds.append(again)
    # One more than the candidates, because all were misheard; and then it is enough.
    assert tuple(seeds) == (7, *judge.rivals(7), retry_seed(7, 3))
    assert not guardian(GuardSettings(candidates=3)).chooses
    assert guardian(GuardSettings(candidates=3)).rivals(7) == ()


def test_an_unknown_voice_is_judged_by_its_language() -> None:
    assert judged(Guardian(GuardSettings()), attempt(GOOD)).again is None
