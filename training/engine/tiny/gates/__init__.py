"""The gates of the tiny models: what they must be able to do, measured on what is shipped, as the product uses it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from training.engine.tiny.recipe import Workshop


def run(workshop: Workshop) -> None:
    """The stage "gates": measure everything, and keep it beside the weights."""
    from training.engine.tiny.gates.record import keep

    keep(workshop)
