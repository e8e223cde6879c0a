"""``python -m training.engine SPEC.json``: one run in a process of its own. Exit codes stand in ``launch``."""

from __future__ import annotations

import fcntl
import json
import logging
import logging.handlers
import os
import sys
from pathlib import Path
from typing import IO

from training.engine import events as ev
from training.engine import launch
from training.engine.control import Control
from training.engine.spec import TrainSpec
from xttsproject.lib.errors import Cancelled, DomainError

logger = logging.getLogger("training.engine")

LOG_BYTES = 2 * 1024 * 1024


def main(arguments: list[str]) -> int:
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m training.engine SPEC.json\n")
        return launch.EXIT_REFUSED
    path = Path(arguments[0])
    try:
        spec = TrainSpec.load(path)
    except DomainError as error:
        return _refuse_spec(path, error)
    spec.run_dir.mkdir(parents=True, exist_ok=True)
    _log_to(spec.run_dir / launch.LOG)
    lock = _lock(spec.run_dir)
    if lock is None:
        # No event: the file belongs to the process that is at work.
        logger.error("Another process is already at work on %s.", spec.run_dir)
        return launch.EXIT_REFUSED
    with lock:
        return _run(spec)


def _run(spec: TrainSpec) -> int:
    events = ev.EventWriter(spec.run_dir / launch.EVENTS)
    control = Control(spec.run_dir / launch.CANCEL, lambda: events.write(ev.CANCELLED), launch.EXIT_CANCELLED)
    control.start()
    logger.info("Process %d starts on %s.", os.getpid(), spec.run_dir)
    try:
        # Seconds of imports, so only now that a cancel would be noticed.
        import torch

        from training.engine.run import Run

        if spec.threads:
            torch.set_num_threads(spec.threads)
        Run(spec, events, control).execute()
    except Cancelled:
        logger.info("Stopped.")
        if not control.orphaned:
            events.write(ev.CANCELLED)
        return launch.EXIT_CANCELLED
    except DomainError as error:
        logger.error("%s: %s", error.code, error.message)
        events.write(ev.FAILED, code=error.code, message=error.message)
        return launch.EXIT_REFUSED
    except Exception as error:
        logger.exception("The run broke.")
        message = f"The training stopped with an unexpected error ({type(error).__name__}); its log has the details."
        events.write(ev.FAILED, code="unexpected", message=message)
        return launch.EXIT_UNEXPECTED
    finally:
        control.finish()
    logger.info("Finished.")
    return launch.EXIT_FINISHED


def _refuse_spec(path: Path, error: DomainError) -> int:
    """Say it where a reader will look: as an event, if the file tells at least where the run lives."""
    sys.stderr.write(error.message + "\n")
    try:
        run_dir = Path(json.loads(path.read_text(encoding="utf-8"))["run_dir"])
    except (OSError, ValueError, KeyError, TypeError):
        return launch.EXIT_REFUSED
    ev.EventWriter(run_dir / launch.EVENTS).write(ev.FAILED, code=error.code, message=error.message)
    return launch.EXIT_REFUSED


def _log_to(path: Path) -> None:
    """Two files of LOG_BYTES at most, this one and the one before it, however long a run talks."""
    handler = logging.handlers.RotatingFileHandler(path, maxBytes=LOG_BYTES, backupCount=1, encoding="utf-8")
    logging.basicConfig(
        handlers=[handler], level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    logging.captureWarnings(True)


def _lock(run_dir: Path) -> IO[str] | None:
    """Held by the system for as long as the process lives, so a killed one leaves nothing to clear away."""
    handle = open(run_dir / ".lock", "w")  # noqa: SIM115 - open for as long as the process lives
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        handle.close()
        return None
    return handle


if __name__ == "__main__":
    code = main(sys.argv[1:])
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    # Everything is written. Unloading the libraries takes seconds on a busy machine, and a cancel has five in all.
    os._exit(code)
