"""How many codes each piece of a stream's sound is made of. Loads no ML library."""

from __future__ import annotations

FIRST_CODES = 12
"""Codes after which the first sound comes: below, the part that is held back leaves next to nothing to hear."""

_MOST_CODES = 64
_GROWTH = 1.5


def next_codes(codes: int) -> int:
    """How many codes the piece after one of so many codes has: pieces grow, because each costs its surroundings."""
    return min(round(codes * _GROWTH), _MOST_CODES)
