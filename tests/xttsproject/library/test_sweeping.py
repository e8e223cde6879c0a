"""What ``manage.py models`` leaves when it is killed goes after a day, and no model goes with it."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from tests.conftest import ROOT
from xttsproject.library.services.sweeping import models_sweep

pytestmark = pytest.mark.django_db

KILLED = """
import os, signal, sys
from pathlib import Path
from xttsproject.lib.files import atomic_directory

replace, moves = os.replace, int(sys.argv[2])

def die(*paths):
    global moves
    if moves == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    moves -= 1
    replace(*paths)

os.replace = die
with atomic_directory(Path(sys.argv[1])) as folder:
    (folder / "weights").write_text("new")
"""


@pytest.mark.parametrize("moves", [0, 1])
def test_a_command_that_was_killed_leaves_its_half_model_for_a_day_and_loses_no_other(models_dir, moves: int) -> None:
    # As `manage.py models` writes: dead before the old model is moved aside, or before the new one takes its place.
    there = models_dir / "mine"
    there.mkdir()
    (there / "weights").write_text("old")
    ended = subprocess.run([sys.executable, "-c", KILLED, str(there), str(moves)], cwd=ROOT, check=False)
    assert ended.returncode == -signal.SIGKILL
    assert there.exists() == (moves == 0)
    assert models_sweep() == []
    removed = models_sweep(older_than=-1.0)
    assert removed
    assert all(path.name.startswith(".mine") for path in removed)
    assert (there / "weights").read_text() == "old"
    assert [path.name for path in models_dir.iterdir() if path.name.startswith(".")] == []
