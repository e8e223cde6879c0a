"""Codes are drawn by the same law as Hugging Face draws them."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from xttsproject.xtts.sampling import Chooser, Draw, uniforms
from xttsproject.xtts.types import LONGEST_SEED

CODES = 60


def reference_chances(logits: Tensor, heard: list[int], draw: Draw) -> Tensor:
    """The distribution by transformers' own processors, in the order in which generate() calls them."""
    from transformers import (
        RepetitionPenaltyLogitsProcessor,
        TemperatureLogitsWarper,
        TopKLogitsWarper,
        TopPLogitsWarper,
    )

    ids, scores = torch.tensor([heard]), logits[None]
    steps = [RepetitionPenaltyLogitsProcessor(draw.repetition_penalty), TemperatureLogitsWarper(draw.temperature)]
    if draw.top_k:
        steps.append(TopKLogitsWarper(draw.top_k))
    steps.append(TopPLogitsWarper(draw.top_p))
    for step in steps:
        scores = step(ids, scores)
    return scores[0].softmax(dim=-1)


def drawn_shares(logits: Tensor, heard: list[int], draw: Draw, draws: int) -> Tensor:
    """How often each code comes when many rows with other seeds choose from the same logits."""
    already = torch.zeros(draws, CODES, dtype=torch.bool)
    already[:, heard] = True
    chooser = chooser_of([draw] * draws, already)
    luck = [uniforms(seed, 1)[0] for seed in range(draws)]
    return torch.bincount(chooser.choose(logits.expand(draws, -1), luck), minlength=CODES) / draws


def chooser_of(draws: list[Draw], heard: Tensor | None = None) -> Chooser:
    chooser = Chooser(torch.device("cpu"), CODES, room=len(draws) + 2)
    chooser.join(draws, torch.zeros(len(draws), CODES, dtype=torch.bool) if heard is None else heard)
    return chooser


@pytest.mark.parametrize(
    "draw",
    [
        Draw(temperature=0.75, top_k=50, top_p=0.85, repetition_penalty=10.0),
        Draw(temperature=1.3, top_k=5, top_p=1.0, repetition_penalty=1.0),
        Draw(temperature=0.6, top_k=0, top_p=0.5, repetition_penalty=2.0),
    ],
)
def test_many_draws_follow_the_reference_distribution(draw: Draw) -> None:
    logits = torch.randn(CODES, generator=torch.Generator().manual_seed(4)) * 2
    heard = [1, int(logits.argmax()), 7]
    expected = reference_chances(logits, heard, draw)
    shares = drawn_shares(logits, heard, draw, 20_000)
    assert set(shares.nonzero()[:, 0].tolist()) <= set(expected.nonzero()[:, 0].tolist())
    assert (shares - expected).abs().max() < 0.015


def test_rows_keep_their_own_sampling() -> None:
    logits = torch.randn(3, CODES, generator=torch.Generator().manual_seed(1))
    draws = [Draw(greedy=True, repetition_penalty=1.0), Draw(top_k=1, repetition_penalty=1.0), Draw(temperature=2.0)]
    chooser = chooser_of(draws)
    lucks = [uniforms(seed, 4) for seed in (1, 2, 3)]
    chosen = [chooser.choose(logits, list(luck)) for luck in zip(*lucks, strict=True)]
    assert {int(row[0]) for row in chosen} == {int(logits[0].argmax())}
    assert {int(row[1]) for row in chosen} == {int(logits[1].argmax())}
    assert len({int(row[2]) for row in chosen}) > 1


def test_a_code_that_was_spoken_is_weakened_from_then_on() -> None:
    logits = torch.full((1, CODES), -5.0)
    logits[0, 3], logits[0, 9] = 4.0, 3.0
    chooser = chooser_of([Draw(greedy=True, repetition_penalty=2.0)])
    assert [int(chooser.choose(logits, [0.5])) for _ in range(2)] == [3, 9]


def test_rows_that_join_and_leave_take_their_own_past_along() -> None:
    logits = torch.full((1, CODES), -5.0)
    logits[0, 3], logits[0, 9] = 4.0, 3.0
    greedy = Draw(greedy=True, repetition_penalty=2.0)
    chooser = chooser_of([greedy])
    assert chooser.choose(logits, [0.5]).tolist() == [3]
    chooser.join([greedy, greedy], torch.zeros(2, CODES, dtype=torch.bool))
    assert chooser.choose(logits.expand(3, -1), [0.5] * 3).tolist() == [9, 3, 3]
    chooser.keep([2, 0])
    assert chooser.choose(logits.expand(2, -1), [0.5] * 2).tolist() == [9, 3]


def test_the_same_seed_draws_the_same_codes_and_another_one_others() -> None:
    logits = torch.zeros(1, CODES)

    def codes(seed: int) -> list[int]:
        chooser = chooser_of([Draw(top_p=1.0, repetition_penalty=1.0)])
        return [int(chooser.choose(logits, [luck])) for luck in uniforms(seed, 20)]

    assert codes(5) == codes(5) != codes(6)


def test_every_seed_that_is_allowed_has_luck_of_its_own():
    """The generator itself takes 32 bits: what is 2^32 apart would say the same."""
    below, step = 2**32, 2**32
    seeds = [3, 3 + step, 3 + 2 * step, 5, 5 + 3 * step, below - 1, below, LONGEST_SEED, LONGEST_SEED - step]
    lucks = [tuple(uniforms(seed, 8)) for seed in seeds]
    assert len(set(lucks)) == len(seeds)
    # Halves that are exchanged, too: 3 and 5 against 5 and 3.
    assert not set(uniforms(3 + 5 * step, 8)) & set(uniforms(5 + 3 * step, 8))
    assert all(0.0 <= number < 1.0 for luck in lucks for number in luck)
    assert uniforms(3 + step, 20)[:8] == list(lucks[1])


def test_seeds_below_2_to_the_32_say_what_they_always_said():
    for seed in (0, 7, 999_999_999, 2**32 - 1):
        generator = torch.Generator().manual_seed(seed)
        assert uniforms(seed, 6) == torch.rand(6, generator=generator, dtype=torch.float64).tolist()
    assert uniforms(7, 2) == pytest.approx([0.279380429906404, 0.27369371365176565], abs=1e-12)
