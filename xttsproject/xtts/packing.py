"""Shrunk weights, kept in a file, so that the next load of the same model reads them instead of making them again.

Quantising the released model's matrices takes many times as long as reading them. A file is named after what it was
made of and how: the model's content, the precision, the layout here, and PyTorch's version. It is written whole or not
at all, and looked through before it is used: what is not as it was written is made anew.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from xttsproject.lib.files import atomic_path
from xttsproject.xtts.projections import Precision, shrunk
from xttsproject.xtts.weights import State

logger = logging.getLogger(__name__)

_LAYOUT = 1
"""Of the files; whoever changes what :func:`~xttsproject.xtts.projections.shrunk` gives counts on."""
_KEPT = 6
"""Files in the folder; those that were read least recently leave. Each is a quarter to half of the model's size."""


@dataclass(frozen=True)
class Shrunk:
    """The weights of some matrices: of each the tensors that :func:`~xttsproject.xtts.projections.shrunk` gives."""

    tensors: Mapping[str, Tensor]

    def of(self, name: str) -> dict[str, Tensor]:
        """Those of the matrix called ``name``."""
        return {
            leaf: self.tensors[f"{name}/{leaf}"] for leaf in ("weight", "scales") if f"{name}/{leaf}" in self.tensors
        }


def shrunk_weights(
    folder: Path, content: str, state: State, names: Iterable[str], precision: Precision, pool: Executor
) -> Shrunk | None:
    """The weights called ``names`` of ``state``, from the folder's file or made and written to it.

    ``content`` tells the state from every other one; the threads of ``pool`` do the work. None where no file can be
    written, which is logged: then whoever wants the weights shrinks them for themselves.
    """
    wanted = {name: (state[name].shape[1], state[name].shape[0]) for name in names}
    path = folder / f"{_key(content, precision)}.safetensors"
    if path.exists():
        try:
            found = _read(path, wanted, pool)
            path.touch()
            return found
        except (SafetensorError, OSError, ValueError, KeyError) as error:
            logger.warning("The shrunk weights in %s are damaged and are made anew: %s", path.name, error)
    try:
        made = pool.map(lambda name: shrunk(state[name], precision), wanted)
        tensors = {
            f"{name}/{leaf}": value for name, own in zip(wanted, made, strict=True) for leaf, value in own.items()
        }
        with atomic_path(path) as temporary:
            save_file(tensors, temporary, {"sums": json.dumps({name: _sum(value) for name, value in tensors.items()})})
        # Now from the file, so that they are not in memory twice while they are packed.
        del tensors
        _make_room(folder, path)
        return _read(path, wanted, pool)
    except (SafetensorError, OSError, ValueError, KeyError) as error:
        logger.warning("The shrunk weights of the model cannot be kept in %s: %s", folder, error)
        return None


def _key(content: str, precision: Precision) -> str:
    told = [content, precision, str(_LAYOUT), torch.__version__]
    return f"{precision}-{hashlib.sha256(json.dumps(told).encode()).hexdigest()[:40]}"


def _read(path: Path, wanted: Mapping[str, tuple[int, int]], pool: Executor) -> Shrunk:
    """Raises ValueError, or what the library raises, for a file that is not what was written."""
    with safe_open(str(path), framework="pt") as handle:
        tensors = {name: handle.get_tensor(name) for name in handle.keys()}  # noqa: SIM118
        sums = json.loads((handle.metadata() or {})["sums"])
    for name, shape in wanted.items():
        if tuple(tensors[f"{name}/weight"].shape) != shape:
            raise ValueError(f"{name} has the shape {tuple(tensors[f'{name}/weight'].shape)}")
    for name, found in zip(tensors, pool.map(_sum, tensors.values()), strict=True):
        if found != sums[name]:
            raise ValueError(f"{name} is not what was written")
    return Shrunk(tensors)


def _sum(value: Tensor) -> int:
    """Of all bits, as fast as memory gives them: finds what a disk does to a file, not what a forger does."""
    # By NumPy, which keeps to this thread: PyTorch would wait for others, on cores that are busy with other sums.
    flat = value.contiguous().view(-1).view(torch.uint8).numpy()
    whole = len(flat) // 8 * 8
    return int(flat[:whole].view(np.int64).sum()) + int(flat[whole:].sum())


def _make_room(folder: Path, newest: Path) -> None:
    others = [path for path in folder.glob("[!.]*.safetensors") if path != newest]
    others.sort(key=lambda path: path.stat().st_mtime_ns, reverse=True)
    for path in others[_KEPT - 1 :]:
        path.unlink(missing_ok=True)
