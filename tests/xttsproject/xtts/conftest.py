"""A loaded engine of random weights and a voice, shared by the tests of this room."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from xttsproject.lib.audio import Audio

if TYPE_CHECKING:
    from xttsproject.xtts.conditioning import Conditioning
    from xttsproject.xtts.engine import XttsEngine


@pytest.fixture(scope="session")
def engine(random_bundle: Path) -> XttsEngine:
    import torch

    from xttsproject.xtts.engine import XttsEngine

    torch.set_num_threads(1)
    return XttsEngine.load(random_bundle)


@pytest.fixture(scope="session")
def clip() -> Audio:
    """Seven seconds of a buzzing, wavering tone with pauses: nobody's voice, but full of overtones."""
    rate = 22_050
    time = np.arange(7 * rate) / rate
    pitch = 140 + 30 * np.sin(2 * np.pi * 0.7 * time)
    phase = 2 * np.pi * np.cumsum(pitch) / rate
    buzz = sum(np.sin(order * phase) / order for order in range(1, 20))
    loud = 0.2 * (np.sin(2 * np.pi * 1.3 * time) > -0.5)
    return Audio((buzz * loud).astype(np.float32), rate)


@pytest.fixture(scope="session")
def voice(engine: XttsEngine, clip: Audio) -> Conditioning:
    return engine.conditioning([clip])
