"""A portal of its own on disk, whose workers are processes that can be killed: the nursery of the training side."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.training.killed.conftest import House


@pytest.fixture(scope="module")
def house(random_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """``run`` is the key of a voice. Weights are packed in 8 bits, so that sentences are the same to the bit."""
    root = tmp_path_factory.mktemp("house")
    models = root / "models"
    models.mkdir()
    (models / "small").symlink_to(random_bundle)
    answers = root / "answers"
    answers.mkdir()
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "xttsproject.settings",
        "DATA_ROOT": str(root),
        "MODELS_DIR": str(models),
        "DATABASE_URL": "",
        "XTTS_BUNDLE": "small",
        "DEVICE": "cpu",
        "SPEECH_PRECISION": "int8",
        "SPEECH_BATCH": "4",
        "OMP_NUM_THREADS": "1",
    }
    with open(root / "said", "w") as said:
        nursery = subprocess.Popen(
            [sys.executable, "-m", "tests.training.killed.nursery", "tests.voices.killed.deeds"],
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
