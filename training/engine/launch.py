"""How the portal starts a run's process, stops it, and finds what it writes. Imports no ML library."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from training.engine.spec import TrainSpec

EVENTS = "events.jsonl"
LOG = "train.log"
CANCEL = "cancel"
TENSORBOARD = "tensorboard"
SPEC = "spec.json"
RANKS = "ranks"
PARENT_VARIABLE = "TRAINING_PARENT_PID"
LAUNCHER_VARIABLE = "TRAINING_LAUNCHER_PID"
"""Set for the processes of a run on several devices: the number of the one that started them."""

WITHHELD = ("SECRET_KEY", "DATABASE_URL", "REDIS_URL", "EMAIL_URL", "METRICS_TOKEN")
"""Variables of the portal that a run has no use for. What it does not know cannot get into its log."""

EXIT_FINISHED, EXIT_UNEXPECTED, EXIT_REFUSED, EXIT_CANCELLED = 0, 1, 2, 3

PROJECT_ROOT = Path(__file__).resolve().parents[2]


def process_environment() -> dict[str, str]:
    """Variables to add to the process's environment.

    glibc hands every large temporary back to the system and faults it in again at the next step; keeping them makes
    small-model steps on a CPU several times faster. It must be set before the process starts.
    """
    return {
        "MALLOC_MMAP_MAX_": "0",
        "MALLOC_TRIM_THRESHOLD_": "20000000000",
        "MALLOC_TOP_PAD_": "500000000",
        "TOKENIZERS_PARALLELISM": "false",
        "PYTHONUNBUFFERED": "1",
    }


def command(spec_path: Path, devices: int = 1) -> list[str]:
    """One device: the run itself. Several: a process that starts one for each, and ends when they have."""
    return [sys.executable, "-m", "training.engine.several" if devices > 1 else "training.engine", str(spec_path)]


def rank() -> int | None:
    """Which of a run's processes this is, as its launcher says; None where the run is one process."""
    return int(os.environ["RANK"]) if LAUNCHER_VARIABLE in os.environ else None


def start(spec: TrainSpec, *, environment: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
    """Write ``run_dir/spec.json`` and start (or go on with) the run; ends with whoever called this.

    An earlier request to cancel is forgotten. What the process prints before its log is open (an import that fails)
    is appended to ``run_dir/train.log``.
    """
    spec.run_dir.mkdir(parents=True, exist_ok=True)
    (spec.run_dir / CANCEL).unlink(missing_ok=True)
    spec_path = spec.run_dir / SPEC
    spec.save(spec_path)
    known = {name: value for name, value in os.environ.items() if name not in WITHHELD}
    variables = {**known, **process_environment(), **(environment or {}), PARENT_VARIABLE: str(os.getpid())}
    with open(spec.run_dir / LOG, "ab") as log:
        return subprocess.Popen(
            command(spec_path.resolve(), spec.devices),
            cwd=PROJECT_ROOT,
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            # Ctrl-C in the portal's terminal is for the portal: it decides what becomes of its runs.
            start_new_session=True,
        )


def request_cancel(run_dir: Path) -> None:
    """Ask the run's process to stop; it does so within five seconds."""
    (run_dir / CANCEL).touch()
