"""What figures are worth, and what they come to."""

from __future__ import annotations

import pytest

from training.engine.figures import BY_NAME, FIGURES, Figure, best, counted, judge

OWN = {"similarity": 0.9, "seconds_per_character": 0.08, "loudness": -23.0, "silence": 0.2}


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("similarity", 0.9, 1.0),
        ("similarity", 0.95, 1.0),  # more alike than the speaker to themselves is no loss
        ("similarity", 0.65, 0.5),
        ("similarity", 0.1, 0.0),
        ("character_error_rate", 0.0, 1.0),
        ("character_error_rate", 0.25, 0.75),
        ("character_error_rate", 1.8, 0.0),
        ("seconds_per_character", 0.08, 1.0),
        ("seconds_per_character", 0.16, 0.0),  # twice as long costs as much as
        ("seconds_per_character", 0.04, 0.0),  # half as long
        ("seconds_per_character", 0.0, 0.0),
        ("loudness", -29.0, 0.5),
        ("loudness", -17.0, 0.5),
        ("silence", 0.45, 0.5),
        ("babble_rate", 0.25, 0.5),
        ("babble_rate", 0.6, 0.0),
    ],
)
def test_a_figure_is_worth_less_the_farther_it_is_on_the_worse_side(name: str, value: float, expected: float) -> None:
    assert BY_NAME[name].goodness(value, OWN.get(name)) == pytest.approx(expected)


def test_what_is_not_known_is_not_judged() -> None:
    assert BY_NAME["similarity"].goodness(0.5, None) is None
    assert BY_NAME["similarity"].goodness(None, 0.9) is None
    assert BY_NAME["similarity"].goodness(float("nan"), 0.9) is None
    # Its ideal is nobody's own.
    assert BY_NAME["character_error_rate"].goodness(0.5, None) == 0.5


def test_the_composite_is_the_weighted_mean() -> None:
    figures = {
        "similarity": 0.65,  # 0.5
        "character_error_rate": 0.2,  # 0.8
        "seconds_per_character": 0.08,  # 1
        "loudness": -29.0,  # 0.5
        "silence": 0.2,  # 1
        "babble_rate": 0.1,  # 0.8
    }
    found = judge({"a": figures}, OWN)["a"]
    assert found.composite == pytest.approx(0.375 * 0.5 + 0.375 * 0.8 + 0.1 * 1 + 0.05 * 0.5 + 0.05 * 1 + 0.05 * 0.8)
    assert found.parts["character_error_rate"] == pytest.approx(0.8)


def test_a_figure_that_one_lacks_counts_for_none() -> None:
    full = {"similarity": 0.9, "character_error_rate": 0.5}
    verdicts = judge({"full": full, "deaf": {"similarity": 0.65, "character_error_rate": None}}, OWN)
    assert verdicts["full"].composite == pytest.approx(1.0)
    assert verdicts["deaf"].composite == pytest.approx(0.5)
    assert [figure.name for figure in counted([full, {"similarity": 0.1}], OWN)] == ["similarity"]


def test_nothing_to_count_is_no_score() -> None:
    assert judge({"a": {}}, OWN)["a"].composite is None
    assert judge({}, OWN) == {}
    assert counted([], OWN) == ()


def test_the_weights_are_shares_and_the_names_are_unlike() -> None:
    assert sum(figure.weight for figure in FIGURES) == pytest.approx(1)
    assert len(BY_NAME) == len(FIGURES)


def test_a_further_figure_is_one_more_entry() -> None:
    breath = Figure("breath_rate", "Breath", "lower", weight=0.1, span=0.5, ideal=0.0)
    assert breath.goodness(0.25, None) == 0.5


def test_the_best_is_the_highest_and_the_first_of_equals() -> None:
    assert best([(1, 0.4), (2, None), (3, 0.6), (4, 0.6)]) == 3
    assert best([(1, None)]) is None
