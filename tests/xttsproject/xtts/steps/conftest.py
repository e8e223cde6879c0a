"""Sentences that differ in all that a row has, what each says alone, and adapters that differ too."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.xttsproject.xtts.looping import FOUR, Counting, utterances_of
from tests.xttsproject.xtts.test_adapters import TARGETS, write_adapter
from xttsproject.xtts.adapters import Adapter
from xttsproject.xtts.conditioning import Conditioning
from xttsproject.xtts.engine import XttsEngine
from xttsproject.xtts.loop import Decoded, Utterance
from xttsproject.xtts.sampling import Draw

SENTENCES = (*FOUR, ("the last of five sentences", Draw()))
CAPS = (90, 260, 12, 110, 40)


@pytest.fixture
def recorder() -> Counting:
    return Counting()


@pytest.fixture(scope="module")
def utterances(engine: XttsEngine, voice: Conditioning) -> list[Utterance]:
    return utterances_of(engine, voice, SENTENCES, CAPS)


@pytest.fixture(scope="module")
def alone(engine: XttsEngine, utterances: list[Utterance]) -> list[Decoded]:
    return [engine.gpt.decode([utterance])[0] for utterance in utterances]


@pytest.fixture(scope="module")
def adapters(engine: XttsEngine, random_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Adapter]:
    """Of other ranks and other projections than each other."""
    root = tmp_path_factory.mktemp("adapters")
    written = [
        write_adapter(root / "some", random_bundle, 2, TARGETS[:1]),
        write_adapter(root / "all", random_bundle, 1, TARGETS),
        write_adapter(root / "turned", random_bundle, 3, TARGETS[2:], transposed=True),
    ]
    read = [engine.gpt.read_adapter(path) for path in written]
    return [adapter for adapter in read if adapter is not None]
