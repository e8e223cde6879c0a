"""``python -m training.engine SPEC.json``: one run in a process of its own. Exit codes stand in ``launch``.

A run on several devices is several such processes; :mod:`training.engine.several` starts them and says how they ended.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import logging
import logging.handlers
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, NoReturn

from training.engine import events as ev
from training.engine import launch
from training.engine.control import Control
from training.engine.several import STOPPED, PeerFailed, outcome_write
from training.engine.spec import TrainSpec
from xttsproject.lib.errors import Cancelled, DomainError

logger = logging.getLogger("training.engine")

LOG_BYTES = 2 * 1024 * 1024
LOG_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
PR_SET_PDEATHSIG = 1


def main(arguments: list[str], work: Callable[[TrainSpec, Path], int] | None = None) -> int:
    """Do the run that a spec file asks for; ``work`` on it is that of one process unless told otherwise."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m training.engine SPEC.json\n")
        return launch.EXIT_REFUSED
    path = Path(arguments[0])
    try:
        spec = TrainSpec.load(path)
    except DomainError as error:
        return _refuse_spec(path, error)
    rank = launch.rank()
    if rank is not None:
        return _run_rank(spec, rank)
    spec.run_dir.mkdir(parents=True, exist_ok=True)
    if work is None:
        _log_to(spec.run_dir / launch.LOG)
    else:
        # The log's file is the main rank's, which renames it; what others print is appended to it.
        logging.basicConfig(level=logging.INFO, format=LOG_FORMAT)
    lock = _lock(spec.run_dir)
    if lock is None:
        # No event: the file belongs to the process that is at work.
        logger.error("Another process is already at work on %s.", spec.run_dir)
        return launch.EXIT_REFUSED
    with lock:
        return work(spec, path) if work else _run_alone(spec)


def _run_alone(spec: TrainSpec) -> int:
    events = ev.EventWriter(spec.run_dir / launch.EVENTS)
    control = Control(spec.run_dir / launch.CANCEL, lambda: events.write(ev.CANCELLED), launch.EXIT_CANCELLED)
    return _run(spec, events, control, events.write)


def _run_rank(spec: TrainSpec, rank: int) -> int:
    """One of several processes: the first writes what a run writes, and all say to their launcher how they ended."""
    # Whatever becomes of the launcher, nobody is left behind (prctl(2)).
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if rank == 0:
        _log_to(spec.run_dir / launch.LOG)
    else:
        logging.basicConfig(level=logging.WARNING, format=f"rank {rank}: {LOG_FORMAT}")

    def tell(kind: str, **data: Any) -> None:
        by_signal = kind == ev.CANCELLED and not control.cancelled
        outcome_write(spec.run_dir, rank, STOPPED if by_signal else kind, **data)

    control = Control(spec.run_dir / launch.CANCEL, lambda: tell(ev.CANCELLED), launch.EXIT_CANCELLED)
    events = ev.EventWriter(spec.run_dir / launch.EVENTS) if rank == 0 else ev.Unheard()
    return _run(spec, events, control, tell)


def _run(spec: TrainSpec, events: ev.Events, control: Control, tell: Callable[..., object]) -> int:
    """``tell`` hears how the run ended where it did not finish."""
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
            tell(ev.CANCELLED)
        return launch.EXIT_CANCELLED
    except DomainError as error:
        logger.error("%s: %s", error.code, error.message)
        tell(ev.FAILED, code=error.code, message=error.message)
        return launch.EXIT_REFUSED
    except PeerFailed:
        tell(STOPPED)
        return launch.EXIT_CANCELLED
    except Exception as error:
        logger.exception("The run broke.")
        message = f"The training stopped with an unexpected error ({type(error).__name__}); its log has the details."
        tell(ev.FAILED, code="unexpected", message=message)
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
    logging.basicConfig(handlers=[handler], level=logging.INFO, format=LOG_FORMAT)
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


def leave(code: int) -> NoReturn:
    """Everything is written. Unloading the libraries takes seconds on a busy machine, and a cancel has five in all."""
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    leave(main(sys.argv[1:]))
