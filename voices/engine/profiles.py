"""The quality profiles that come with the portal: names for values of sampling and of the guard, so that nobody has to
know them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class BuiltinProfile:
    """A name, what it is for, and its values, as :class:`xttsproject.xtts.types.Sampling` and
    :class:`xttsproject.xtts.guard.retries.GuardSettings` take them; ``candidates`` are a careful guard's alone.
    """

    name: str
    purpose: str
    temperature: float
    top_k: int
    top_p: float
    repetition_penalty: float
    speed: float = 1.0
    guard: str = "fast"
    max_retries: int = 2
    candidates: int | None = None

    @property
    def values(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in (*VALUES, *GUARDING)}


VALUES = ("temperature", "top_k", "top_p", "repetition_penalty", "speed")
"""What a profile sets of sampling. A seed is no quality; a length penalty weighs beams, and nothing here decodes in
beams."""

GUARDING = ("guard", "max_retries", "candidates")
"""What it sets of the guard."""

BUILTIN = (
    BuiltinProfile("balanced", "The values that XTTS-v2 was released with.", 0.75, 50, 0.85, 10.0),
    BuiltinProfile(
        "fast",
        "Few choices per code, so that few sentences wander on to their cap: what is not decoded takes no time.",
        0.65,
        20,
        0.80,
        10.0,
        max_retries=1,
    ),
    BuiltinProfile(
        "expressive",
        "Livelier melody, at the price of an odd sentence now and then, which is said again.",
        0.90,
        80,
        0.92,
        7.0,
        max_retries=3,
    ),
    BuiltinProfile("stable", "The same tone from sentence to sentence, for long texts.", 0.55, 30, 0.75, 10.0),
    BuiltinProfile(
        "high_quality",
        "Between balanced and stable, and of three candidates the one that is understood best: for recordings.",
        0.65,
        50,
        0.80,
        10.0,
        guard="careful",
        candidates=3,
    ),
)
