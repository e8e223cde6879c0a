"""Random weights that are the same bytes on every machine and at every build."""

from __future__ import annotations

import hashlib
import math
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from torch import Tensor

Array = npt.NDArray[np.float32]


def spread(name: str, shape: tuple[int, ...], deviation: float) -> Array:
    """Uniform numbers of this standard deviation around 0, drawn from the name.

    Uniform, because it takes one exact subtraction and one multiplication: normal numbers need logarithms, which
    processors round differently.
    """
    seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "little")
    raw = np.random.Generator(np.random.PCG64(seed)).random(shape, dtype=np.float32)
    return (raw - np.float32(0.5)) * np.float32(2.0 * math.sqrt(3.0) * deviation)


def tensor(name: str, shape: tuple[int, ...], deviation: float) -> Tensor:
    """:func:`spread` as a torch tensor."""
    import torch

    return torch.from_numpy(spread(name, shape, deviation))
