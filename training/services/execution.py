"""A run's process: started, followed, told to stop, and never left behind."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

from training.choices import RunState
from training.engine import events as ev
from training.engine import launch
from training.models import TrainingRun
from training.services.ingest import run_ingest_events
from training.services.pruning import checkpoints_prune
from training.services.spec import spec_of
from training.services.trials import trial_hopeless, trial_late
from xttsproject.lib.errors import Cancelled, DomainError
from xttsproject.lib.files import write_json
from xttsproject.lib.progress import Progress

logger = logging.getLogger(__name__)

PROCESS = "process.json"
POLL_SECONDS = 0.2
INGEST_SECONDS = 1.0
# The process ends itself 3.3 s after a request at the latest; one that does not is killed, within five in all.
KILL_SECONDS = 3.8
FEATURES_SHARE = 0.02
COUNT_SECONDS = 5.0
"""So much of its training at most a run's row does not count when its worker is killed."""


class TrialStopped(Cancelled):
    """The run's sweep found that it is not worth its remaining epochs, or has no hours left for it."""


class TrainingBroke(Exception):
    """The engine met an error that nobody foresaw; its log has the traceback."""


def run_execute(*, run: TrainingRun, progress: Progress) -> None:
    """Train until the run has finished; go on from its last checkpoint where it was begun before.

    Raises Cancelled, DomainError (with the engine's own sentence) or :class:`TrainingBroke`; the run's row says the
    same by then. Whatever happens, the process is gone when this returns.
    """
    end_previous(run.folder)
    if not run.begin():
        # Finished before, by a worker that died before it could say so.
        return
    try:
        run_ingest_events(run=run)
        # What an earlier attempt could not finish removing before it died.
        checkpoints_prune(run=run)
        progress.check()
        if late := trial_late(run=run):
            raise TrialStopped(late)
        progress.report(0.0, "starting the training process")
        _train(run, progress)
    except TrialStopped as stopped:
        run.mark_cancelled(str(stopped))
        raise
    except Cancelled:
        run.mark_cancelled()
        raise
    except DomainError as error:
        run.fail(error.code, error.message)
        raise
    except TrainingBroke as error:
        run.fail("unexpected", str(error))
        raise
    run.succeed()


def _train(run: TrainingRun, progress: Progress) -> None:
    began = time.time()
    process = launch.start(spec_of(run=run))
    clock = Clock(run)
    try:
        _remember(run.folder, process.pid)
        final, cancelled, hopeless = _follow(run, process, progress, began, clock)
    finally:
        _end(process)
        clock.count()
        (run.folder / PROCESS).unlink(missing_ok=True)
    code = process.returncode
    if code == launch.EXIT_FINISHED:
        return
    if hopeless and not cancelled:
        raise TrialStopped(hopeless)
    if cancelled or code == launch.EXIT_CANCELLED:
        raise Cancelled
    if final is not None and final.kind == ev.FAILED:
        if code == launch.EXIT_UNEXPECTED:
            raise TrainingBroke(final.data["message"])
        raise DomainError(final.data["code"], final.data["message"])
    if code < 0:
        raise DomainError(
            "training_killed",
            f"The training process of “{run.name}” was killed by the system (signal {-code}), most often because "
            "memory ran out. Its checkpoints are kept: free memory and resume it, or start one with a smaller batch.",
            permanent=False,
        )
    raise TrainingBroke(f"The training process ended with code {code} and said nothing; its log may tell why.")


class Clock:
    """Counts into a run's row how long its process has been at work."""

    def __init__(self, run: TrainingRun):
        self._run, self._counted = run, time.monotonic()

    def count(self, after: float = 0.0) -> None:
        """Add what has passed since the last time, where that is at least ``after`` seconds."""
        passed = time.monotonic() - self._counted
        if passed >= after:
            self._counted += passed
            self._run.add_trained(passed)


def _follow(
    run: TrainingRun, process: subprocess.Popen[bytes], progress: Progress, began: float, clock: Clock
) -> tuple[ev.Event | None, bool, str]:
    """Until the process ends: events to rows, progress to the job, a cancel to the process.

    ``began`` is when the process was started, in seconds since the epoch.
    Returns the last event that this process wrote, whether somebody asked it to stop, and why its sweep did.
    """
    asked: float | None = None
    cancelled, hopeless = False, ""
    last: ev.Event | None = None
    due = 0.0
    while True:
        try:
            progress.check()
        except Cancelled:
            cancelled = True
            if asked is None:
                asked = time.monotonic()
                launch.request_cancel(run.folder)
        if asked is not None and time.monotonic() - asked > KILL_SECONDS:
            _kill(process)
        # Looked at before the events, so that none is missed that was written just before the end.
        ended = process.poll() is not None
        if ended or time.monotonic() >= due:
            due = time.monotonic() + INGEST_SECONDS
            events = run_ingest_events(run=run)
            last = events[-1] if events else last
            if any(event.kind == ev.CHECKPOINT for event in events):
                checkpoints_prune(run=run)
            if asked is None and any(event.kind == ev.EPOCH for event in events):
                hopeless = trial_hopeless(run=run)
                if hopeless:
                    asked = time.monotonic()
                    launch.request_cancel(run.folder)
            progress.report(_fraction(run, began), _message(run))
            clock.count(after=COUNT_SECONDS)
        if ended:
            return last, cancelled, hopeless
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=POLL_SECONDS)


def _fraction(run: TrainingRun, began: float) -> float:
    """The share of this attempt's time that is behind it, reckoned from the steps.

    The job's expected time follows from it: right for a slow start and for a run that goes on from its middle alike.
    It moves with the steps alone. Before two of them are known, computing features counts for a little.
    """
    if run.timed_from is not None and run.seconds_per_step is not None:
        behind = run.timed_from - began + run.seconds_per_step * (run.step - run.timed_from_step)
        ahead = run.seconds_per_step * max(run.steps_total - run.step, 0)
        # The last samples are still to be spoken when the last step is done.
        return max(FEATURES_SHARE, min(behind / max(behind + ahead, 1e-9), 0.99))
    features = run.facts.get("features") or {"done": 0, "total": 1}
    return FEATURES_SHARE * int(features["done"]) / max(1, int(features["total"]))


def _message(run: TrainingRun) -> str:
    if run.state != RunState.RUNNING:
        return ""
    if not run.step:
        features = run.facts.get("features")
        return f"audio codes: {features['done']} of {features['total']} clips" if features else "loading the model"
    return f"epoch {run.epoch} of {run.epochs_total}, step {run.step} of {run.steps_total}"


# --- the process ------------------------------------------------------------------------------------------------


def end_previous(folder: Path) -> None:
    """End the process that an earlier attempt left at work in this folder, if it is still that very process.

    It ends by itself when its worker dies, but a new one may be here sooner. A process of another machine cannot be
    reached from here; it dies with its own worker.
    """
    try:
        kept = json.loads((folder / PROCESS).read_text(encoding="utf-8"))
        host, pid, started = str(kept["host"]), int(kept["pid"]), str(kept["started"])
    except (OSError, ValueError, KeyError, TypeError):
        return
    if host == socket.gethostname() and process_started(pid) == started:
        logger.warning("Process %d of an earlier attempt is still at work in %s: ending it.", pid, folder)
        for number, patience in ((signal.SIGTERM, KILL_SECONDS), (signal.SIGKILL, KILL_SECONDS)):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, number)
            deadline = time.monotonic() + patience
            while process_started(pid) == started and time.monotonic() < deadline:
                time.sleep(0.05)
            if process_started(pid) != started:
                break
    (folder / PROCESS).unlink(missing_ok=True)


def process_started(pid: int) -> str:
    """When a process was started, in the kernel's ticks; empty if there is none that works.

    Together with its number this names a process for good: numbers are used again.
    """
    try:
        # The name in brackets may hold anything; the 20th field after it is the start time (proc(5)).
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in "ZX" else fields[19]


def _remember(folder: Path, pid: int) -> None:
    write_json(folder / PROCESS, {"host": socket.gethostname(), "pid": pid, "started": process_started(pid)})


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        _kill(process)
    process.wait()


def _kill(process: subprocess.Popen[bytes]) -> None:
    # The process leads a group of its own (see launch.start), so its children go with it.
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
