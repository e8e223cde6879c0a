"""A portal of its own on disk, whose workers are processes that can be killed without paying for their start."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT
from tests.random_bundle import stock_sizes

PATIENCE = 120.0


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


@dataclass(frozen=True)
class Process:
    """One of the nursery's: doing something, done, or dead."""

    pid: int
    answer: Path

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        # Not only dead: while its last threads end, its number is still taken, and a rescue takes it for alive.
        wait_for(lambda: not Path(f"/proc/{self.pid}").exists())

    @property
    def ended(self) -> bool:
        return self.answer.exists() or not is_running(self.pid)

    def value(self) -> Any:
        wait_for(lambda: self.ended)
        assert self.answer.exists(), f"Process {self.pid} died without an answer."
        said = json.loads(self.answer.read_text())
        assert "error" not in said, said.get("error")
        return said["value"]


def wait_for(condition: Callable[[], bool], seconds: float = PATIENCE) -> None:
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit, "It did not happen in time."
        time.sleep(0.02)


class House:
    """The portal; ``do`` waits for an answer, ``start`` gives the process that works on one."""

    def __init__(self, nursery: subprocess.Popen[str], answers: Path, run: str = ""):
        self._nursery, self._answers, self._number = nursery, answers, 0
        self.run = run
        self.started: list[Process] = []

    def start(self, deed: str, **values: Any) -> Process:
        assert self._nursery.stdin is not None
        assert self._nursery.stdout is not None
        self._number += 1
        answer = self._answers / f"{self._number}.json"
        self._nursery.stdin.write(json.dumps({"deed": deed, "values": values, "answer": str(answer)}) + "\n")
        self._nursery.stdin.flush()
        process = Process(int(self._nursery.stdout.readline()), answer)
        self.started.append(process)
        return process

    def do(self, deed: str, **values: Any) -> Any:
        return self.start(deed, **values).value()

    def timed(self, job: str) -> float:
        """Have a job done whole; how long that takes."""
        began = time.monotonic()
        assert self.do("work", job=job) == "succeeded", self.do("job", key=job)
        return time.monotonic() - began

    def killed_twice(self, job: str, seconds: float) -> list[float]:
        """Kill two workers of a job at any moment of the time that it takes, and let a third one finish it.

        Returns when they were killed, after how many seconds of work.
        """
        moments = []
        for _ in range(2):
            moment = random.uniform(0.02, 0.9) * seconds
            worker = self.start("work", job=job)
            deadline = time.monotonic() + moment
            while time.monotonic() < deadline and not worker.ended:
                time.sleep(0.002)
            if worker.ended:
                # Faster than expected: nothing left to kill.
                break
            worker.kill()
            moments.append(round(moment, 3))
            self.do("rescue")
        state = self.do("job", key=job)
        if state["state"] != "succeeded":
            assert state["state"] == "queued", (state, moments)
            assert self.do("work", job=job) == "succeeded", (self.do("job", key=job), moments)
        return moments


@contextmanager
def portal_of(root: Path, deeds: str, bundles: Mapping[str, Path], **settings: str) -> Iterator[House]:
    """A portal in ``root`` with these bundles and settings; ``deeds`` is the module of what its processes can do."""
    models = root / "models"
    models.mkdir()
    for name, bundle in bundles.items():
        (models / name).symlink_to(bundle)
    answers = root / "answers"
    answers.mkdir()
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "xttsproject.settings",
        "DATA_ROOT": str(root),
        "MODELS_DIR": str(models),
        "DATABASE_URL": "",
        "DEVICE": "cpu",
        "OMP_NUM_THREADS": "1",
        **settings,
    }
    with open(root / "said", "w") as said:
        nursery = subprocess.Popen(
            [sys.executable, "-m", "tests.training.killed.nursery", deeds],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=said,
            text=True,
        )
    portal = House(nursery, answers)
    try:
        portal.run = portal.do("begin")
        yield portal
    finally:
        for process in portal.started:
            if not process.ended:
                process.kill()
        nursery.kill()
        nursery.wait()


@pytest.fixture(scope="module")
def house(
    random_bundle: Path, random_whisper_bundle: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[House]:
    stock = stock_sizes(random_bundle, tmp_path_factory.mktemp("models") / "stock")
    with portal_of(
        tmp_path_factory.mktemp("house"),
        "tests.training.killed.deeds",
        {"small": random_bundle, "whisper": random_whisper_bundle, "stock": stock},
        XTTS_BUNDLE="small",
        WHISPER_BUNDLE="whisper",
        WHISPER_THREADS="1",
        WHISPER_BEAM_SIZE="1",
        TRAINING_THREADS="1",
        SCORE_RUNS="false",
    ) as portal:
        yield portal
