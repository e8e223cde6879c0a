"""What is computed for a clip is computed once, and anew when the clip, its text or the model is another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.training.engine.material import voice
from training.engine.dataset import Clip
from training.engine.features import prepare
from xttsproject.lib.audio import Audio, write_wav
from xttsproject.lib.errors import Cancelled, DomainError
from xttsproject.lib.progress import Callback, Silent


class CountingAnalyser:
    """Hears loudness only, and remembers how often it listened."""

    def __init__(self, key: str = "model-1"):
        self.key = key
        self.heard: list[int] = []

    def analyse(self, audio: Audio) -> tuple[Tensor, Tensor]:
        self.heard.append(audio.sample_rate)
        wave = torch.from_numpy(audio.samples)
        frames = wave[: len(wave) // 256 * 256].reshape(-1, 256).abs().mean(1)
        return (frames[::4] * 1000).long(), frames.repeat(80, 1)


def a_clip(folder: Path, name: str = "a", seconds: float = 1.0, rate: int = 22050) -> Clip:
    path = folder / f"{name}.wav"
    write_wav(path, voice(seconds, rate=rate))
    return Clip(name, path, "hello", "en", "ada", int(seconds * 22050), (5, 6, 7))


def run(clips: Sequence[Clip], folder: Path, analyser: CountingAnalyser) -> list[tuple[int, int]]:
    told: list[tuple[int, int]] = []
    prepare(clips, folder, analyser, Silent(), lambda done, total: told.append((done, total)))
    return told


def test_a_second_run_computes_nothing_and_reads_the_same(tmp_path: Path) -> None:
    clips = [a_clip(tmp_path, "a"), a_clip(tmp_path, "b", 1.5)]
    analyser = CountingAnalyser()
    first = prepare(clips, tmp_path / "kept", analyser, Silent(), lambda done, total: None)
    assert run(clips, tmp_path / "kept", analyser) == [(1, 2), (2, 2)]
    again = prepare(clips, tmp_path / "kept", analyser, Silent(), lambda done, total: None)
    assert len(analyser.heard) == 2
    for before, after in zip(first, again, strict=True):
        assert torch.equal(before.codes, after.codes)
        assert torch.equal(before.tokens, after.tokens)
        assert torch.equal(before.mel(3, 9), after.mel(3, 9))
        assert before.frames == after.frames
    assert first[0].tokens.tolist() == [5, 6, 7]
    assert first[0].mel(0, 4).shape == (80, 4)


@pytest.mark.parametrize("change", ["text", "language", "sound", "model"])
def test_another_text_language_sound_or_model_is_computed_anew(tmp_path: Path, change: str) -> None:
    clip, analyser = a_clip(tmp_path), CountingAnalyser()
    run([clip], tmp_path / "kept", analyser)
    if change == "sound":
        write_wav(clip.audio, voice(1.0, pitch=200))
    elif change == "model":
        analyser.key = "model-2"
    else:
        clip = replace(clip, text="goodbye") if change == "text" else replace(clip, language="de")
    run([clip], tmp_path / "kept", analyser)
    assert len(analyser.heard) == 2


def test_the_same_clip_under_another_name_is_known(tmp_path: Path) -> None:
    analyser = CountingAnalyser()
    run([a_clip(tmp_path, "a")], tmp_path / "kept", analyser)
    run([a_clip(tmp_path, "renamed")], tmp_path / "kept", analyser)
    assert len(analyser.heard) == 1


def test_sound_at_another_rate_is_heard_at_the_models(tmp_path: Path) -> None:
    analyser = CountingAnalyser()
    run([a_clip(tmp_path, rate=44100)], tmp_path / "kept", analyser)
    assert analyser.heard == [22050]


def test_a_damaged_entry_is_made_anew(tmp_path: Path) -> None:
    clip, analyser = a_clip(tmp_path), CountingAnalyser()
    run([clip], tmp_path / "kept", analyser)
    (entry,) = (tmp_path / "kept").rglob("*.safetensors")
    entry.write_bytes(entry.read_bytes()[:50])
    run([clip], tmp_path / "kept", analyser)
    assert len(analyser.heard) == 2


def test_a_clip_that_vanished_meanwhile_is_named(tmp_path: Path) -> None:
    clip = a_clip(tmp_path)
    clip.audio.unlink()
    with pytest.raises(DomainError, match=r"a\.wav") as caught:
        run([clip], tmp_path / "kept", CountingAnalyser())
    assert caught.value.code == "clip_vanished"


def test_a_cancel_is_heard_between_clips_and_what_is_done_is_kept(tmp_path: Path) -> None:
    clips, analyser = [a_clip(tmp_path, "a"), a_clip(tmp_path, "b", 1.5)], CountingAnalyser()
    progress = Callback(should_stop=lambda: len(analyser.heard) == 1)
    with pytest.raises(Cancelled):
        prepare(clips, tmp_path / "kept", analyser, progress, lambda done, total: None)
    run(clips, tmp_path / "kept", analyser)
    assert len(analyser.heard) == 2
