"""The benchmarks of this app: ``tiny``, the models that came with the project; ``screening``, what it finds; and
``training``, its speed beside Coqui's.
"""

from __future__ import annotations

import logging
import os
import time
from argparse import ArgumentParser
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.conf import settings

from xttsproject.lib.benchmarks import Benchmark, Log, add_benchmark
from xttsproject.lib.errors import DomainError


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


def _screening_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--work",
        type=Path,
        default=Path(settings.DATA_ROOT, "benchmarks", "screening"),
        help="folder of rendered speech and bundles (default: benchmarks/screening below DATA_ROOT)",
    )
    parser.add_argument("--each", type=int, default=48, help="clips of each of the ten synthetic speakers")
    parser.add_argument(
        "--recordings",
        type=Path,
        default=None,
        help="folder in LJSpeech's form whose clips are taken too (default: ../shared/data/lj beside the checkout, if "
        "it is there)",
    )
    parser.add_argument(
        "--tuning", action="store_true", help="measure the half that thresholds are chosen on, not the other"
    )


def _screening(options: Mapping[str, Any], log: Log) -> Mapping[str, Any]:
    from dataclasses import asdict

    from datasets.pipeline.transcribe import Transcriber
    from training.engine.planted.material import gather
    from training.engine.planted.measure import Bench, table
    from training.engine.tiny.gates.record import build_bundles
    from xttsproject.xtts.likeness import SpeakerEar

    # Otherwise it tells of every clip.
    logging.getLogger("faster_whisper").setLevel(logging.WARNING)
    work: Path = options["work"]
    work.mkdir(parents=True, exist_ok=True)
    beside = Path(settings.BASE_DIR).parent / "shared" / "data" / "lj"
    recordings: Path | None = options["recordings"] or (beside if beside.is_dir() else None)
    log(f"with the recordings in {recordings}" if recordings is not None else "with synthetic speech alone")
    material = gather(work, each=options["each"], recordings=recordings, log=log)
    speaks, listens = build_bundles(work / "bundles")
    ear, transcriber = SpeakerEar.load(speaks), Transcriber.load(listens, device="cpu")
    bench = Bench(material, tuning=options["tuning"], work=work, log=log)
    figures = bench.run(ear.embed, lambda audio: transcriber.transcribe(audio, "en").text)
    log(table(figures))
    wanted = ("recall", "false_alarms", "planted")
    return {name: {key: asdict(each)[key] for key in wanted} for name, each in figures.items()}


add_benchmark(Benchmark("screening", "what screening finds of planted defects", _screening, _screening_arguments))


def _training_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--sizes",
        nargs="+",
        default=["256x6", "512x10", "1024x10", "1024x30"],
        metavar="WIDTHxLAYERS",
        help="sizes of the GPT, the last of which counts (default: up to the released one, which wants 16 GB)",
    )
    parser.add_argument("--steps", type=int, default=6, help="steps that are timed, after a first one (default: 6)")
    parser.add_argument("--batch", type=int, default=4, help="clips of a step (default: 4)")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1, help="processor threads (default: all)")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda (default: auto)")
    parser.add_argument("--methods", nargs="+", choices=("full", "lora"), default=["full", "lora"])
    parts = parser.add_mutually_exclusive_group()
    parts.add_argument("--no-samples", action="store_true", help="leave out what the end of an epoch costs")
    parts.add_argument(
        "--only-samples", action="store_true", help="measure nothing but what the end of an epoch costs; in minutes"
    )
    parser.add_argument(
        "--work",
        type=Path,
        default=Path(settings.DATA_ROOT, "benchmarks", "training"),
        help="folder for models and clips (default: benchmarks/training below DATA_ROOT)",
    )


def _training(options: Mapping[str, Any], log: Log) -> Mapping[str, Any]:
    from training.engine.benchmark.compare import Wish, compare
    from training.engine.benchmark.material import size_named

    sizes = [size_named(name) for name in options["sizes"]]
    if min(options["steps"], options["batch"], options["threads"]) < 1:
        raise DomainError("options_invalid", "--steps, --batch and --threads must be at least 1.")
    chosen = {name: options[name] for name in ("steps", "batch", "threads", "device", "work", "methods")}
    wish = Wish(sizes, **chosen, samples=not options["no_samples"], steps_too=not options["only_samples"])
    return compare(wish, log)


add_benchmark(Benchmark("training", "training steps beside Coqui's trainer", _training, _training_arguments))
