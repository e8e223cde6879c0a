"""A version's figures, and what is said about them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from datasets.pipeline.advice import ENOUGH_CLIPS, Advice, advise, summary
from datasets.pipeline.distributions import MOST_BARS, outliers, spread
from datasets.pipeline.frozen import MeasuredClip
from datasets.pipeline.health import Health, health, health_as_dict

PANGRAM = "The quick brown fox jumps over the lazy dog"
FEW_WORDS = "the boat came in and went out again before the rain"


def clip(number: int, **changes: Any) -> MeasuredClip:
    """A good clip: lengths vary, every third one asks, every third calls out; all letters, no noise."""
    measures = {
        "rms_dbfs": -23.0,
        "snr_db": 40.0,
        "clipped_share": 0.0,
        "characters_per_second": 15.0,
        **changes.pop("measures", {}),
    }
    row = {
        "id": f"segment-{number}",
        "text": f"{PANGRAM}, {_word(number)} {_word(number + 400)}{'.?!'[number % 3]}",
        "split": "validation" if number % 10 == 9 else "train",
        "seconds": (2.0, 5.0, 9.0)[number % 3],
        "recording": 1 + number % 2,
        "start": number * 12.0,
        "end": number * 12.0 + 9.0,
        **changes,
    }
    return MeasuredClip(row, measures, row.pop("problem", ""))


def _word(number: int) -> str:
    """A word of its own for every number."""
    return "word" + "".join(chr(97 + int(digit)) for digit in str(number))


def good(count: int = 150) -> list[MeasuredClip]:
    return [clip(number) for number in range(count)]


def codes(clips: list[MeasuredClip], **known: Any) -> dict[str, Advice]:
    return {advice.code: advice for advice in advise(health(clips, "en", **known))}


def test_a_good_dataset_is_told_so_and_nothing_else() -> None:
    said = codes(good(), known=frozenset("abcdefghijklmnopqrstuvwxyz.?!,'"))
    assert {code: advice.level for code, advice in said.items()} == {"amount": "good"}
    found = health(good(), "en")
    assert summary(found, advise(found)) == "13 min 20 s"


@pytest.mark.parametrize(
    ("code", "level", "changes"),
    [
        ("amount", "warning", {"seconds": 0.7}),
        ("amount", "advice", {"seconds": 3.0}),
        ("short_clips", "advice", {"seconds": 9.0}),
        ("long_clips", "advice", {"seconds": 2.0}),
        ("questions", "advice", {"text": f"{PANGRAM}!"}),
        ("exclamations", "advice", {"text": f"{PANGRAM}?"}),
        ("unended", "advice", {"text": PANGRAM}),
        ("letters", "advice", {"text": "The brown fox jumps over the lazy dog."}),
        ("unknown_characters", "warning", {"text": f"{PANGRAM} € 5."}),
        ("noise", "advice", {"measures": {"snr_db": 9.0}}),
        ("clipped", "advice", {"measures": {"clipped_share": 0.01}}),
        ("too_long", "warning", {"seconds": 11.7}),
        ("too_short", "warning", {"seconds": 0.4}),
        ("no_validation", "warning", {"split": "train"}),
        ("validation_large", "advice", {"split": "validation"}),
        ("one_recording", "advice", {"recording": 1}),
        ("repeated", "advice", {"text": f"{PANGRAM}."}),
        ("few_words", "advice", {"text": f"{FEW_WORDS}."}),
        ("leaked", "warning", {"text": f"{PANGRAM}."}),
        ("damaged", "warning", {"problem": "another sound than was frozen"}),
    ],
)
def test_each_rule_speaks_where_its_limit_is_passed(code: str, level: str, changes: dict[str, Any]) -> None:
    clips = good()[:2] + [clip(number, **changes) for number in range(2, 150)]
    if code in ("letters", "questions", "exclamations", "long_clips", "short_clips", "no_validation", "one_recording"):
        clips = [clip(number, **changes) for number in range(150)]
    said = codes(clips, known=frozenset("abcdefghijklmnopqrstuvwxyz.?!,'5"))
    assert said[code].level == level
    assert said[code].message
    assert said[code].todo
    assert code not in codes(good()) or code == "amount"


def test_the_summary_names_the_amount_and_what_to_do_first() -> None:
    clips = [clip(number, seconds=7.0, text=f"{PANGRAM} {_word(number)}?") for number in range(95)]
    found = health(clips, "en")
    said = summary(found, advise(found))
    assert said == "11 min 5 s; add short sentences, add long sentences, add exclamations and 1 more"


def test_the_letter_that_never_occurs_is_named() -> None:
    clips = [clip(number, text=f"The brown fox jumps over the lazy dog {number}.") for number in range(30)]
    said = codes(clips)["letters"]
    assert said.message.startswith("c, i, k, q never occur")
    assert said.todo == "add words with c, i, k, q"


def test_a_clip_of_another_pace_or_loudness_is_found_among_its_like() -> None:
    clips = good(60)
    clips[7] = clip(7, measures={"characters_per_second": 31.0})
    clips[8] = clip(8, measures={"rms_dbfs": -44.0})
    found = health(clips, "en")
    assert found.findings["pace"] == ["segment-7"]
    assert found.findings["loudness"] == ["segment-8"]
    # One clip far off is a finding; only a spread of many is a matter of the whole.
    assert {"pace"} == set(codes(clips)) - set(codes(good(60)))
    uneven = [clip(number, measures={"rms_dbfs": -20.0 - number % 20}) for number in range(60)]
    assert "loudness" in codes(uneven)


def test_a_handful_of_clips_is_not_blamed_for_all_that_it_lacks() -> None:
    few = [clip(number, seconds=4.0, text="Yes.", split="train") for number in range(ENOUGH_CLIPS - 1)]
    assert set(codes(few)) == {"amount", "no_validation", "repeated"}


def test_loudness_as_heard_is_taken_where_it_was_measured() -> None:
    heard = [clip(number, measures={"loudness_lufs": -19.0}) for number in range(3)]
    found = health(heard, "en")
    assert found.loudness_spread is not None
    assert (found.loudness_spread.unit, found.loudness_spread.median) == ("LUFS", -19.0)
    level = health(good(3), "en").loudness_spread
    assert level is not None
    assert level.unit == "dBFS RMS"


def test_the_gap_lies_between_the_two_sides_of_one_recording() -> None:
    clips = [
        clip(n, recording=1, start=n * 3.0, end=n * 3.0 + 2.8, split="train" if n < 8 else "validation")
        for n in range(10)
    ]
    found = health(clips, "en")
    assert found.gap == 0.2
    assert "blocks_meet" in {advice.code for advice in advise(found)}
    assert health(good(), "en").gap is not None
    apart = [clip(n, recording=1 + (n == 9)) for n in range(10)]
    assert health(apart, "en").gap is None


def test_a_clip_that_cannot_be_read_is_counted_and_reported() -> None:
    gone = MeasuredClip(clip(3).row, {}, "gone from the disk")
    found = health([*good(3), gone], "en")
    assert found.findings["damaged"] == ["segment-3"]
    assert found.clips == 4
    assert found.snr_spread is not None
    assert found.snr_spread.clips == 3


def test_lists_of_clips_are_cut_but_their_number_is_not() -> None:
    clips = [clip(number, measures={"snr_db": 1.0}) for number in range(700)]
    told = health_as_dict(health(clips, "en"))["findings"]["noisy"]
    assert (told["clips"], len(told["ids"])) == (700, 500)


def test_a_version_of_one_clip_has_a_health() -> None:
    found: Health = health([clip(0)], "en")
    assert found.clips == 1
    assert {advice.code for advice in advise(found)} == {"amount", "no_validation", "one_recording"}
    assert replace(found, clips=1) == found


@given(
    st.lists(st.integers(-12_000, 40_000).map(lambda value: value / 100), min_size=1, max_size=300),
    st.sampled_from([0.5, 1.0, 5.0]),
)
def test_a_histogram_counts_every_value_once(values: list[float], width: float) -> None:
    drawn = spread(values, "dB", width)
    assert drawn is not None
    assert sum(drawn.counts) == len(values) == drawn.clips
    assert len(drawn.edges) == len(drawn.counts) + 1 <= MOST_BARS + 1
    assert drawn.edges[0] <= min(values) <= max(values) <= drawn.edges[-1]
    for place, count in enumerate(drawn.counts):
        assert count == sum(1 for value in values if drawn.edges[place] <= value < drawn.edges[place + 1])


def test_nothing_measured_has_no_spread() -> None:
    assert spread([], "s", 1.0) is None
    assert outliers([]) == []
    assert outliers([5.0] * 20 + [9.0], least_deviation=0.5) == [20]
