"""The benchmarks of this app; the work is in ``voices.engine``."""

from __future__ import annotations

import logging
import tempfile
from argparse import ArgumentParser
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.conf import settings

from voices.benchmark_clients import CLIENTS
from voices.benchmark_longform import LONGFORM
from xttsproject.lib.benchmarks import Benchmark, Log, add_benchmark
from xttsproject.lib.errors import DomainError


def _guard_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--work",
        type=Path,
        default=Path(settings.DATA_ROOT, "benchmarks", "guard"),
        help="folder of reference clips and bundles (default: benchmarks/guard below DATA_ROOT)",
    )
    parser.add_argument("--voices", type=int, default=10, help="speakers, 1 to 10 (default: 10)")
    parser.add_argument("--each", type=int, default=40, help="sentences of each speaker, half of them measured")
    parser.add_argument(
        "--tuning", action="store_true", help="measure the half that paces are known from, to choose limits on"
    )


def _guard(options: Mapping[str, Any], log: Log) -> Mapping[str, Any]:
    from datasets.pipeline.transcribe import Transcriber
    from training.engine.tiny.gates.record import build_bundles
    from voices.engine.planted.faults import Workbench
    from voices.engine.planted.material import gather
    from voices.engine.planted.measure import Bench, table
    from xttsproject.xtts.engine import XttsEngine

    if not 1 <= options["voices"] <= 10 or options["each"] < 4:
        raise DomainError("options_invalid", "--voices must be from 1 to 10 and --each at least 4.")
    logging.getLogger("faster_whisper").setLevel(logging.WARNING)
    work: Path = options["work"]
    work.mkdir(parents=True, exist_ok=True)
    speaks, listens = build_bundles(work / "bundles")
    engine, transcriber = XttsEngine.load(speaks), Transcriber.load(listens, device="cpu")
    said = gather(engine, transcriber, work, voices=options["voices"], each=options["each"], log=log)
    known = [sentence for sentence in said if sentence.tuning]
    measured = [sentence for sentence in said if sentence.well_said and sentence.tuning == options["tuning"]]
    bench = Bench(measured, known)
    figures = bench.run(Workbench(engine, said), log)
    log(table(figures))
    log(
        f"of {len(measured)} sentences as they were spoken, {bench.any_alarm():.1%} got any warning; "
        f"had their voices never been heard, {bench.alarm_unheard():.1%}"
    )
    return {name: {"recall": each.recall, "false_alarms": each.false_alarms} for name, each in figures.items()}


add_benchmark(Benchmark("guard", "what the guard finds of planted faults", _guard, _guard_arguments))


def _speech_arguments(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--work",
        type=Path,
        default=Path(settings.DATA_ROOT, "benchmarks", "speech"),
        help="folder for the random model, which is deleted afterwards (default: benchmarks/speech below DATA_ROOT)",
    )
    parser.add_argument(
        "--sizes", choices=("full", "tiny"), default="full", help="the released architecture, or a small one"
    )
    parser.add_argument("--codes", type=int, default=100, help="audio codes of each sentence (default: 100, 4.6 s)")
    parser.add_argument(
        "--rounds",
        "--pairs",
        type=int,
        default=3,
        help="times that both sides take one sentence and a first chunk in turn (default: 3)",
    )
    parser.add_argument("--long-rounds", type=int, default=1, help="the same of eight sentences (default: 1)")
    parser.add_argument(
        "--loads", type=int, default=9, help="processes that load the model, in turn with its imports (default: 9)"
    )
    parser.add_argument(
        "--precisions",
        nargs="+",
        choices=("fp32", "bf16", "fp16", "int8"),
        default=None,
        metavar="PRECISION",
        help="default: all that the device has (int8: processors alone; there it and fp16 need FBGEMM)",
    )
    parser.add_argument("--device", default="cpu", help="cpu or cuda (default: cpu)")
    parser.add_argument("--threads", type=int, default=None, help="processor threads (default: torch's choice)")
    parser.add_argument("--no-graphs", action="store_true", help="on a GPU, do not record steps as CUDA graphs")
    parser.add_argument("--no-quality", action="store_true", help="leave out what each precision costs in quality")


def _speech(options: Mapping[str, Any], log: Log) -> Mapping[str, Any]:
    from training.engine.tiny.gates.record import build_bundles
    from voices.engine.benchmark.quality import measure_quality
    from voices.engine.benchmark.speech import Wish, measure
    from xttsproject.xtts.engine import choose_device
    from xttsproject.xtts.projections import supported_precisions

    everything = supported_precisions(choose_device(options["device"]))
    wish = Wish(
        work=options["work"],
        size=options["sizes"],
        codes=options["codes"],
        rounds=options["rounds"],
        long_rounds=options["long_rounds"],
        loads=options["loads"],
        precisions=tuple(options["precisions"] or everything),
        device=options["device"],
        threads=options["threads"],
        graphs=not options["no_graphs"],
    )
    # Otherwise it tells of every clip.
    logging.getLogger("faster_whisper").setLevel(logging.WARNING)
    quality = {}
    if not options["no_quality"]:
        with tempfile.TemporaryDirectory(prefix="tiny-") as name:
            quality = measure_quality(*build_bundles(Path(name)), wish.precisions, wish.device, log)
    return measure(wish, quality, log)


add_benchmark(Benchmark("speech", "decoding and rendering beside Coqui's own code", _speech, _speech_arguments))
add_benchmark(CLIENTS)
add_benchmark(LONGFORM)
