"""Adapters in a stack add what they add by themselves, each to its own rows."""

from __future__ import annotations

import gc

import pytest
import torch

from xttsproject.xtts.adapters import Adapter, Shares
from xttsproject.xtts.stack import Stack

CPU = torch.device("cpu")
NAMES = ("gpt.h.0.attn.c_attn", "gpt.h.0.mlp.c_fc")
INPUTS, OUTPUTS = 12, 20


def adapter(seed: int, rank: int = 4, names: tuple[str, ...] = NAMES) -> Adapter:
    generator = torch.Generator().manual_seed(seed)
    return Adapter(
        {
            name: (
                torch.randn(rank, INPUTS, generator=generator),
                torch.randn(OUTPUTS, rank, generator=generator),
            )
            for name in names
        }
    )


def assert_added(stack: Stack, adapters: list[Adapter | None]) -> None:
    """For these rows it adds what each one adds alone."""
    places = stack.places(adapters)
    assert places is not None
    x = torch.randn(len(adapters), 1, INPUTS, generator=torch.Generator().manual_seed(9))
    shares = stack.at(torch.tensor(places))
    for name in NAMES:
        product = torch.ones(len(adapters), 1, OUTPUTS)
        expected = Shares.of(adapters, CPU).add(name, x, product.clone())
        assert torch.allclose(shares.add(name, x, product), expected, atol=1e-5)


def test_every_row_gets_what_its_own_adapter_adds() -> None:
    one, other, partly = adapter(1), adapter(2, rank=9), adapter(3, names=NAMES[:1])
    stack = Stack(CPU, torch.float32)
    assert_added(stack, [one])
    assert_added(stack, [None, one, None])
    assert_added(stack, [partly, one, other, one, None])
    assert_added(stack, [other, partly])


def test_what_fits_moves_nothing_and_what_does_not_says_so() -> None:
    stack, first = Stack(CPU, torch.float32), adapter(1)
    assert_added(stack, [first])
    generation = stack.generation
    assert_added(stack, [first, None])
    assert stack.generation == generation
    second = adapter(2)
    assert_added(stack, [first, second])
    assert stack.generation == generation + 1
    assert_added(stack, [second, None, first])
    assert stack.generation == generation + 1
    larger = adapter(3, rank=20)
    assert_added(stack, [larger, second, first])
    assert stack.generation == generation + 2
    # A fourth has room beside three.
    assert_added(stack, [adapter(4)])
    assert stack.generation == generation + 2


def test_the_least_recently_used_leaves_and_nothing_of_it_stays() -> None:
    stack, many = Stack(CPU, torch.float32), [adapter(seed, rank=8) for seed in range(8)]
    assert_added(stack, [*many])
    assert_added(stack, [many[0]])
    generation = stack.generation
    assert_added(stack, [many[0], newcomer := adapter(11, rank=2, names=NAMES[:1])])
    assert_added(stack, [newcomer, *many[2:]])
    assert_added(stack, [many[1], many[7], None])
    assert stack.generation == generation


def test_more_than_it_holds_are_refused_and_it_goes_on() -> None:
    stack, many = Stack(CPU, torch.float32), [adapter(seed) for seed in range(9)]
    assert stack.places([*many]) is None
    assert_added(stack, [*many[:8]])


@pytest.mark.parametrize("value", [torch.inf, torch.nan])
def test_one_that_is_not_finite_is_refused(value: float) -> None:
    stack, good, damaged = Stack(CPU, torch.float32), adapter(1), adapter(2)
    damaged.factors[NAMES[1]][1][3, 2] = value
    for _ in range(2):
        assert stack.places([good, damaged]) is None
    assert_added(stack, [good, None])


def test_what_a_row_comes_to_with_another_rows_adapter_does_not_matter() -> None:
    stack, one = Stack(CPU, torch.float32), adapter(1)
    places = stack.places([one, None])
    assert places is not None
    x = torch.ones(2, 1, INPUTS)
    x[1] = 3e38
    product = stack.at(torch.tensor(places)).add(NAMES[0], x, torch.zeros(2, 1, OUTPUTS))
    assert torch.equal(product[1], torch.zeros(1, OUTPUTS))


def test_it_keeps_no_adapter_alive_that_has_left_memory() -> None:
    stack, gone = Stack(CPU, torch.float32), adapter(1)
    assert_added(stack, [gone])
    del gone
    gc.collect()
    generation = stack.generation
    # Its place is free, and is not taken for that of another at the same address.
    assert_added(stack, [adapter(2)])
    assert stack.generation == generation
