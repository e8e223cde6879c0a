"""``manage.py benchmark clients``: a portal of its own on a data folder of its own, and a crowd that has it speak."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import tempfile
import time
from argparse import ArgumentParser
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests
from django.conf import settings

from voices.benchmark_portal import manage, portal_environment
from voices.engine.crowd import run_crowd
from xttsproject.lib.benchmarks import Benchmark, Log
from xttsproject.lib.errors import DomainError

_START_SECONDS = 120
_TRIAL = "import json; from voices.services.trial import trial_make; print(json.dumps(trial_make()))"


def _arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--clients", type=int, default=8, help="how many ask at once (default: 8)")
    parser.add_argument("--seconds", type=float, default=60.0, help="for how long (default: 60)")
    parser.add_argument(
        "--bundle", type=Path, default=None, help="folder of the model (default: the tiny one, built for it)"
    )


def _run(options: Mapping[str, Any], log: Log) -> Mapping[str, Any]:
    if options["clients"] < 1 or options["seconds"] <= 0:
        raise DomainError("options_invalid", "--clients must be at least 1 and --seconds above 0.")
    with tempfile.TemporaryDirectory(prefix="clients-") as folder:
        environment = {**portal_environment(Path(folder), options["bundle"]), "SPEECH_PRELOAD": "true"}
        log("Setting up a portal of its own.")
        manage(environment, "migrate", "--verbosity", "0")
        trial = json.loads(manage(environment, "shell", "--verbosity", "0", "-c", _TRIAL).splitlines()[-1])
        with _portal(environment, Path(folder, "portal.log")) as address:
            log(f"{options['clients']} clients ask for {options['seconds']:g} s.")
            return run_crowd(
                address, trial["token"], trial["voice"], clients=options["clients"], seconds=options["seconds"]
            )


CLIENTS = Benchmark(
    "clients", "many clients of a portal at once: errors, mixed sound, how long they wait", _run, _arguments
)


@contextmanager
def _portal(environment: dict[str, str], log: Path) -> Iterator[str]:
    """gunicorn as the Procfile runs it, on a free port of this machine; its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "gunicorn", "--config", "python:xttsproject.gunicorn", "xttsproject.wsgi"]
    with open(log, "wb") as out:
        server = subprocess.Popen(
            command,
            cwd=settings.BASE_DIR,
            env={**environment, "BIND": f"127.0.0.1:{port}"},
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    try:
        _wait_until_ready(server, address, log)
        yield address
    finally:
        server.terminate()
        try:
            server.wait(15)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _wait_until_ready(server: subprocess.Popen[bytes], address: str, log: Path) -> None:
    session = requests.Session()
    session.trust_env = False
    ends = time.monotonic() + _START_SECONDS
    while time.monotonic() < ends and server.poll() is None:
        try:
            if session.get(f"{address}/readyz", timeout=5).ok:
                return
        except (requests.ConnectionError, requests.Timeout):
            pass
        time.sleep(0.2)
    said = log.read_text(encoding="utf-8", errors="replace")[-2000:]
    raise DomainError("benchmark_failed", f"The portal was not ready after {_START_SECONDS} s:\n{said}")
