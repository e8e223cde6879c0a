"""The gates as they are kept beside the weights: ``gates.json``."""

from __future__ import annotations

import json
import os
import platform
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from training.engine.tiny.gates.goals import missed, table
from training.engine.tiny.gates.measure import Wish, measure
from training.engine.tiny.recipe import Workshop
from xttsproject.bundles.tiny import TINY_WHISPER, TINY_XTTS
from xttsproject.bundles.tiny.shipped import RECORD, WEIGHTS
from xttsproject.lib.files import sha256_of, write_json

GATES = "gates.json"


def build_bundles(folder: Path) -> tuple[Path, Path]:
    """Both bundles, made of the shipped weights; the paths of the one that speaks and the one that listens."""
    from xttsproject.bundles.tiny import whisper, xtts

    return xtts.build(folder / TINY_XTTS).path, whisper.build(folder / TINY_WHISPER).path


def keep(workshop: Workshop) -> None:
    """Measure the shipped weights, wholly and on the small set that the tests take, and write both down."""
    speaks, listens = build_bundles(workshop.folder("gates") / "bundles")
    begun = time.monotonic()
    wish = Wish(speaks, listens, workshop.work, threads=workshop.threads)
    figures = measure(wish, workshop.log)
    seconds = time.monotonic() - begun
    quick = measure(replace(wish, quick=True, finetune=False), workshop.log)
    content = {
        "weights": sha256_of(WEIGHTS / RECORD),
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "seconds": round(seconds, 1),
        "figures": figures,
        "quick": quick,
    }
    write_json(WEIGHTS / GATES, content)
    workshop.log("\n" + table(figures))
    workshop.finish("gates", {"seconds": round(seconds, 1), "missed": missed(figures), **figures})


def read_gates(folder: Path = WEIGHTS) -> dict[str, Any]:
    """What :func:`keep` wrote."""
    content: dict[str, Any] = json.loads((folder / GATES).read_text(encoding="utf-8"))
    return content
