"""The project's own decoder: as long as Coqui's, the same for the same latents, and at the pitch it is asked for."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as fn

from xttsproject.lib.audio import Audio
from xttsproject.lib.errors import DomainError
from xttsproject.xtts.conditioning import Conditioning
from xttsproject.xtts.config import read_config
from xttsproject.xtts.engine import XttsEngine
from xttsproject.xtts.networks import build_decoder, load_decoder
from xttsproject.xtts.source_filter import SourceFilterDecoder
from xttsproject.xtts.types import Sampling

WIDTH, RATE = 32, 24_000
SMALL: dict[str, Any] = {"channels": 24, "frame_channels": 16, "bands": 40}


@pytest.fixture(scope="module")
def decoder() -> SourceFilterDecoder:
    torch.manual_seed(3)
    return SourceFilterDecoder(WIDTH, **SMALL).eval()


@pytest.fixture(scope="module")
def own_bundle(tiny_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny bundle with this decoder, its weights random, in the place of its own."""
    return with_decoder(tiny_bundle, tmp_path_factory.mktemp("own"), {"class": "source_filter", **SMALL})


@pytest.fixture(scope="module")
def stock_bundle(tiny_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny bundle with Coqui's decoder, its weights random, and nothing said of its class."""
    return with_decoder(tiny_bundle, tmp_path_factory.mktemp("stock"), {"upsample_initial_channel_decoder": 32})


def with_decoder(bundle: Path, folder: Path, decoder: dict[str, Any]) -> Path:
    from safetensors.torch import load_file, save_file

    for name in ("config.json", "vocab.json"):
        shutil.copyfile(bundle / name, folder / name)
    content = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**content, "decoder": decoder}))
    torch.manual_seed(5)
    fresh = build_decoder(read_config(folder)).state_dict()
    model = {f"hifigan_decoder.{name}": value.contiguous() for name, value in fresh.items()}
    kept = load_file(bundle / "model.safetensors")
    model.update({name: value for name, value in kept.items() if not name.startswith("hifigan_decoder.")})
    save_file(model, folder / "model.safetensors")
    return folder


def random_latents(count: int, rows: int = 1, seed: int = 0) -> Tensor:
    return torch.randn(rows, count, WIDTH, generator=torch.Generator().manual_seed(seed))


def voice_of(rows: int = 1, seed: int = 1) -> Tensor:
    drawn = torch.randn(rows, 512, 1, generator=torch.Generator().manual_seed(seed))
    return fn.normalize(drawn, dim=1)


def loudness(samples: Tensor) -> float:
    return float(samples.square().mean().sqrt())


@pytest.mark.parametrize("codes", [1, 2, 7, 36, 37, 147, 294])
def test_sound_is_as_long_as_coquis(decoder: SourceFilterDecoder, codes: int) -> None:
    """Coqui stretches latents to frames of 256 samples, four for each code and then by the ratio of rates."""
    frames = fn.interpolate(torch.zeros(1, 1, codes), scale_factor=[1024 / 256], mode="linear")
    frames = fn.interpolate(frames, scale_factor=[24_000 / 22_050], mode="linear")
    with torch.inference_mode():
        sound = decoder(random_latents(codes), g=voice_of())
    assert sound.shape == (1, 1, 256 * frames.shape[-1])
    assert sound.shape[-1] == pytest.approx(codes * 1024 * RATE / 22_050, abs=256)
    assert bool(sound.isfinite().all())


def test_the_stock_decoder_has_that_length(stock_bundle: Path, decoder: SourceFilterDecoder) -> None:
    config = read_config(stock_bundle)
    stock = load_decoder(stock_bundle, config)
    with torch.inference_mode():
        for codes in (1, 11, 37):
            theirs = stock(torch.zeros(1, codes, config.decoder_input_width), g=voice_of())
            assert decoder(random_latents(codes)).shape == theirs.shape


def test_the_same_latents_give_the_same_bytes_whatever_was_said_before(decoder: SourceFilterDecoder) -> None:
    latents, voice = random_latents(20), voice_of()
    with torch.inference_mode():
        first = decoder(latents, g=voice)
        decoder(random_latents(33, seed=5), g=voice)
        torch.manual_seed(99)
        assert torch.equal(decoder(latents, g=voice), first)
        assert not torch.equal(decoder(latents, g=voice_of(seed=2)), first)
        assert not torch.equal(decoder(latents + 0.1, g=voice), first)


def test_a_batch_sounds_as_its_rows_do_alone(decoder: SourceFilterDecoder) -> None:
    latents, voices = random_latents(25, rows=3), voice_of(rows=3)
    with torch.inference_mode():
        together = decoder(latents, g=voices)
        alone = torch.cat([decoder(latents[row : row + 1], g=voices[row : row + 1]) for row in range(3)])
    assert loudness(together) > 0.01
    assert loudness(together - alone) < 1e-3 * loudness(together)


@pytest.mark.parametrize("hertz", [70.0, 117.3, 220.0, 390.0])
def test_it_sounds_at_the_pitch_that_is_asked_for(decoder: SourceFilterDecoder, hertz: float) -> None:
    frames = 300
    level = torch.full((1, 40, frames), math.log(0.1))
    with torch.inference_mode():
        pitch = torch.full((1, frames), math.log2(hertz))
        tone = decoder.sound(pitch, torch.ones(1, frames), level, torch.full_like(level, -12.0))[0]
    assert loudness(tone) == pytest.approx(0.1, rel=0.05)
    spectrum = torch.fft.rfft(tone * torch.hann_window(len(tone)), 8 * len(tone)).abs()
    frequency = torch.arange(len(spectrum)) * RATE / (8 * len(tone))
    near = ((frequency / hertz).round() * hertz - frequency).abs() < 2.0
    # All of it lies at multiples of the pitch, the pitch itself among them, and nothing above what was learnt from.
    assert 10 * math.log10(float(spectrum[~near].square().sum() / spectrum.square().sum())) < -50
    own = spectrum[(frequency - hertz).abs() < 2.0].max()
    assert own == pytest.approx(float(spectrum[(frequency - 2 * hertz).abs() < 2.0].max()), rel=0.05)
    assert float(spectrum[frequency > 11_100].max()) < 5e-3 * float(own)


def test_pitch_may_glide_without_clicks(decoder: SourceFilterDecoder) -> None:
    frames = 200
    pitch = torch.linspace(math.log2(90), math.log2(260), frames)[None]
    level = torch.full((1, 40, frames), math.log(0.1))
    level[:, 10:] = -12.0
    with torch.inference_mode():
        tone = decoder.sound(pitch, torch.ones(1, frames), level, torch.full_like(level, -12.0))[0]
    # Only bands below a kilohertz sound: a jump in phase would be heard far above.
    spectrum = torch.stft(tone, 512, 256, window=torch.hann_window(512), return_complex=True).abs()[:, 2:-2]
    assert float(spectrum[120:].max()) < 2e-3 * float(spectrum.max())


def test_voiceless_sound_is_noise_without_a_constant_part(decoder: SourceFilterDecoder) -> None:
    frames = 300
    level = torch.full((1, 40, frames), math.log(0.05))
    silent = torch.zeros(1, frames)
    with torch.inference_mode():
        noise = decoder.sound(silent + 7.0, silent, level, level)[0]
    assert loudness(noise) == pytest.approx(0.05 * math.sqrt(11_025 / 12_000), rel=0.05)
    assert abs(float(noise.mean())) < 1e-4
    # Nothing in it repeats.
    spectrum = torch.fft.rfft(noise, 2 * len(noise)).abs().square()
    alike = torch.fft.irfft(spectrum)[: len(noise)]
    assert float((alike[60:600] / alike[0]).abs().max()) < 0.1


def test_gradients_reach_every_weight(decoder: SourceFilterDecoder) -> None:
    torch.manual_seed(3)
    learner = SourceFilterDecoder(WIDTH, **SMALL).train()
    controls = learner.controls(random_latents(12, rows=6), voice_of(rows=6))
    sound = learner.sound(controls.pitch, controls.voiced(), controls.tone, controls.noise)
    (sound.square().mean() + controls.pitch.mean()).backward()
    for name, parameter in learner.named_parameters():
        assert parameter.grad is not None, name
        assert float(parameter.grad.abs().max()) > 0, name


def test_the_config_chooses_the_decoder(stock_bundle: Path, own_bundle: Path) -> None:
    assert type(load_decoder(stock_bundle, read_config(stock_bundle))).__name__ == "HifiDecoder"
    config = read_config(own_bundle)
    own = load_decoder(own_bundle, config)
    assert isinstance(own, SourceFilterDecoder)
    assert not own.training
    assert not any(parameter.requires_grad for parameter in own.parameters())
    assert own.entry.weight.shape[:2] == (24, config.gpt.width)
    assert own.frames_per_code == 4
    with torch.inference_mode():
        embedding = own.speaker_encoder(torch.randn(1, 16_000), l2_norm=True)  # type: ignore[operator]
    assert embedding.shape == (1, 512)


def test_an_engine_speaks_through_it(own_bundle: Path, clip: Audio) -> None:
    engine = XttsEngine.load(own_bundle)
    voice = engine.conditioning([clip])
    speech = engine.speak("Something to say.", "en", voice, Sampling(seed=1))
    again = engine.speak("Something to say.", "en", voice, Sampling(seed=1))
    assert np.array_equal(speech.audio.samples, again.audio.samples)
    [sentence] = speech.sentences
    assert speech.audio.seconds == pytest.approx((sentence.codes + 1) * 1024 / 22_050, rel=0.02)
    assert 0.01 < float(np.sqrt(np.mean(speech.audio.samples**2))) < 0.4
    fast = engine.speak("Something to say.", "en", voice, Sampling(seed=1, speed=2.0))
    assert fast.audio.seconds == pytest.approx(speech.audio.seconds / 2, rel=0.05)


def test_half_precision_changes_little(own_bundle: Path) -> None:
    engine, half = XttsEngine.load(own_bundle), XttsEngine.load(own_bundle, precision="bf16")
    voice = Conditioning(torch.zeros(1, 32, engine.config.gpt.width), voice_of())
    latents = torch.randn(15, engine.config.gpt.width, generator=torch.Generator().manual_seed(4))
    exact, rough = engine.render(latents, voice), half.render(latents, voice)
    assert rough.shape == exact.shape
    levels = [float(np.sqrt(np.mean(samples**2))) for samples in (exact, rough)]
    assert levels[1] == pytest.approx(levels[0], rel=0.1)


@pytest.mark.parametrize(
    ("decoder", "code", "named"),
    [
        ({"class": "vocos"}, "model_unsuitable", "'vocos'"),
        ({"class": ["source_filter"]}, "model_unsuitable", "source_filter"),
        ({"class": "source_filter", "upsample_initial_channel_decoder": 64}, "model_damaged", "upsample_initial"),
        ({"channels": 24}, "model_damaged", "channels"),
    ],
)
def test_a_decoder_that_is_not_known_is_refused(
    tiny_bundle: Path, tmp_path: Path, decoder: dict[str, Any], code: str, named: str
) -> None:
    content = json.loads((tiny_bundle / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**content, "decoder": decoder}))
    shutil.copyfile(tiny_bundle / "vocab.json", tmp_path / "vocab.json")
    with pytest.raises(DomainError) as caught:
        build_decoder(read_config(tmp_path))
    assert caught.value.code == code
    assert named in caught.value.message


def test_weights_of_another_decoder_are_refused(own_bundle: Path, stock_bundle: Path, tmp_path: Path) -> None:
    for name in ("model.safetensors", "vocab.json"):
        shutil.copyfile(stock_bundle / name, tmp_path / name)
    shutil.copyfile(own_bundle / "config.json", tmp_path / "config.json")
    with pytest.raises(DomainError) as caught:
        load_decoder(tmp_path, read_config(tmp_path))
    assert caught.value.code == "model_damaged"
