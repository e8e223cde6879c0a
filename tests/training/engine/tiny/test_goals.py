"""The goals are those that were set, and the table says of each figure whether it is reached."""

from __future__ import annotations

import math

import pytest

from training.engine.tiny.gates.goals import GOALS, missed, table

BY_FIGURE = {goal.figure: goal for goal in GOALS}
GOOD = {
    "whisper_cer_clean": 0.05, "whisper_cer_noise": 0.1, "word_time_error_ms": 60.0, "speech_cer_seen": 0.1,
    "speech_cer_cloned": 0.2, "retrieval_50": 0.97, "retrieval_one_word": 0.8, "duration_ok": 1.0,
    "pitch_within_1_5_semitones": 0.9, "speaker_identification": 1.0, "clone_nearest": 0.8,
    "finetune_similarity_gain": 0.07, "finetune_pitch_change": -0.5, "finetune_cer_change": 0.0, "stop_missed": 0.0,
    "load_s": 0.6,
}  # fmt: skip


def test_every_goal_is_named_once_and_can_be_reached():
    assert len(BY_FIGURE) == len(GOALS)
    assert set(GOOD) == set(BY_FIGURE)
    assert missed(GOOD) == []


@pytest.mark.parametrize(
    ("figure", "value"),
    [
        ("whisper_cer_clean", 0.081),
        ("retrieval_50", 0.949),
        ("stop_missed", 1.0),
        ("load_s", 2.0),
        ("finetune_pitch_change", 0.0),
        ("finetune_cer_change", 0.001),
        ("word_time_error_ms", math.inf),
        ("clone_nearest", math.nan),
    ],
)
def test_what_falls_short_is_named(figure, value):
    assert missed({**GOOD, figure: value}) == [figure]


def test_the_table_has_a_row_for_each_goal_with_its_bound_and_what_was_reached():
    rows = table({**GOOD, "retrieval_50": 0.5}).splitlines()
    assert len(rows) == 2 + len(GOALS)
    found = {row.split("`")[1]: [cell.strip() for cell in row.split("|")[3:6]] for row in rows[2:]}
    assert found["whisper_cer_clean"] == ["≤ 8.0 %", "5.0 %", "yes"]
    assert found["word_time_error_ms"] == ["≤ 80 ms", "60 ms", "yes"]
    assert found["retrieval_50"] == ["≥ 95.0 %", "50.0 %", "**no**"]
    assert found["finetune_pitch_change"] == ["< 0", "-0.500", "yes"]
    assert found["load_s"] == ["< 2.00 s", "0.60 s", "yes"]
    assert "not measured" in table({}).splitlines()[2]
