"""The model that speaks the samples is loaded once where memory allows, and says the same however often it is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.training.engine.conftest import EPOCHS, Finished
from training.engine.checkpoint import checkpoint_folder
from training.engine.sampling import Sampler, sample_path
from xttsproject.lib.audio import read_wav, write_wav
from xttsproject.lib.progress import Silent
from xttsproject.xtts.engine import XttsEngine
from xttsproject.xtts.types import Sampling

pytestmark = pytest.mark.slow


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> list[Path | None]:
    """What was loaded from the disk: the adapter that was merged each time, or None."""
    loads: list[Path | None] = []
    load = XttsEngine.load

    def counted(bundle: Path, *, adapter: Path | None = None, **how: Any) -> XttsEngine:
        loads.append(adapter)
        return load(bundle, adapter=adapter, **how)

    monkeypatch.setattr(XttsEngine, "load", counted)
    return loads


def speak(finished: Finished, sampler: Sampler, folder: Path, epochs: tuple[int, ...]) -> None:
    """And all of it must be what the run itself said."""
    for epoch in epochs:
        adapter = checkpoint_folder(finished.spec.run_dir, epoch) if epoch else None
        sampler.speak(epoch, adapter, Silent(), lambda facts: None)
        for index in range(len(finished.spec.sample_prompts)):
            path = sample_path(epoch, index)
            assert (folder / path).read_bytes() == (finished.spec.run_dir / path).read_bytes(), (epoch, index)


def test_a_model_that_is_kept_speaks_for_every_checkpoint_as_one_that_is_loaded_for_it(
    finished: Finished, tmp_path: Path, loaded: list[Path | None]
) -> None:
    spec = replace(finished.spec, run_dir=tmp_path)
    # In another order than that of the run: what was spoken before changes nothing.
    sampler = Sampler(spec, "cpu", keep=True)
    speak(finished, sampler, tmp_path, (EPOCHS, 0, 1))
    assert loaded == [None]
    assert sampler.let_go()
    assert not sampler.let_go()
    speak(finished, sampler, tmp_path, (1,))
    speak(finished, sampler, tmp_path, (0,))
    assert loaded == [None] * 3
    speak(finished, Sampler(spec, "cpu"), tmp_path, (EPOCHS,))


def test_without_room_for_it_the_model_is_loaded_each_time(
    finished: Finished, tmp_path: Path, loaded: list[Path | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.engine.usage.free_bytes", lambda: 1_000_000)
    sampler = Sampler(replace(finished.spec, run_dir=tmp_path), "cpu", keep=True)
    speak(finished, sampler, tmp_path, (0,))
    speak(finished, sampler, tmp_path, (1,))
    assert loaded == [None, None]
    assert not sampler.let_go()


def test_what_is_more_than_an_adapter_is_loaded_whole(
    finished: Finished, tmp_path: Path, loaded: list[Path | None]
) -> None:
    # As if the heads had been trained too: the networks beside the adapter may be others then.
    spec = replace(finished.spec, run_dir=tmp_path, train_heads=True)
    folder = checkpoint_folder(finished.spec.run_dir, 1)
    Sampler(spec, "cpu", keep=True).speak(1, folder, Silent(), lambda facts: None)
    assert loaded == [folder]


def test_samples_are_spoken_in_the_precision_of_the_portal_s_own_speech(finished: Finished, tmp_path: Path) -> None:
    packed = tmp_path / "packed"
    spec = replace(finished.spec, run_dir=tmp_path, speech_precision="int8", packed_dir=packed)
    adapter, prompt = checkpoint_folder(finished.spec.run_dir, 1), spec.sample_prompts[0]
    Sampler(spec, "cpu").speak(1, adapter, Silent(), lambda facts: None)
    engine = XttsEngine.load(spec.bundle, precision="int8").adapted(adapter)
    voice = engine.conditioning([read_wav(path) for path in spec.reference_clips])
    spoken = engine.speak(prompt.text, prompt.language, voice, Sampling(seed=prompt.seed))
    write_wav(tmp_path / "speech.wav", spoken.audio)
    sample = (tmp_path / sample_path(1, 0)).read_bytes()
    assert sample == (tmp_path / "speech.wav").read_bytes()
    assert sample != (finished.spec.run_dir / sample_path(1, 0)).read_bytes()
    # The base model's shrunk weights are there for the next run, and for the portal.
    assert len(list(packed.glob("int8-*.safetensors"))) == 1
