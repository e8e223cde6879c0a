"""The stage "style": latents that differ from voice to voice, and a refusal where they do not."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from training.engine.tiny import style
from training.engine.tiny.corpus import GRID, RATE
from training.engine.tiny.recipe import Workshop
from training.engine.tiny.sizes import tiny_config
from xttsproject.lib.errors import DomainError
from xttsproject.lib.files import write_json
from xttsproject.xtts.mel import conditioning_mel
from xttsproject.xtts.networks import build_gpt, build_speaker_encoder

PITCHES = {"low-1": 90.0, "middle-1": 150.0, "high-1": 240.0}


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    """Three buzzing voices, the same ones to train on and to be measured with."""
    place = Workshop(tmp_path, threads=1, scale=6 / style.STEPS)
    for name in ("train", "held"):
        folder = place.folder("speech") / name
        folder.mkdir()
        lines, sound, start = [], [], 0
        for voice, pitch in PITCHES.items():
            for _ in range(2):
                time = np.arange(40 * GRID) / RATE
                wave = (0.5 * np.sign(np.sin(2 * np.pi * pitch * time)) * 32_767).astype(np.int16)
                lines.append({"text": "A.", "voice": voice, "start": start, "samples": len(wave), "words": []})
                sound.append(wave)
                start += len(wave)
        (folder / "index.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
        np.concatenate(sound).tofile(folder / "sound.pcm")
    write_json(place.folder("features") / "voices.json", PITCHES)
    torch.manual_seed(0)
    encoder = build_speaker_encoder(tiny_config())
    save_file(dict(encoder.state_dict()), place.folder("speaker") / "speaker.safetensors")
    return place


def test_what_it_learns_stands_in_the_gpt_and_tells_voices_apart(workshop: Workshop, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(style, "VOICES", 3)
    style.run(workshop)
    report = json.loads((workshop.folder("style") / "report.json").read_text())
    assert report["steps"] == 6
    assert report["differs"] > 0.05
    torch.manual_seed(1)
    gpt = build_gpt(tiny_config())
    style.place(gpt, workshop)
    found = style.latents(gpt, workshop, workshop.corpus("held"), 2)
    assert {voice: tuple(value.shape) for voice, value in found.items()} == dict.fromkeys(PITCHES, (2, 32, 192))
    # The same references, heard by the network itself.
    gpt.eval()
    random = Random(9)
    seconds = random.uniform(*style.REFERENCE_SECONDS)
    corpus = workshop.corpus("held")
    heard = torch.stack(
        [style.reference(corpus, "low-1", seconds, random) * random.uniform(0.5, 1.5) for _ in range(2)]
    )
    with torch.no_grad():
        expected = gpt.get_style_emb(conditioning_mel(heard, workshop.mel_stats())).transpose(1, 2)
    assert torch.allclose(found["low-1"].float(), expected, atol=0.1)


def test_latents_that_are_the_same_for_every_voice_are_refused(workshop: Workshop, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(style, "VOICES", 3)
    monkeypatch.setattr(style, "differs", lambda latents: 1e-4)
    with pytest.raises(DomainError, match="the same for every voice") as caught:
        style.run(workshop)
    assert caught.value.code == "style_collapsed"
    assert not workshop.finished("style")
    assert not (workshop.folder("style") / style.WEIGHTS).exists()
