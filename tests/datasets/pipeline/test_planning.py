"""The plan's promises on any stretches of speech, and its choices on a few."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from datasets.pipeline.planning import FORCED_CUT, SHORT, SegmentationResult, SegmentSettings, plan_segments

RULES = SegmentSettings()
TOLERANCE = 0.0015
"""Times are rounded to milliseconds."""


@st.composite
def recordings(draw: st.DrawFn) -> tuple[list[tuple[float, float]], float]:
    """Stretches of speech as a detector gives them, and the length of the recording."""
    lengths = draw(st.lists(st.tuples(st.floats(0.03, 5.0), st.floats(0.2, 40.0)), max_size=40))
    position, stretches = draw(st.floats(0.0, 2.0)), []
    for pause, speech in lengths:
        stretches.append((position, position + speech))
        position += speech + pause
    end = stretches[-1][1] if stretches else position
    return stretches, end + draw(st.floats(0.0, 2.0))


def middle(start: float, end: float) -> float:
    return (start + end) / 2


@settings(max_examples=300, deadline=None)
@given(recordings(), st.sampled_from([min, max, middle]))
def test_the_plan_keeps_its_promises(recording: tuple[list[tuple[float, float]], float], quietest) -> None:
    stretches, total = recording
    result = plan_segments(stretches, total, RULES, lambda a, b: quietest(a, b))

    position = 0.0
    for span in result.spans:
        assert span.start >= position - 1e-9, "segments do not overlap"
        position = span.end
        assert RULES.shortest - TOLERANCE <= span.seconds <= RULES.max_seconds + 1e-9
        assert (SHORT in span.flags) == (span.seconds < RULES.min_seconds) or abs(
            span.seconds - RULES.min_seconds
        ) < TOLERANCE
    assert position <= total + TOLERANCE
    _assert_nothing_lost(stretches, result)
    for span in result.spans:
        if FORCED_CUT not in span.flags:
            _assert_padded(stretches, span.start, span.end, total)


def _assert_nothing_lost(stretches: list[tuple[float, float]], result: SegmentationResult) -> None:
    kept = [(span.start, span.end) for span in result.spans] + [(a, b) for a, b, _ in result.left_out]
    for start, end in stretches:
        held = sum(max(0.0, min(end, b) - max(start, a)) for a, b in kept)
        assert held == pytest.approx(end - start, abs=len(kept) * TOLERANCE)
    assert all(reason for _, _, reason in result.left_out)


def _assert_padded(stretches: list[tuple[float, float]], start: float, end: float, total: float) -> None:
    """Silence of 150–250 ms at both ends, unless the recording itself ends sooner; no other speech is touched."""
    inside = [(a, b) for a, b in stretches if a >= start - TOLERANCE and b <= end + TOLERANCE]
    assert inside
    lead, tail = inside[0][0] - start, end - inside[-1][1]
    assert min(RULES.pad_min, inside[0][0]) - TOLERANCE <= lead <= RULES.pad_max + TOLERANCE
    assert min(RULES.pad_min, total - inside[-1][1]) - TOLERANCE <= tail <= RULES.pad_max + TOLERANCE
    for a, b in stretches:
        if (a, b) not in inside:
            assert b <= start + TOLERANCE or a >= end - TOLERANCE


def plan(*stretches: tuple[float, float], total: float = 60.0, quietest=middle) -> SegmentationResult:
    return plan_segments(list(stretches), total, RULES, quietest)


def spans(result: SegmentationResult) -> list[tuple[float, float]]:
    return [(span.start, span.end) for span in result.spans]


def test_a_sentence_is_padded_on_both_sides() -> None:
    assert spans(plan((1, 6))) == [(0.75, 6.25)]


def test_a_recording_that_begins_with_speech_begins_there() -> None:
    assert spans(plan((0, 5), total=5.1)) == [(0, 5.1)]


def test_two_sentences_with_a_pause_between_become_two_segments() -> None:
    assert spans(plan((1, 6), (7, 12))) == [(0.75, 6.25), (6.75, 12.25)]


def test_a_short_word_joins_the_sentence_close_by() -> None:
    assert spans(plan((1, 1.5), (2, 6))) == [(0.75, 6.25)]


def test_the_cut_falls_into_the_longest_pause() -> None:
    result = plan((0.5, 4.5), (5.0, 9.0), (9.9, 13.9))

    assert spans(result) == [(0.25, 9.25), (9.65, 14.15)]


def test_a_pause_without_room_for_padding_is_never_cut() -> None:
    assert spans(plan((1, 5), (5.25, 9))) == [(0.75, 9.25)]


def test_a_lone_word_is_left_out_with_its_reason() -> None:
    result = plan((1, 6), (10, 10.3), (20, 25))

    assert spans(result) == [(0.75, 6.25), (19.75, 25.25)]
    assert result.left_out == ((10, 10.3, "only 0.3 s of speech, with no other speech close by"),)


def test_a_lone_short_sentence_is_kept_and_flagged() -> None:
    (span,) = plan((10, 11.2)).spans

    assert (span.start, span.end, span.flags) == (9.75, 11.45, (SHORT,))


def test_speech_without_a_pause_is_cut_where_it_is_quietest_and_flagged() -> None:
    asked: list[tuple[float, float]] = []

    def quietest(start: float, end: float) -> float:
        asked.append((start, end))
        return start + 0.5

    result = plan((1, 17), quietest=quietest)

    assert asked[0] == pytest.approx((6.499, 11.998))
    assert len(asked) == 1
    assert [span.flags for span in result.spans] == [(FORCED_CUT,), (FORCED_CUT,)]
    assert result.spans[0].end == result.spans[1].start == pytest.approx(6.999)


def test_a_breath_inside_long_speech_is_preferred_to_a_quiet_point() -> None:
    result = plan((1, 9), (9.2, 17))

    assert result.spans[0].end == result.spans[1].start == pytest.approx(9.1)
    assert FORCED_CUT in result.spans[0].flags


def test_silence_gives_no_segments() -> None:
    assert plan() == SegmentationResult((), (), 0, 60.0)


@pytest.mark.parametrize(
    "wrong",
    [
        {"min_seconds": 0.5},
        {"max_seconds": 4.0},
        {"pad_min": 0.3},
        {"pad_min": -0.1},
        {"longest_pause": 0.1},
        {"aim_to": 20.0},
        {"aim_from": 1.5},
    ],
)
def test_settings_that_cannot_be_kept_are_refused_with_the_value(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=str(next(iter(wrong.values()))).removesuffix(".0")):
        SegmentSettings(**wrong)
