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
if sys.argv[4] != "0":
    torch.set_num_threads(int(sys.argv[4]))
if sys.argv[5] == "imports":
    # Those that the load makes itself.
    import TTS.tts.layers.xtts.hifigan_decoder, TTS.tts.layers.xtts.perceiver_encoder
    import xttsproject.xtts.tokenizer
else:
    bundle, precision, packed = Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
    xttsproject.xtts.engine.XttsEngine.load(bundle, precision=precision, packed_dir=packed)
print(json.dumps(time.perf_counter() - begun))
"""


@dataclass(frozen=True)
class Loading:
    """Seconds: of reading the bundle's weights from the file system's cache; of the imports; of both and all else until
    a new process can speak, the first time, when shrunk weights are made and kept, and later. ``share`` is the last
    beside reading and imports of the same turn. All but the first time are medians.
    """

    read_s: float
    import_s: float
    first_ready_s: float
    ready_s: float
    share: float

    def figures(self) -> dict[str, float]:
        return {name: round(value, 4) for name, value in asdict(self).items()}


def measure_loading(
    bundle: Path, precision: Precision, packed_dir: Path, threads: int, rounds: int, log: Callable[[str], None]
) -> Loading:
    """Each is a process of its own, in turn with reading. On a processor.

    Imports scatter by a third from process to process, and slow spells of a machine last for longer than a turn: so
    a share is that of a turn.
    """

    def child(what: str) -> float:
        return _child(bundle, precision, packed_dir, threads, what)

    first = child("load")
    turns = [(_read(bundle / MODEL_FILE), child("imports"), child("load")) for _ in range(rounds)]
    read, imported, ready = (statistics.median(each) for each in zip(*turns, strict=True))
    share = statistics.median(loaded / (brought + reading) for reading, brought, loaded in turns)
    found = Loading(read, imported, first, ready, share)
    log(f"loading {precision}: {found.figures()}")
    return found


def _read(path: Path) -> float:
    begun, piece = time.perf_counter(), bytearray(_PIECE)
    with open(path, "rb", buffering=0) as file:
        while file.readinto(piece):
            pass
    return time.perf_counter() - begun


def _child(bundle: Path, precision: Precision, packed_dir: Path, threads: int, what: str) -> float:
    words = [sys.executable, "-c", _CHILD, str(bundle), precision, str(packed_dir), str(threads), what]
    told = subprocess.run(words, cwd=_ROOT, stdout=subprocess.PIPE, text=True, check=True, timeout=600).stdout
    seconds: float = json.loads(told.splitlines()[-1])
    return seconds
