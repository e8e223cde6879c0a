"""Rows of the voices side, and what stands below them, with real files."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import factory
import numpy as np

from datasets.choices import ReviewStatus, VersionState
from datasets.models import Dataset, DatasetVersion
from tests.datasets.factories import SegmentFactory as AnySegmentFactory
from tests.datasets.factories import SourceFactory as AnySourceFactory
from tests.datasets.factories import SpeakerFactory as SpeakerFactory
from training.choices import RunState
from training.models import Checkpoint, TrainingRun
from voices.choices import Channel
from voices.models import Synthesis, Voice
from xttsproject.lib.audio import Audio, write_wav


def speechlike(seconds: float, rate: int = 24_000, seed: int = 0, level: float = 0.2) -> Audio:
    """A buzz with syllables and breaks: not speech, but neither silence nor noise."""
    time = np.arange(round(seconds * rate)) / rate
    draw = np.random.default_rng(seed)
    pitch = 110 + 40 * draw.random() + 8 * np.sin(2 * np.pi * 0.7 * time)
    phase = 2 * np.pi * np.cumsum(pitch) / rate
    voice = sum(np.sin(k * phase) / k for k in range(1, 12))
    syllables = np.clip(np.sin(2 * np.pi * 3.1 * time + draw.random()) + 0.4, 0, 1)
    samples = level * voice * syllables / 2 + 0.0005 * draw.standard_normal(len(time))
    return Audio(samples.astype(np.float32), rate)


class SourceFactory(AnySourceFactory):
    """A recording with a master of 20 s."""

    @factory.post_generation
    def master(self: Any, create: bool, extracted: Any, **_: Any) -> None:
        self.master_path.parent.mkdir(parents=True)
        write_wav(self.master_path, speechlike(20.0))


class SegmentFactory(AnySegmentFactory):
    """Four approved seconds."""

    start, end = 1.0, 5.0
    status = ReviewStatus.APPROVED


class VersionFactory(factory.django.DjangoModelFactory):
    """A frozen version whose training clips last 2, 3, … 8 s (35 s together), and one clip of 9 s for validation."""

    class Meta:
        model = DatasetVersion

    dataset = factory.LazyAttribute(
        lambda made: Dataset.objects.create(
            owner=made.owner, name="Read aloud", speaker=SpeakerFactory(owner=made.owner), language="en"
        )
    )
    number = 1
    state = VersionState.READY

    class Params:
        owner: Any = None

    @factory.post_generation
    def files(self: Any, create: bool, extracted: Any, **_: Any) -> None:
        clips = self.folder / "clips"
        clips.mkdir(parents=True)
        lines = []
        for seconds in range(2, 10):
            audio = f"clips/c{seconds}.wav"
            write_wav(self.folder / audio, speechlike(seconds, 22_050, seed=seconds))
            lines.append(
                {
                    "id": f"c{seconds}",
                    "audio": audio,
                    "text": f"Sentence {seconds}.",
                    "language": "en",
                    "split": "validation" if seconds == 9 else "train",
                    "speaker": "s",
                    "seconds": float(seconds),
                }
            )
        self.manifest_path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")


def make_checkpoint(owner: Any, bundle: Path, *, scale: float = 0.5, **run_fields: Any) -> Checkpoint:
    """A run's checkpoint with a real, random LoRA adapter for the bundle's GPT."""
    import torch
    from safetensors.torch import save_file

    from xttsproject.xtts.weights import read_state

    run = TrainingRun.objects.create(
        owner=owner,
        name="Run",
        version=VersionFactory(owner=owner),
        bundle=bundle.name,
        spec={},
        state=RunState.SUCCEEDED,
        **run_fields,
    )
    path = "checkpoints/epoch-0001"
    folder = run.folder / path
    folder.mkdir(parents=True)
    name = "gpt.h.0.attn.c_attn"
    rows, columns = read_state(bundle, "gpt")[f"{name}.weight"].shape
    drawn = torch.Generator().manual_seed(1)
    prefix = f"base_model.model.{name}"
    save_file(
        {
            f"{prefix}.lora_A.weight": scale * torch.randn(4, rows, generator=drawn),
            f"{prefix}.lora_B.weight": scale * torch.randn(columns, 4, generator=drawn),
        },
        folder / "adapter_model.safetensors",
    )
    (folder / "adapter_config.json").write_text(
        json.dumps({"peft_type": "LORA", "r": 4, "lora_alpha": 8, "fan_in_fan_out": True, "bias": "none"}),
        encoding="utf-8",
    )
    weights = (folder / "adapter_model.safetensors").read_bytes()
    return Checkpoint.objects.create(
        run=run, epoch=1, step=4, path=path, bytes=len(weights), sha256=hashlib.sha256(weights).hexdigest()
    )


class SynthesisFactory(factory.django.DjangoModelFactory):
    """Something spoken earlier, with its sound."""

    class Meta:
        model = Synthesis

    voice_name = "Vera"
    bundle = "tiny"
    text = "What was said."
    language = "en"
    sampling = factory.LazyFunction(lambda: {"seed": 1})
    seconds = 1.0
    elapsed = 0.5
    channel = Channel.PAGE

    @factory.post_generation
    def sound(self: Any, create: bool, extracted: Any, **_: Any) -> None:
        self.audio_path.parent.mkdir(parents=True, exist_ok=True)
        write_wav(self.audio_path, speechlike(1.0))


class VoiceFactory(factory.django.DjangoModelFactory):
    """A row alone, still being prepared; tests that need one that speaks make it through the services."""

    class Meta:
        model = Voice

    name = factory.Sequence(lambda n: f"Voice {n}")
    speaker = factory.SubFactory(SpeakerFactory, owner=factory.SelfAttribute("..owner"))
    bundle = "tiny"
    language = "en"
