"""Codes are drawn by the same law as Hugging Face draws them."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from xttsproject.xtts.sampling import Chooser, Draw

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
    chooser = Chooser([draw] * draws, list(range(draws)), 1, already)
    return torch.bincount(chooser.choose(logits.expand(draws, -1), 0), minlength=CODES) / draws


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
    chooser = Chooser(draws, [1, 2, 3], 4, torch.zeros(3, CODES, dtype=torch.bool))
    chosen = [chooser.choose(logits, step) for step in range(4)]
    assert {int(row[0]) for row in chosen} == {int(logits[0].argmax())}
    assert {int(row[1]) for row in chosen} == {int(logits[1].argmax())}
    assert len({int(row[2]) for row in chosen}) > 1


def test_a_code_that_was_spoken_is_weakened_from_then_on() -> None:
    logits = torch.full((1, CODES), -5.0)
    logits[0, 3], logits[0, 9] = 4.0, 3.0
    chooser = Chooser([Draw(greedy=True, repetition_penalty=2.0)], [0], 2, torch.zeros(1, CODES, dtype=torch.bool))
    assert [int(chooser.choose(logits, step)) for step in range(2)] == [3, 9]


def test_the_same_seed_draws_the_same_codes_and_another_one_others() -> None:
    logits = torch.zeros(1, CODES)

    def codes(seed: int) -> list[int]:
        chooser = Chooser([Draw(top_p=1.0, repetition_penalty=1.0)], [seed], 20, torch.zeros(1, CODES).bool())
        return [int(chooser.choose(logits, step)) for step in range(20)]

    assert codes(5) == codes(5) != codes(6)
