"""What the stages learnt becomes whole, small files from which the bundle is built; damage and gaps are named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from training.engine.tiny import ship
from training.engine.tiny.corpus import GRID, PEAK
from training.engine.tiny.recipe import Workshop
from training.engine.tiny.sizes import tiny_config
from training.engine.tiny.voices import TRAIN_VOICES
from xttsproject.bundles.manifest import verify
from xttsproject.bundles.tiny import shipped, xtts
from xttsproject.lib.errors import DomainError
from xttsproject.xtts.networks import build_decoder, build_dvae, build_gpt


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    """As the stages leave it, only that nothing was learnt."""
    place = Workshop(tmp_path_factory.mktemp("work"), threads=1)
    config = tiny_config()
    torch.manual_seed(0)
    decoder = build_decoder(config).state_dict()
    parts = {
        "dvae": build_dvae(config).state_dict(),
        "speaker": {
            name.removeprefix("speaker_encoder."): value
            for name, value in decoder.items()
            if name.startswith("speaker_encoder.")
        },
        "gpt": build_gpt(config).state_dict(),
        "decoder": {name: value for name, value in decoder.items() if not name.startswith("speaker_encoder.")},
        "whisper": {"model.decoder.embed_tokens.weight": torch.randn(7, 5), "large": torch.tensor([70_000.0])},
    }
    for number, (stage, state) in enumerate(parts.items(), start=1):
        save_file(
            {name: value.contiguous().clone() for name, value in state.items()},
            place.folder(stage) / f"{stage}.safetensors",
        )
        place.finish(stage, {"steps": 10 * number, "seconds": 60.0 * number, "loss": 0.5})
    write_corpus(place.work / "speech" / "train")
    return place


def write_corpus(folder: Path) -> None:
    """Two buzzing clips for each of the built-in speakers' voices."""
    folder.mkdir(parents=True)
    wanted = set(ship.SPEAKERS.values())
    lines, sound = [], []
    start = 0
    for number, voice in enumerate(voice for voice in TRAIN_VOICES if voice.variant in wanted):
        for _ in range(2):
            time = np.arange(20 * GRID) / 22_050
            wave = PEAK * np.sign(np.sin(2 * np.pi * (80 + 10 * number) * time))
            lines.append({"text": "A text.", "voice": voice.key, "start": start, "samples": len(wave), "words": []})
            sound.append((wave * 32_767).astype(np.int16))
            start += len(wave)
    (folder / "index.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    np.concatenate(sound).tofile(folder / "sound.pcm")


@pytest.fixture(scope="module")
def weights(workshop: Workshop, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("weights")
    ship.ship(workshop, target)
    return target


def test_all_files_are_recorded_with_hash_size_and_the_reports_of_their_stages(weights: Path) -> None:
    record = shipped.open_shipped(weights)
    assert set(record.files) == set(shipped.FILES)
    assert record.bytes == sum((weights / name).stat().st_size for name in shipped.FILES) < ship.MOST_BYTES
    for name in record.files:
        assert record.path(name) == weights / name
    assert record.stages["dvae"] == {"steps": 10, "seconds": 60.0, "loss": 0.5}
    counted = sum(value.numel() for value in load_file(weights / shipped.XTTS_FILE).values())
    parts = record.parts["gpt"] + record.parts["hifigan_decoder"] + record.parts["hifigan_decoder.speaker_encoder"]
    assert record.files[shipped.XTTS_FILE].parameters == counted == parts + 80


def test_numbers_are_halved_where_they_fit_and_kept_where_not(weights: Path, workshop: Workshop) -> None:
    whisper = load_file(weights / shipped.WHISPER_FILE)
    assert whisper["large"].dtype == torch.float32
    assert whisper["large"].item() == 70_000
    assert whisper["model.decoder.embed_tokens.weight"].dtype == torch.float16
    ours = shipped.open_shipped(weights).read(shipped.XTTS_FILE)
    theirs = load_file(workshop.work / "gpt" / "gpt.safetensors")
    for name, value in theirs.items():
        assert ours[f"gpt.{name}"].dtype == torch.float32
        assert torch.allclose(ours[f"gpt.{name}"], value, rtol=1e-3, atol=1e-6), name


def test_the_bundle_built_of_them_is_whole_and_speaks_with_its_own_speakers(weights: Path, tmp_path: Path) -> None:
    from xttsproject.xtts.engine import XttsEngine
    from xttsproject.xtts.types import Sampling

    bundle = xtts.build(tmp_path / "tiny", weights)
    verify(bundle)
    assert xtts.build(tmp_path / "again", weights).files == bundle.files
    assert "synthesiser" in bundle.notice
    engine = XttsEngine.load(bundle.path)
    voices = engine.builtin_speakers()
    assert list(voices) == sorted(ship.SPEAKERS)
    assert engine.speak("It works.", "en", voices["Amber"], Sampling(seed=1)).audio.seconds > 0.2


@pytest.mark.parametrize("name", [shipped.XTTS_FILE, shipped.DVAE_FILE, shipped.SPEAKERS_FILE])
def test_a_file_that_is_not_the_recorded_one_is_refused_by_name(weights: Path, tmp_path: Path, name: str) -> None:
    import shutil

    damaged = tmp_path / "weights"
    shutil.copytree(weights, damaged)
    content = bytearray((damaged / name).read_bytes())
    content[-1] ^= 1
    (damaged / name).write_bytes(content)
    with pytest.raises(DomainError, match=name) as caught:
        xtts.build(tmp_path / "tiny", damaged)
    assert caught.value.code == "weights_damaged"
    assert not (tmp_path / "tiny").exists()


@pytest.mark.parametrize("content", ["{", '{"format": 9}', '{"format": 1, "files": {"x": 1}}'])
def test_a_record_that_cannot_be_read_is_told(tmp_path: Path, content: str) -> None:
    (tmp_path / shipped.RECORD).write_text(content)
    with pytest.raises(DomainError) as caught:
        shipped.open_shipped(tmp_path)
    assert caught.value.code == "weights_damaged"
    with pytest.raises(DomainError) as missing:
        shipped.open_shipped(tmp_path / "nothing")
    assert missing.value.code == "weights_missing"


def spoilt(workshop: Workshop, tmp_path: Path, stage: str, change: Any) -> Workshop:
    """A copy of the workshop in which one stage's tensors are others."""
    import shutil

    place = Workshop(tmp_path / "work", threads=1)
    shutil.copytree(workshop.work, place.work)
    path = place.work / stage / f"{stage}.safetensors"
    state = load_file(path)
    change(state)
    save_file(state, path)
    return place


def test_a_network_that_does_not_fit_the_config_is_not_shipped(workshop: Workshop, tmp_path: Path) -> None:
    place = spoilt(workshop, tmp_path, "gpt", lambda state: state.pop("mel_head.bias"))
    with pytest.raises(DomainError, match=r"mel_head\.bias"):
        ship.ship(place, tmp_path / "weights")
    assert not (tmp_path / "weights").exists()


def test_numbers_that_are_not_finite_are_not_shipped(workshop: Workshop, tmp_path: Path) -> None:
    place = spoilt(workshop, tmp_path, "dvae", lambda state: state["codebook.embed"].fill_(float("nan")))
    with pytest.raises(DomainError, match=r"codebook\.embed"):
        ship.ship(place, tmp_path / "weights")


def test_a_stage_that_has_not_run_is_named(tmp_path: Path) -> None:
    with pytest.raises(DomainError, match=r"stage gpt has not written gpt\.safetensors") as caught:
        ship.ship(Workshop(tmp_path, threads=1), tmp_path / "weights")
    assert caught.value.code == "ship_incomplete"


def test_parts_that_were_made_of_others_are_not_shipped_together(workshop: Workshop, tmp_path: Path) -> None:
    place = spoilt(workshop, tmp_path, "dvae", lambda state: None)
    place.finish("dvae", {"steps": 99})
    with pytest.raises(DomainError, match="stage gpt is not done") as caught:
        ship.ship(place, tmp_path / "weights")
    assert caught.value.code == "ship_incomplete"
    assert not (tmp_path / "weights").exists()


def test_too_much_is_refused(workshop: Workshop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ship, "MOST_BYTES", 1_000_000)
    with pytest.raises(DomainError) as caught:
        ship.ship(workshop, tmp_path / "weights")
    assert caught.value.code == "ship_too_large"


def test_without_weights_nothing_is_built(tmp_path: Path) -> None:
    with pytest.raises(DomainError) as caught:
        xtts.build(tmp_path / "tiny", tmp_path / "none")
    assert caught.value.code == "weights_missing"
    assert not (tmp_path / "tiny").exists()
