"""The benchmarks of this app. ``tiny``: the gates of the models that came with the project."""

from __future__ import annotations

import time
from argparse import ArgumentParser
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.conf import settings

from xttsproject.lib.benchmarks import Benchmark, Log, add_benchmark


def _arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--work",
        type=Path,
        default=Path(settings.DATA_ROOT, "tiny"),
        help="folder of rendered speech and bundles (default: tiny below DATA_ROOT)",
    )
    parser.add_argument("--quick", action="store_true", help="a small, fixed part of the sentences")
    parser.add_argument("--no-finetune", action="store_true", help="leave out what trains")
    parser.add_argument("--threads", type=int, default=None, help="processor threads (default: torch's choice)")


def _tiny(options: Mapping[str, Any], log: Log) -> Mapping[str, Any]:
    from training.engine.tiny.gates.goals import missed, table
    from training.engine.tiny.gates.measure import Wish, measure
    from training.engine.tiny.gates.record import build_bundles

    begun = time.monotonic()
    work: Path = options["work"]
    # Always of the shipped weights, whatever lies in MODELS_DIR.
    speaks, listens = build_bundles(work / "gates" / "bundles")
    finetune = not options["no_finetune"]
    wish = Wish(
        speaks,
        listens,
        work,
        quick=options["quick"],
        finetune=finetune,
        threads=options["threads"],
    )
    figures = measure(wish, log)
    log(table(figures))
    facts = {"quick": options["quick"], "seconds": round(time.monotonic() - begun, 1)}
    return {**figures, "missed": missed(figures, leave_out=None if finetune else "finetune"), **facts}


add_benchmark(Benchmark("tiny", "what the tiny models can do, against their goals", _tiny, _arguments))
