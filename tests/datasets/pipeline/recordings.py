"""The demo's recording, rendered once per test process for all who listen to it."""

from __future__ import annotations

import functools
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

ROOT = Path(__file__).resolve().parents[3]


@dataclass(frozen=True)
class DemoRecording:
    """The demo's MP4, what is said in it when, and what the program printed."""

    path: Path
    sentences: list[SimpleNamespace]
    printed: str


@functools.cache
def rendered_in(base: Path) -> DemoRecording:
    """Made as the demo makes it: by a program of its own. ``base`` is the session's temporary folder."""
    path = base / "demo-recording" / "demo.mp4"
    path.parent.mkdir()
    ran = subprocess.run(
        [sys.executable, "-m", "xttsproject.demo.recording", str(path)],
        cwd=ROOT,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    sentences = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    return DemoRecording(path, [SimpleNamespace(**sentence) for sentence in sentences], ran.stdout)
