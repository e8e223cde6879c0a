"""``python -m training.engine.several SPEC.json``: a run on several devices, a process (rank) each.

This process starts the ranks by accelerate's launcher and waits for them. It works on nothing itself; it holds the
run's lock, and when the ranks are gone it says how the run ended, because a rank that was killed cannot.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import shutil
import signal
import sys
from pathlib import Path
from typing import Any

from training.engine import events as ev
from training.engine import launch
from training.engine.control import Control
from training.engine.spec import TrainSpec
from xttsproject.lib.errors import Cancelled
from xttsproject.lib.files import write_json

logger = logging.getLogger("training.engine.several")

STOPPED = "stopped"
"""The outcome of a rank that ended because of another's end or a signal, and has nothing to say."""


class PeerFailed(Exception):
    """Another rank ends the run, and says why."""


def outcome_write(run_dir: Path, rank: int, kind: str, **data: Any) -> None:
    """What a rank says about its end, for the process that started it."""
    write_json(run_dir / launch.RANKS / f"{rank}.json", {"kind": kind, **data})


def run_ranks(spec: TrainSpec, path: Path) -> int:
    """Run the spec's ranks to their end and write the last event; the exit code is as in ``launch``."""
    folder = spec.run_dir / launch.RANKS
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    control = Control(spec.run_dir / launch.CANCEL, lambda: _end(spec, ev.CANCELLED), launch.EXIT_CANCELLED)
    control.start()
    logger.info("Process %d starts %d ranks on %s.", os.getpid(), spec.devices, spec.run_dir)
    try:
        signals = _launch(spec, path, control)
        if signals is None:
            return launch.EXIT_FINISHED
        if control.orphaned:
            return launch.EXIT_CANCELLED
        kind, data, code = _judge(_outcomes(folder), signals)
        _end(spec, kind, **data)
        return code
    except Cancelled:
        if not control.orphaned:
            _end(spec, ev.CANCELLED)
        return launch.EXIT_CANCELLED
    finally:
        control.finish()
        shutil.rmtree(folder, ignore_errors=True)


def _launch(spec: TrainSpec, path: Path, control: Control) -> dict[int, int] | None:
    """None once all ranks ended well, else the exit codes of those that did not. Cancelled by SIGTERM."""
    from accelerate.commands.launch import launch_command, launch_command_parser
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

    os.environ[launch.LAUNCHER_VARIABLE] = str(os.getpid())
    # The ranks are on this machine; its name need not be one that can be looked up.
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    options = {
        "num_processes": spec.devices,
        "num_machines": 1,
        "mixed_precision": "no",
        "dynamo_backend": "no",
        # Any that is free.
        "main_process_port": 0,
        "log_dir": spec.run_dir / launch.RANKS,
    }
    words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    arguments = launch_command_parser().parse_args(["--multi_gpu", *words, "--module", "training.engine", str(path)])
    control.check()
    try:
        launch_command(arguments)
    except ChildFailedError as error:
        return {rank: failure.exitcode for rank, failure in error.failures.items()}
    except SignalException:
        raise Cancelled from None
    return None


def _outcomes(folder: Path) -> list[dict[str, Any]]:
    found = []
    for path in sorted(folder.glob("*.json")):
        with contextlib.suppress(OSError, ValueError):
            found.append(json.loads(path.read_text(encoding="utf-8")))
    return found


def _judge(outcomes: list[dict[str, Any]], exits: dict[int, int]) -> tuple[str, dict[str, Any], int]:
    """The run's last event and exit code, from what its ranks said and how they ended.

    When one ends the others follow, with errors of their own: what a rank could name comes before a signal, and a
    signal before what nobody foresaw.
    """
    failed = [outcome for outcome in outcomes if outcome["kind"] == ev.FAILED]
    named = [{"code": each["code"], "message": each["message"]} for each in failed]
    known = [each for each in named if each["code"] != "unexpected"]
    # Those that were told to end were told so by SIGTERM.
    killed = [(rank, -code) for rank, code in sorted(exits.items()) if code < 0 and -code != signal.SIGTERM]
    if known:
        return ev.FAILED, known[0], launch.EXIT_REFUSED
    if any(outcome["kind"] == ev.CANCELLED for outcome in outcomes):
        return ev.CANCELLED, {}, launch.EXIT_CANCELLED
    if killed:
        rank, number = killed[0]
        message = (
            f"The training process of device {rank} was killed by the system (signal {number}), most often because "
            "memory ran out; the others were stopped. Checkpoints are kept: free memory and resume the run, or start "
            "one with a smaller batch."
        )
        return ev.FAILED, {"code": "training_killed", "message": message}, launch.EXIT_REFUSED
    if named:
        return ev.FAILED, named[0], launch.EXIT_UNEXPECTED
    if any(outcome["kind"] == STOPPED for outcome in outcomes):
        return ev.CANCELLED, {}, launch.EXIT_CANCELLED
    message = "The training processes ended and said nothing; the run's log may tell why."
    return ev.FAILED, {"code": "unexpected", "message": message}, launch.EXIT_UNEXPECTED


def _end(spec: TrainSpec, kind: str, **data: Any) -> None:
    """Only now, when no rank writes any more: events are numbered one after the other."""
    ev.EventWriter(spec.run_dir / launch.EVENTS).write(kind, **data)


if __name__ == "__main__":
    from training.engine.__main__ import leave, main

    leave(main(sys.argv[1:], run_ranks))
