"""What training hears is altered as told, once and for all; what it is to say is the clip as it is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.training.engine.material import voice
from training.engine import augment
from training.engine.augment import alter, prepare_altered
from training.engine.batches import Reference
from training.engine.dataset import Clip
from training.engine.features import ClipFeatures, prepare
from training.engine.losses import collate
from training.engine.sizes import VARIANTS
from xttsproject.lib.audio import Audio, Samples, write_wav
from xttsproject.lib.errors import DomainError
from xttsproject.lib.progress import Silent

RATE = 22050


class Ear:
    """Hears the loudness of every 256 samples in all bands, and counts."""

    key = "model"

    def __init__(self) -> None:
        self.listened = 0

    def mel(self, audio: Audio) -> Tensor:
        self.listened += 1
        wave = torch.from_numpy(audio.samples)
        return wave[: len(wave) // 256 * 256].reshape(-1, 256).abs().mean(1).repeat(80, 1)

    def analyse(self, audio: Audio) -> tuple[Tensor, Tensor]:
        mel = self.mel(audio)
        codes = -(-len(audio.samples) // 1024)
        return torch.arange(codes), mel


def clip_and_features(folder: Path, ear: Ear, seconds: float = 2.0) -> tuple[Clip, ClipFeatures]:
    write_wav(folder / "a.wav", voice(seconds))
    clip = Clip("a", folder / "a.wav", "hello", "en", "ada", int(seconds * RATE), (5, 6, 7))
    return clip, prepare([clip], folder / "kept", ear, Silent(), lambda done, total: None)[0]


def altered(clip: Clip, features: ClipFeatures, ear: Ear) -> ClipFeatures:
    return prepare_altered([clip], [features], ear, Silent(), lambda done, total: None)[0]


def power_between(sound: Samples, low: float, high: float) -> float:
    spectrum = np.abs(np.fft.rfft(sound)) ** 2
    hertz = np.fft.rfftfreq(len(sound), 1 / RATE)
    return float(spectrum[(hertz >= low) & (hertz < high)].sum() / len(sound))


def test_recordings_differ_in_level_speed_band_and_noise_within_their_bounds() -> None:
    sound = np.random.default_rng(0).normal(0, 0.05, RATE).astype(np.float32)
    made = [alter(sound, np.random.default_rng(seed)) for seed in range(60)]
    lengths = {len(each) / len(sound) for each in made}
    assert min(lengths) == pytest.approx(1 / 1.04, abs=0.005)
    assert max(lengths) == pytest.approx(1 / 0.96, abs=0.005)
    # About half keep their length, and about half their treble.
    assert 20 < sum(len(each) == len(sound) for each in made) < 40
    treble = [power_between(each, 8500, 11025) / power_between(each, 500, 3000) for each in made]
    assert 20 < sum(share < 0.1 * treble_of(sound) for share in treble) < 40
    levels = [20 * np.log10(np.std(each) / np.std(sound)) for each in made]
    assert -20 < min(levels) < -8  # a narrow band takes some more away
    assert 2 < max(levels) < 7
    assert all(np.abs(each).max() <= 1.0 for each in made)


def treble_of(sound: Samples) -> float:
    return power_between(sound, 8500, 11025) / power_between(sound, 500, 3000)


def test_noise_is_as_far_below_the_voice_as_told(monkeypatch: pytest.MonkeyPatch) -> None:
    sound = voice(2.0).samples.astype(np.float64)
    for decibels in (20.0, 40.0):
        monkeypatch.setattr(augment, "SIGNAL_TO_NOISE_DB", (decibels, decibels))
        noise = augment._noise(sound, np.random.default_rng(3))
        assert 10 * np.log10(np.mean(sound**2) / np.mean(noise**2)) == pytest.approx(decibels, abs=0.01)


def test_they_are_made_once_are_the_same_everywhere_and_another_clips_are_others(tmp_path: Path) -> None:
    ear = Ear()
    clip, plain = clip_and_features(tmp_path, ear)
    first = altered(clip, plain, ear)
    assert len(first.altered) == VARIANTS
    listened = ear.listened
    again = altered(clip, plain, ear)
    assert ear.listened == listened
    assert again.altered == first.altered
    (tmp_path / "elsewhere").mkdir()
    there = altered(*clip_and_features(tmp_path / "elsewhere", ear), ear)
    for ours, theirs in zip(first.altered, there.altered, strict=True):
        assert ours.read_bytes() == theirs.read_bytes()
    assert len({path.read_bytes() for path in first.altered}) == VARIANTS
    damaged = first.altered[1]
    whole = damaged.read_bytes()
    damaged.write_bytes(whole[:50])
    altered(clip, plain, ear)
    assert damaged.read_bytes() == whole


def test_a_vanished_clip_is_named(tmp_path: Path) -> None:
    ear = Ear()
    clip, plain = clip_and_features(tmp_path, ear)
    clip.audio.unlink()
    with pytest.raises(DomainError, match="clip a was there") as caught:
        altered(clip, plain, ear)
    assert caught.value.code == "clip_vanished"


def test_what_is_to_be_said_is_not_altered(tmp_path: Path) -> None:
    ear = Ear()
    clip, plain = clip_and_features(tmp_path, ear)
    heard = altered(clip, plain, ear)
    batches = [
        collate([0], [Reference(0, 20, 60, variant)], [clip], [heard], 33, mask_references=True)
        for variant in range(VARIANTS + 1)
    ]
    for batch in batches[1:]:
        assert torch.equal(batch.codes, batches[0].codes)
        assert torch.equal(batch.text, batches[0].text)
        assert torch.equal(batch.mel_targets, batches[0].mel_targets)
        assert batch.cond_mels.shape == batches[0].cond_mels.shape
        assert not torch.equal(batch.cond_mels, batches[0].cond_mels)


@pytest.mark.parametrize("speed", [0.96, 1.04])
def test_a_stretch_at_another_speed_holds_nothing_from_beyond_it(tmp_path: Path, speed: float) -> None:
    """The loss is masked on the stretch alone: what lies beyond must not be heard."""
    from safetensors.torch import save_file

    frames = 200
    # Each frame says where in the clip it comes from.
    places = torch.arange(int(frames / speed)) * speed
    path = tmp_path / "altered.safetensors"
    save_file({"mel": places.half().repeat(80, 1).T.contiguous()}, path)
    features = ClipFeatures(tmp_path / "plain", torch.zeros(50), torch.zeros(3), frames)
    for start, length in ((0, 100), (50, 100), (100, 100), (13, 1), (199, 1), (0, 200)):
        part = replace(features, altered=(path,)).mel(start, length, 1)
        assert part.shape == (80, length)
        assert start - 1.5 <= float(part.min())
        assert float(part.max()) < start + length
