"""How long a process takes until a model can speak, beside what cannot be left out: imports, and reading weights."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from xttsproject.xtts.projections import Precision
from xttsproject.xtts.weights import MODEL_FILE

_ROOT = Path(__file__).parents[3]
_PIECE = 1 << 24

_CHILD = """
import json, sys, time
from pathlib import Path
begun = time.perf_counter()
import torch
import xttsproject.xtts.engine
import TTS.tts.layers.xtts.hifigan_decoder, TTS.tts.layers.xtts.perceiver_encoder
import xttsproject.xtts.tokenizer
imported = time.perf_counter()
if sys.argv[4] != "0":
    torch.set_num_threads(int(sys.argv[4]))
bundle, precision, packed = Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
xttsproject.xtts.engine.XttsEngine.load(bundle, precision=precision, packed_dir=packed)
print(json.dumps([imported - begun, time.perf_counter() - imported]))
"""
"""The imports are those that the load would make itself."""


@dataclass(frozen=True)
class Loading:
    """Seconds: of reading the bundle's weights from the file system's cache; of the imports; of loading, the first
    time, which may make and keep shrunk weights, and later. ``share`` is imports and later load beside imports and
    reading.
    """

    read_s: float
    import_s: float
    first_load_s: float
    load_s: float
    share: float

    def figures(self) -> dict[str, float]:
        return {name: round(value, 2) for name, value in asdict(self).items()}


def measure_loading(
    bundle: Path, precision: Precision, packed_dir: Path, threads: int, rounds: int, log: Callable[[str], None]
) -> Loading:
    """Each load is a process of its own, in turn with reading. On a processor."""
    first = _load(bundle, precision, packed_dir, threads)[1]
    reads, imports, loads = [], [], []
    for _ in range(rounds):
        reads.append(_read(bundle / MODEL_FILE))
        imported, loaded = _load(bundle, precision, packed_dir, threads)
        imports.append(imported)
        loads.append(loaded)
    read, imported, loaded = (statistics.median(each) for each in (reads, imports, loads))
    found = Loading(read, imported, first, loaded, (imported + loaded) / (imported + read))
    log(f"loading {precision}: {found.figures()}")
    return found


def _read(path: Path) -> float:
    begun, piece = time.perf_counter(), bytearray(_PIECE)
    with open(path, "rb", buffering=0) as file:
        while file.readinto(piece):
            pass
    return time.perf_counter() - begun


def _load(bundle: Path, precision: Precision, packed_dir: Path, threads: int) -> tuple[float, float]:
    words = [sys.executable, "-c", _CHILD, str(bundle), precision, str(packed_dir), str(threads)]
    told = subprocess.run(words, cwd=_ROOT, stdout=subprocess.PIPE, text=True, check=True, timeout=600).stdout
    imported, loaded = json.loads(told.splitlines()[-1])
    return imported, loaded
