"""A portal of its own on disk, whose workers are processes that can be killed: the nursery of the training side."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.training.killed.conftest import House, portal_of


@pytest.fixture(scope="module")
def house(random_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """``run`` is the key of a voice. Weights are packed in 8 bits, so that sentences are the same to the bit."""
    with portal_of(
        tmp_path_factory.mktemp("house"),
        "tests.voices.killed.deeds",
        {"small": random_bundle},
        XTTS_BUNDLE="small",
        SPEECH_PRECISION="int8",
        SPEECH_BATCH="4",
    ) as portal:
        yield portal
