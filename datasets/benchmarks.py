"""The benchmarks of this app; the work is in ``datasets.pipeline.benchmark``."""

from __future__ import annotations

import tempfile
from argparse import ArgumentParser
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.conf import settings

from xttsproject import storage
from xttsproject.bundles.manifest import open_bundle
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


def _transcription_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--audio", type=Path, default=None, help="a recording or a folder of them (default: synthetic)")
    parser.add_argument(
        "--bundle", default=settings.WHISPER_BUNDLE, help="the Whisper bundle (default: WHISPER_BUNDLE)"
    )
    parser.add_argument(
        "--random", choices=("base", "small"), default="", help="a Whisper of this size with random weights instead"
    )
    parser.add_argument("--tokens-per-second", type=float, default=3.5, help="of a random model (default: 3.5)")
    parser.add_argument("--compute-type", default="default", help="as CTranslate2 names it (default: the model's own)")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--repeat", type=int, default=3, help="runs of each, of which the fastest counts (default: 3)")


def _transcription(options: Mapping[str, Any], log: Log) -> Mapping[str, Any]:
    from datasets.pipeline.benchmark.random_whisper import build_random_whisper
    from datasets.pipeline.benchmark.transcription import measure_architecture, measure_transcription

    if not options["random"]:
        path = open_bundle(storage.bundle_dir(options["bundle"])).path
        return measure_transcription(path, options["audio"], options, log)
    with tempfile.TemporaryDirectory(prefix="random-whisper-") as name:
        path = build_random_whisper(Path(name), options["random"])
        return measure_architecture(path, options["audio"], options, log)


add_benchmark(
    Benchmark("transcription", "batches beside faster-whisper clip by clip", _transcription, _transcription_arguments)
)
