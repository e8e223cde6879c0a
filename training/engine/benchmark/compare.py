"""Both sides in turn, each in a process of its own, and what comes of their figures."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from training.engine.benchmark.job import Job
from training.engine.benchmark.material import LONGEST, SHORTEST, Size, write_clips, write_model
from training.engine.benchmark.overhead import adapter_mb, overhead
from training.engine.launch import PROJECT_ROOT, process_environment
from training.engine.spec import AUTO
from xttsproject.lib.errors import DomainError

Log = Callable[[str], None]

METHODS = ("full", "lora")
PLAIN = "fp32"
KINDS = (PLAIN, AUTO)
PACKAGE = "training.engine.benchmark"


@dataclass(frozen=True)
class Wish:
    """``work`` has room for the largest model twice. ``steps_too`` and ``samples``: measure the steps beside Coqui's,
    and what the end of an epoch costs."""

    sizes: Sequence[Size]
    steps: int
    batch: int
    threads: int
    device: str
    work: Path
    methods: Sequence[str] = METHODS
    samples: bool = True
    steps_too: bool = True


def compare(wish: Wish, log: Log) -> dict[str, Any]:
    """Measure every size; the figures of the last one, and all of them under ``sizes``. DomainErrors of a side."""
    wish.work.mkdir(parents=True, exist_ok=True)
    rows = {str(size): _one_size(wish, size, log) for size in wish.sizes}
    figures = {**rows[str(wish.sizes[-1])], "adapter_mb_full_size": round(adapter_mb(), 2)}
    return {**figures, "batch": wish.batch, "steps": wish.steps, "threads": wish.threads, "sizes": rows}


def _one_size(wish: Wish, size: Size, log: Log) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if wish.steps_too:
        found |= _steps(wish, size, log)
    if wish.samples:
        found |= _epoch_end(wish, size, log)
    return found


def _steps(wish: Wish, size: Size, log: Log) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix=f"{size}-", dir=wish.work) as name:
        folder = Path(name)
        log(f"{size}: making a model of random weights and {wish.batch * (wish.steps + 1)} clips")
        job = prepare(size, folder, wish.steps, wish.batch, wish.threads, wish.device)
        theirs = run("theirs", job, folder)
        log(f"{size}: Coqui's trainer, fp32: {_said(theirs)}")
        shutil.rmtree(job.release)
        ours: dict[str, dict[str, Any]] = {}
        for method in wish.methods:
            for kind in KINDS:
                result = run("ours", replace(job, method=method, precision=kind), folder)
                ours[f"{method} {kind}"] = result
                log(f"{size}: ours, {method}, {result['precision']}: {_said(result)}")
        return figures(theirs, ours)


def _epoch_end(wish: Wish, size: Size, log: Log) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix=f"{size}-", dir=wish.work) as name:
        folder = Path(name)
        log(f"{size}: making a model of random weights, for the end of an epoch")
        job = Job(
            bundle=write_model(folder / "bundle", size),
            release=folder,
            manifest=write_clips(folder / "data", max(wish.batch, 2)),
            work=folder,
            tensors=folder / "batch.safetensors",
            method="lora",
            precision=AUTO,
            device=wish.device,
            batch=max(wish.batch, 2),
            steps=1,
            threads=wish.threads,
        )
        result = run("epoch_end", job, folder)
    found = overhead(result["cost"], wish.threads)
    log(
        f"{size}: checkpoint {found['checkpoint_seconds']} s, samples {found['samples_seconds']} s for "
        f"{result['spoken_seconds']} s of speech; of the processor {found['checkpoint_cpu_seconds']} and "
        f"{found['samples_cpu_seconds']} s"
    )
    return {**found, "samples_spoken_seconds": result["spoken_seconds"]}


def prepare(size: Size, folder: Path, steps: int, batch: int, threads: int, device: str) -> Job:
    """A model, the same in Coqui's files, and clips, all below ``folder``; the job still lacks a method."""
    from xttsproject.bundles.export import export_coqui

    bundle = write_model(folder / "bundle", size)
    return Job(
        bundle=bundle,
        release=export_coqui(bundle, folder / "release"),
        manifest=write_clips(folder / "data", batch * (steps + 1)),
        work=folder,
        tensors=folder / "batch.safetensors",
        method="",
        precision=PLAIN,
        device=device,
        batch=batch,
        steps=steps,
        threads=threads,
    )


def figures(theirs: Mapping[str, Any], ours: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """What the measurements come to; ``ours`` by method and precision."""
    methods = dict.fromkeys(name.split()[0] for name in ours)
    beside = {name: _beside(theirs, ours[f"{name} {PLAIN}"], ours[f"{name} {AUTO}"]) for name in methods}
    return {**beside, **_facts(theirs, ours)}


def _beside(theirs: Mapping[str, Any], plain: Mapping[str, Any], default: Mapping[str, Any]) -> dict[str, float]:
    def times(ours: Mapping[str, Any], what: str) -> float:
        return round(float(ours[what] / theirs[what]), 3)

    return {
        "as_run": times(default, "clips_per_second"),
        "equal_precision": times(plain, "clips_per_second"),
        "memory_ratio": times(default, "peak_mb"),
        "as_run_cpu": times(default, "clips_per_cpu_second"),
        "equal_precision_cpu": times(plain, "clips_per_cpu_second"),
        "memory_ratio_equal_precision": times(plain, "peak_mb"),
    }


def _facts(theirs: Mapping[str, Any], ours: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    plain = [result for name, result in ours.items() if name.endswith(PLAIN)]
    off = max(abs(a - b) for result in plain for a, b in zip(theirs["losses"], result["losses"], strict=True))
    default = {name.split()[0]: result for name, result in ours.items() if name.endswith(AUTO)}
    # Ten minutes of speech in clips as long as these, a hundred times.
    clips = 600 / ((SHORTEST + LONGEST) / 2)
    epochs = {method: clips / result["clips_per_second"] for method, result in default.items()}
    return {
        "loss_difference": off,
        "default_precision": next(iter(default.values()))["precision"],
        "parameters": theirs["parameters"],
        "trained_parameters": {method: result["trained"] for method, result in default.items()},
        "epoch_of_10_minutes_seconds": {method: round(epoch, 1) for method, epoch in epochs.items()},
        "hours_for_100_epochs_of_10_minutes": {method: round(epoch / 36, 2) for method, epoch in epochs.items()},
        "clips_per_second": {
            "coqui": round(theirs["clips_per_second"], 4),
            **{name: round(result["clips_per_second"], 4) for name, result in ours.items()},
        },
        "peak_mb": {
            "coqui": round(theirs["peak_mb"]),
            **{name: round(result["peak_mb"]) for name, result in ours.items()},
        },
    }


def run(side: str, job: Job, folder: Path) -> Any:
    """One measurement in a process of its own. DomainError ``benchmark_failed`` with the last that it said."""
    told, result = folder / "job.json", folder / "result.json"
    job.save(told)
    result.unlink(missing_ok=True)
    # Both sides keep their memory instead of giving it back between steps, as a run of this project does.
    environment = {**os.environ, **process_environment(), "OMP_NUM_THREADS": str(job.threads)}
    ran = subprocess.run(
        [sys.executable, "-m", f"{PACKAGE}.{side}", str(told), str(result)],
        cwd=PROJECT_ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if ran.returncode or not result.is_file():
        last = ran.stderr.strip().splitlines()[-1:] or [f"it ended with {ran.returncode}"]
        raise DomainError("benchmark_failed", f"The measurement “{side}” ended early: {last[0]}")
    return json.loads(result.read_text(encoding="utf-8"))


def _said(result: Mapping[str, Any]) -> str:
    speed = f"{result['clips_per_second']:.3f} clips/s, {result['clips_per_cpu_second']:.3f} per processor second"
    return f"{speed}, {result['peak_mb']:.0f} MB at most"
