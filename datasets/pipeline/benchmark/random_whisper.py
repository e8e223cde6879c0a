"""A Whisper of a released size whose weights are random: it costs what the real one costs, and says nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from xttsproject.bundles.tiny.whisper_spec import Sizes, state_to_spec
from xttsproject.bundles.tiny.whisper_tokens import Tokens, tokens
from xttsproject.lib.files import write_json

Array = npt.NDArray[np.float32]

SIZES = {"base": (512, 8, 6), "small": (768, 12, 12)}
"""Width, heads, and layers on either side, as released (Radford et al. 2022, table 1)."""
VOCABULARY = 51_865


def build_random_whisper(folder: Path, size: str) -> Path:
    """Write a CTranslate2 folder of this size, a second or a few; returns it."""
    width, heads, layers = SIZES[size]
    ours = tokens()
    filling = tuple(f"Ġfill{number}" for number in range(VOCABULARY - len(ours.all)))
    vocabulary = Tokens(ours.text + filling, ours.merges, ours.special)
    sizes = Sizes(
        width=width,
        heads=heads,
        encoder_layers=layers,
        decoder_layers=layers,
        alignment_heads=((layers - 1, 0), (layers - 1, 1)),
    )
    spec = state_to_spec(_RandomState(sizes), vocabulary, sizes)
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "tokenizer.json", vocabulary.tokenizer)
    spec.validate()
    spec.optimize()
    spec.save(str(folder))
    return folder


class _RandomState(Mapping[str, Array]):
    """Makes each weight as it is asked for, of the size that its name tells."""

    def __init__(self, sizes: Sizes):
        self._sizes, self._chance = sizes, np.random.default_rng(0)

    def __getitem__(self, name: str) -> Array:
        width, inner = self._sizes.width, 4 * self._sizes.width
        if name.endswith("layer_norm.weight"):
            return np.ones(width, np.float32)
        if name.endswith("bias"):
            return np.zeros(inner if ".fc1." in name else width, np.float32)
        if "embed_tokens" in name:
            return self._spread(VOCABULARY, width)
        if "embed_positions" in name:
            return self._spread(self._sizes.sound_positions if "encoder" in name else self._sizes.text_positions, width)
        if ".conv" in name:
            return self._spread(width, self._sizes.mels if "conv1" in name else width, 3)
        rows, columns = (inner, width) if ".fc1." in name else (width, inner) if ".fc2." in name else (width, width)
        return self._spread(rows, columns)

    def __contains__(self, name: object) -> bool:
        # Whisper's keys have no offset.
        return not str(name).endswith("k_proj.bias")

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0

    def _spread(self, *shape: int) -> Array:
        return self._chance.normal(0.0, shape[-1] ** -0.5 / 4, shape).astype(np.float32)
