"""What a search proposes: within bounds, every point once, the same for the same seed."""

from __future__ import annotations

import itertools
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.engine.search import BY_NAME, PARAMETERS, Dimension, Space, propose, read_dimension
from xttsproject.lib.errors import DomainError

RATES = st.floats(1e-6, 0.5)
WHOLE = st.integers(1, 64)


@st.composite
def dimensions(draw: Any, name: str, *, ranges: bool = True) -> Dimension:
    words = BY_NAME[name].words
    if words is not None:
        chosen = draw(st.lists(st.sampled_from(list(words.values())), min_size=1, unique=True))
        return Dimension(name, tuple(chosen))
    numbers = RATES if BY_NAME[name].kind in ("rate", "share") else WHOLE
    if ranges and draw(st.booleans()):
        low, high = sorted(draw(st.lists(numbers, min_size=2, max_size=2, unique=True)))
        return Dimension(name, (), low, high)
    return Dimension(name, tuple(draw(st.lists(numbers, min_size=1, max_size=4, unique=True))))


@st.composite
def spaces(draw: Any, *, ranges: bool = True) -> Space:
    names = draw(st.lists(st.sampled_from([each.name for each in PARAMETERS]), min_size=1, max_size=4, unique=True))
    return Space(tuple(draw(dimensions(name, ranges=ranges)) for name in names))


def inside(dimension: Dimension, value: Any) -> bool:
    if dimension.low is None or dimension.high is None:
        return value in dimension.values
    return bool(dimension.low <= value <= dimension.high)


@given(space=spaces(ranges=False), seed=st.integers(0, 2**31 - 1))
def test_a_grid_tries_every_combination_once(space: Space, seed: int) -> None:
    points = propose(space, "grid", 10_000, seed)
    everything = itertools.product(*(dimension.values for dimension in space))
    assert [tuple(point.values()) for point in points] == list(everything)


@given(space=spaces(ranges=False), count=st.integers(1, 20), seed=st.integers(0, 2**31 - 1))
def test_a_smaller_budget_draws_points_of_the_grid_without_replacement(space: Space, count: int, seed: int) -> None:
    points = [tuple(point.items()) for point in propose(space, "grid", count, seed)]
    assert len(set(points)) == len(points) == min(count, space.size or 0)
    assert set(points) <= {tuple(point.items()) for point in propose(space, "grid", 10_000, seed)}


@settings(max_examples=40)
@pytest.mark.parametrize("method", ["random", "sobol"])
@given(space=spaces(), count=st.integers(1, 12), seed=st.integers(0, 2**31 - 1))
def test_draws_are_within_bounds_different_and_the_same_for_a_seed(
    method: str, space: Space, count: int, seed: int
) -> None:
    points = propose(space, method, count, seed)
    assert len({tuple(point.values()) for point in points}) == len(points) <= count
    for point in points:
        assert list(point) == [dimension.name for dimension in space]
        assert all(inside(dimension, point[dimension.name]) for dimension in space)
    assert propose(space, method, count, seed) == points


def test_a_small_space_is_tried_whole_and_no_point_twice() -> None:
    space = Space((Dimension("lora_rank", (4, 8)), Dimension("batch_size", (), 2, 4)))
    for method in ("random", "sobol"):
        points = {(point["lora_rank"], point["batch_size"]) for point in propose(space, method, 50, 7)}
        assert points == {(4, 2), (4, 3), (4, 4), (8, 2), (8, 3), (8, 4)}


def test_rates_are_drawn_evenly_in_their_logarithm() -> None:
    space = Space((Dimension("learning_rate", (), 1e-5, 1e-3),))
    drawn = [float(point["learning_rate"]) for point in propose(space, "random", 400, 3)]
    assert 0.4 < sum(rate < 1e-4 for rate in drawn) / len(drawn) < 0.6
    linear = Space((Dimension("warmup_fraction", (), 0.0, 0.5),))
    drawn = [float(point["warmup_fraction"]) for point in propose(linear, "random", 400, 3)]
    assert 0.4 < sum(share < 0.25 for share in drawn) / len(drawn) < 0.6


def test_quasi_random_points_leave_no_wide_gap() -> None:
    space = Space((Dimension("learning_rate", (), 1e-5, 1e-3),))

    def widest(method: str) -> float:
        places = sorted(math.log10(float(point["learning_rate"])) for point in propose(space, method, 16, 5))
        return max(b - a for a, b in itertools.pairwise([-5.0, *places, -3.0]))

    # Sixteen of them: one in each sixteenth of the two decades, so no gap is wider than two of those.
    assert widest("sobol") <= 2 * 2 / 16 + 0.01
    assert widest("sobol") < widest("random")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1e-4, 3e-4", Dimension("learning_rate", (1e-4, 3e-4))),
        ("1e-4 3e-4", Dimension("learning_rate", (1e-4, 3e-4))),
        ("5e-5 to 1e-3", Dimension("learning_rate", (), 5e-5, 1e-3)),
        ("5e-5 … 1e-3", Dimension("learning_rate", (), 5e-5, 1e-3)),
        ("  ", None),
    ],
)
def test_values_and_ranges_are_read_as_people_write_them(text: str, expected: Dimension | None) -> None:
    assert read_dimension("learning_rate", text) == expected


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("learning_rate", "fast", "Learning rate: “fast” is no number"),
        ("learning_rate", "1e-3 to 1e-4", "the range from 0.001 to 0.0001 is empty"),
        ("learning_rate", "0 to 1e-4", "has to begin above 0"),
        ("lora_rank", "4, 4", "4 is there twice"),
        ("lora_rank", "1.5", "“1.5” is no whole number"),
        ("epochs", "5 to 5", "the range from 5 to 5 is empty"),
        ("augment_conditioning", "perhaps", "“perhaps” is none of off, on"),
        ("augment_conditioning", "off to on", "it has no range"),
    ],
)
def test_what_cannot_be_searched_is_said_in_one_sentence(name: str, text: str, said: str) -> None:
    with pytest.raises(DomainError) as caught:
        read_dimension(name, text)
    assert caught.value.code == "space_invalid"
    assert caught.value.field == f"space.{name}"
    assert said in caught.value.message


def test_a_grid_has_no_ranges_and_a_search_has_something_to_search() -> None:
    for wrong in (
        lambda: propose(Space((Dimension("learning_rate", (), 1e-5, 1e-3),)), "grid", 3, 1),
        lambda: Space(()),
        lambda: Space.from_dict({"weather": {"values": [1]}}),
        lambda: Space.from_dict({"lora_rank": [1, 2]}),
        lambda: Space.from_dict({"lora_rank": {"values": []}}),
        lambda: Space.from_dict({"lora_rank": {"values": [True]}}),
        lambda: Space.from_dict({"lora_rank": {"values": [1], "low": 1, "high": 2}}),
        lambda: Space.from_dict({"lora_rank": {"low": "a", "high": 2}}),
    ):
        with pytest.raises(DomainError) as caught:
            wrong()
        assert caught.value.code == "space_invalid"


@given(space=spaces())
def test_a_space_survives_being_kept(space: Space) -> None:
    assert Space.from_dict(space.to_dict()) == space
    for dimension in space:
        # What a page shows can be written into the form.
        assert read_dimension(dimension.name, str(dimension)) == dimension
