"""The benchmarks of this app; the work is in ``datasets.pipeline.benchmark``."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.conf import settings

from xttsproject.lib.benchmarks import Benchmark, Log, add_benchmark


def _segmentation_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--audio",
        type=Path,
        default=None,
        help="a recording, or a folder of clips to be joined (default: ../shared/data/lj beside the checkout, or "
        "synthetic speech where that is missing)",
    )
    parser.add_argument("--seconds", type=float, default=3600.0, help="length of the recording (default: one hour)")


def _segmentation(options: Mapping[str, Any], log: Log) -> Mapping[str, Any]:
    from datasets.pipeline.benchmark.segmentation import measure_segmentation

    beside = Path(settings.BASE_DIR).parent / "shared" / "data" / "lj"
    audio = options["audio"] or (beside if beside.is_dir() else None)
    return measure_segmentation(audio, options["seconds"], log)


add_benchmark(Benchmark("segmentation", "speech detection beside silero's own", _segmentation, _segmentation_arguments))
