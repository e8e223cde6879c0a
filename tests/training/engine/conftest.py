"""A whole run of a model of random weights, made once and looked at by many tests."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.training.engine.material import manifest_line, write_dataset
from training.engine.events import Event, EventWriter, read_events
from training.engine.launch import EVENTS
from training.engine.spec import LoraSpec, Prompt, TrainSpec
from xttsproject.lib.progress import Progress, Silent

EPOCHS = 5


@dataclass(frozen=True)
class Finished:
    spec: TrainSpec
    events: list[Event]

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [event.data for event in self.events if event.kind == kind]


SpecMaker = Callable[..., TrainSpec]


@pytest.fixture(autouse=True)
def one_precision_a_test() -> Iterator[None]:
    """accelerate and torch keep what a process was told first; a run's process is told once, a test's many times."""
    torch, state = sys.modules.get("torch"), sys.modules.get("accelerate.state")
    threads = torch.get_num_threads() if torch else 0
    if torch:
        torch.set_num_threads(1)
    if state:
        state.AcceleratorState._reset_state(reset_partial_state=True)
    yield
    if torch:
        torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def dataset_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Nine clips to train on, two to validate with, one that cannot be used."""
    folder = tmp_path_factory.mktemp("version")
    manifest = write_dataset(folder, (1.4, 1.1, 1.9, 1.2, 1.6, 1.3, 2.4, 1.7, 1.5), (1.5, 1.2))
    with open(manifest, "a", encoding="utf-8") as out:
        out.write(json.dumps(manifest_line("vanished", "clips/none.wav", "nobody says this")) + "\n")
    return folder


@pytest.fixture(scope="session")
def make_spec(random_bundle: Path, dataset_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> SpecMaker:
    """Specs that differ from each other only where told; all share one folder of features."""
    features = tmp_path_factory.mktemp("features")

    def make(run_dir: Path, **changes: Any) -> TrainSpec:
        values: dict[str, Any] = {
            "bundle": random_bundle,
            "manifest": dataset_dir / "manifest.jsonl",
            "language": "en",
            "epochs": EPOCHS,
            "batch_size": 3,
            "learning_rate": 2e-3,
            "device": "cpu",
            "threads": 1,
            "lora": LoraSpec(rank=4, alpha=8, dropout=0.1),
            "sample_prompts": (Prompt("A short line.", "en", 3),),
            "reference_clips": (dataset_dir / "clips" / "002.wav",),
            "features_dir": features,
        }
        return TrainSpec(run_dir, **{**values, **changes})

    return make


def execute(spec: TrainSpec, progress: Progress | None = None) -> Finished:
    """Run (or go on with) a spec in this process and return the events of this start alone."""
    import torch
    from accelerate.state import AcceleratorState

    from training.engine.run import Run

    path = spec.run_dir / EVENTS
    before = max((event.seq for event in read_events(path)), default=0)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        Run(spec, EventWriter(path), progress or Silent()).execute()
    finally:
        torch.set_num_threads(threads)
        AcceleratorState._reset_state(reset_partial_state=True)
    return Finished(spec, list(read_events(path, before)))


@pytest.fixture(scope="session")
def finished(make_spec: SpecMaker, tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """To be looked at, not changed: copy its folder for that."""
    return execute(make_spec(tmp_path_factory.mktemp("runs") / "finished"))
