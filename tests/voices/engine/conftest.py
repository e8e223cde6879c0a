"""An owner of speech models with the real engine on a small model, and what to ask it for."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.voices.factories import speechlike
from voices.engine.owner import OwnerSettings, SpeechOwner
from voices.engine.requests import Judge, ModelChoice, Piece, SpeechRequest
from xttsproject.xtts.types import Sampling


@pytest.fixture(scope="session")
def engine(random_bundle: Path) -> Any:
    from xttsproject.xtts.engine import XttsEngine

    return XttsEngine.load(random_bundle)


@pytest.fixture(scope="session")
def voice(engine: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("voice") / "conditioning.safetensors"
    engine.conditioning([speechlike(4.0)]).save(path)
    return path


@pytest.fixture
def make_owner() -> Iterator[Callable[..., SpeechOwner]]:
    made: list[SpeechOwner] = []

    def make(**settings: Any) -> SpeechOwner:
        made.append(SpeechOwner(OwnerSettings(device="cpu", **settings)))
        return made[-1]

    yield make
    for owner in made:
        owner.close()


@pytest.fixture
def ask(random_bundle: Path, engine: Any, voice: Path) -> Callable[..., SpeechRequest]:
    def make(text: str, seed: int = 1, *, judge: Judge | None = None, **changes: Any) -> SpeechRequest:
        fields = {
            "model": ModelChoice(random_bundle),
            "model_key": engine.model_key,
            "conditioning": voice,
            "sampling": Sampling(seed=seed),
            **changes,
        }
        return SpeechRequest((Piece(text=text, language="en", **fields),), judge=judge)

    return make


def until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    ends = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends, "it did not happen in time"
        time.sleep(0.01)
