"""``manage.py benchmark longform``: a long text from its request to the joined whole, its worker killed half-way."""

from __future__ import annotations

import json
import subprocess
import tempfile
import time
from argparse import ArgumentParser
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.conf import settings

from voices.benchmark_portal import manage, manage_command, portal_environment
from xttsproject.lib.benchmarks import Benchmark, Log
from xttsproject.lib.errors import DomainError

_LOOK_SECONDS = 0.05
_TRIAL = "import json; from voices.services.trial import trial_make; print(json.dumps(trial_make()))"
_STEP = "import json; from voices.services.longform_trial import STEPS; print(json.dumps(STEPS[{step!r}](**{given!r})))"
_WORK = "from xttsproject.jobs.tasks import run; run({job!r})"


def _arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--characters", type=int, default=20_000, help="length of the text (default: 20000)")
    parser.add_argument(
        "--compared",
        type=int,
        default=64,
        help="sentences that are spoken once more, by the job and a request at a time (default: 64)",
    )
    parser.add_argument(
        "--bundle", type=Path, default=None, help="folder of the model (default: the tiny one, built for it)"
    )


def _run(options: Mapping[str, Any], log: Log) -> Mapping[str, Any]:
    if options["characters"] < 1000 or options["compared"] < 1:
        raise DomainError("options_invalid", "--characters must be at least 1000 and --compared at least 1.")
    with tempfile.TemporaryDirectory(prefix="longform-") as folder:
        environment = portal_environment(Path(folder), options["bundle"])
        environment |= {"SPEECH_LONG_CHARACTERS": str(options["characters"])}
        log("Setting up a portal of its own.")
        manage(environment, "migrate", "--verbosity", "0")
        trial = json.loads(manage(environment, "shell", "--verbosity", "0", "-c", _TRIAL).splitlines()[-1])
        plan = _step(environment, "plan", voice=trial["voice"], characters=options["characters"])
        log(
            f"{plan['characters']} characters: the request took {plan['request_seconds']:.2f} s, cutting them into "
            f"{plan['sentences']} sentences {plan['plan_seconds']:.2f} s."
        )
        before = _kill_half_way(environment, plan, Path(folder, "worker.log"))
        log(f"A worker was killed when {len(before)} sentences had been kept; another goes on.")
        rest = _step(environment, "resume", job=plan["job"])
        if rest["state"] != "succeeded":
            raise DomainError("benchmark_failed", f"The job that went on is {rest['state']}.")
        repeated = len(before) + rest["sentences"] - plan["sentences"]
        untouched = all(path.stat().st_mtime_ns == touched for path, touched in before.items())
        log(
            f"It kept its first sentence after {rest['first_seconds']:.1f} s, and repeated {repeated} that had been "
            "kept."
        )
        both = _step(environment, "compare", synthesis=plan["synthesis"], count=options["compared"])
        log(
            f"{both['sentences']} sentences again: {both['together']:.1f} s of sound for each second of the processor, "
            f"{both['alone']:.1f} a request at a time."
        )
        join = _step(environment, "join", synthesis=plan["synthesis"])
        log(f"Joining {join['audio_seconds']:.0f} s of sound: {join['cpu_seconds']:.2f} s.")
    return {
        "characters": plan["characters"],
        "sentences": plan["sentences"],
        "audio_seconds": round(join["audio_seconds"], 1),
        "request_seconds": round(plan["request_seconds"], 3),
        "plan_seconds": round(plan["plan_seconds"], 2),
        "audio_per_cpu_second": round(both["together"], 2),
        "one_at_a_time": round(both["alone"], 2),
        "speedup": round(both["together"] / both["alone"], 2),
        "other_sound": both["different"],
        "kept_before_kill": len(before),
        "repeated_after_kill": repeated,
        "untouched_after_kill": untouched,
        "resume_seconds": round(rest["first_seconds"], 2),
        "worker_peak_mb": round(rest["peak_mb"]),
        "join_seconds": round(join["cpu_seconds"], 2),
        "join_growth_mb": round(join["growth_mb"]),
    }


LONGFORM = Benchmark(
    "longform", "a long text: cutting, speaking beside a request at a time, a killed worker, joining", _run, _arguments
)


def _step(environment: dict[str, str], step: str, **given: Any) -> dict[str, Any]:
    words = manage(environment, "shell", "--verbosity", "0", "-c", _STEP.format(step=step, given=given))
    told: dict[str, Any] = json.loads(words.splitlines()[-1])
    return told


def _kill_half_way(environment: dict[str, str], plan: Mapping[str, Any], log: Path) -> dict[Path, int]:
    """Have a process speak until half of the sentences are kept, and kill it; what was kept, with its times."""
    folder, half = Path(plan["folder"]), plan["sentences"] // 2
    with open(log, "wb") as out:
        worker = subprocess.Popen(
            manage_command("shell", "--verbosity", "0", "-c", _WORK.format(job=plan["job"])),
            cwd=settings.BASE_DIR,
            env=environment,
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    try:
        while len(_kept(folder)) < half:
            if worker.poll() is not None:
                said = log.read_text(encoding="utf-8", errors="replace")[-2000:]
                raise DomainError("benchmark_failed", f"The worker ended before it could be killed:\n{said}")
            time.sleep(_LOOK_SECONDS)
    finally:
        worker.kill()
        worker.wait()
    return {path: path.stat().st_mtime_ns for path in _kept(folder)}


def _kept(folder: Path) -> list[Path]:
    return list(folder.glob("[0-9]*-*.wav"))
