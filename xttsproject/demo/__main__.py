"""``python -m xttsproject.demo``: a recording becomes a voice that speaks, through the running portal.

Sets up a data folder of its own (var/demo), starts the portal and both queue clusters, and does the main job as an
API client would. Run again, it finds what is there already, speaks once more and serves on.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from xttsproject.demo.client import ApiError, JobEnded, Portal
from xttsproject.demo.processes import PortalProcesses, StartError, free_port
from xttsproject.demo.stages import MainJob, Recording, StageError

ROOT = Path(__file__).resolve().parent.parent.parent
DATA = ROOT / "var" / "demo"


def main() -> int:
    parser = argparse.ArgumentParser(prog="make demo", description="A recording becomes a voice that speaks.")
    parser.add_argument("--audio", type=Path, help="your own recording instead of the synthetic one")
    parser.add_argument("--once", action="store_true", help="end after the main job instead of serving on")
    arguments = parser.parse_args()
    if arguments.audio and not arguments.audio.is_file():
        print(f"There is no file {arguments.audio}; give AUDIO the path of a recording.", file=sys.stderr)
        return 2
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)

    DATA.mkdir(parents=True, exist_ok=True)
    with open(DATA / "lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("The demo is running already in this folder. Stop that one first (Ctrl-C there).", file=sys.stderr)
            return 2
        try:
            return _demo(arguments.audio, arguments.once, lock.fileno())
        except KeyboardInterrupt:
            print("Stopped.")
            return 130
        except (StartError, StageError, ApiError, JobEnded, subprocess.CalledProcessError) as error:
            print(f"\nThe demo failed. {error}", file=sys.stderr)
            return 1


def _demo(audio: Path | None, once: bool, lock: int) -> int:
    began = time.monotonic()
    environment = _environment()
    _say("Setting up (database, models, page parts)")
    _manage(environment, "prepare")
    people = json.loads(_manage(environment, "demo_people"))
    recording = Recording(audio) if audio else _synthetic(environment)

    with PortalProcesses(ROOT, environment, DATA / "portal.log", free_port(8000), keep=(lock,)) as portal:
        _say(f"The portal serves at {portal.address} ({time.monotonic() - began:.0f} s)\n")
        try:
            spoken = MainJob(
                maker=Portal(portal.address, people["maker"]["token"]),
                reviewer=Portal(portal.address, people["reviewer"]["token"]),
                recording=recording,
                output=DATA / "speech.wav",
            ).run()
        except (StageError, ApiError, JobEnded):
            print(f"\nThe last lines of {_short(DATA / 'portal.log')}:\n{portal.tail()}", file=sys.stderr)
            raise
        _say(f"\nDone in {time.monotonic() - began:.0f} s. The voice spoke: {_short(spoken)}")
        _say(f"Portal:  {portal.address}")
        for name, person in people.items():
            _say(f"Sign in: {name} / {person['password']}")
        if once:
            return 0
        _say("\nServing until Ctrl-C.")
        while portal.alive():
            time.sleep(0.5)
        raise StartError(f"The portal ended by itself:\n{portal.tail()}")


def _environment() -> dict[str, str]:
    """The demo's own data, whatever .env or the shell say about a real installation beside it."""
    chosen = {
        "DATA_ROOT": str(DATA),
        "MODELS_DIR": str(ROOT / "var" / "models"),
        "DATABASE_URL": "",
        "REDIS_URL": "",
        "SPEECH_PRELOAD": "true",
        "XTTS_BUNDLE": "tiny",
        "WHISPER_BUNDLE": "tiny-whisper",
        "HTTPS": "false",
        "ALLOWED_HOSTS": "localhost,127.0.0.1",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
    }
    return {**os.environ, **chosen}


def _manage(environment: dict[str, str], *words: str) -> str:
    run = subprocess.run(
        [sys.executable, "manage.py", *words], cwd=ROOT, env=environment, check=True, stdout=subprocess.PIPE, text=True
    )
    return run.stdout


def _synthetic(environment: dict[str, str]) -> Recording:
    """Two to three minutes of espeak-ng as a video, rendered once by a process of its own."""
    video = DATA / "recording.mp4"
    script = video.with_suffix(".json")
    if not (video.is_file() and script.is_file()):
        _say("Rendering a recording of synthetic speech")
        subprocess.run(
            [sys.executable, "-m", "xttsproject.demo.recording", str(video)],
            cwd=ROOT,
            env=environment,
            check=True,
            stdout=subprocess.DEVNULL,
        )
    return Recording(video, json.loads(script.read_text(encoding="utf-8")))


def _interrupt(*_: object) -> None:
    # Once is enough: a second Ctrl-C must not break off the orderly end that the first has begun.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    with contextlib.suppress(OSError):  # a terminal that was closed takes no more words
        print("\nStopping…", flush=True)
    raise KeyboardInterrupt


def _short(path: Path) -> Path:
    return path.relative_to(ROOT) if path.is_relative_to(ROOT) else path


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
