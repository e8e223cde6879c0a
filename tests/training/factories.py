"""Rows of the training side; files only where a test asks for them."""

from __future__ import annotations

import itertools
from typing import Any

import factory
import numpy as np

from datasets.choices import VersionState
from datasets.models import DatasetVersion
from datasets.pipeline.manifest import Item, freeze
from datasets.pipeline.split import split_by_source
from tests.datasets.factories import DatasetFactory
from training.choices import RunState
from training.models import Checkpoint, EpochSample, TrainingRun
from xttsproject.lib.audio import Audio, write_wav

_numbers = itertools.count(1)

TEXTS = (
    "The boat came in before the rain.",
    "We carried the chairs to the garden.",
    "Somebody had left the gate open.",
    "The kettle sang on the old stove.",
    "Nine letters lay on the table.",
    "She wound the clock every Sunday.",
    "The road bends after the mill.",
)


def frozen_version(owner: Any, *, clips: int = 6, **dataset: Any) -> DatasetVersion:
    """A ready version whose clips and manifest were written by the code that freezes datasets."""
    version = DatasetVersion.objects.create(dataset=DatasetFactory(owner=owner, **dataset), number=1)
    master = version.folder.parent / f"master-{version.pk}.wav"
    master.parent.mkdir(parents=True, exist_ok=True)
    lengths = [1.1 + 0.15 * index for index in range(clips)]
    write_wav(master, _voice_like(sum(lengths), seed=next(_numbers)))
    starts = [0.0, *itertools.accumulate(lengths)]
    items = [
        Item(f"{i:03d}", "source", master, starts[i], starts[i + 1], TEXTS[i % len(TEXTS)], "en", "speaker")
        for i in range(clips)
    ]
    frozen = freeze(split_by_source(items, 0.2), version.folder)
    version.state, version.content_hash = VersionState.READY, frozen.hash
    version.manifest_sha256 = frozen.manifest_sha256
    version.clips_train, version.clips_validation = frozen.train_clips, frozen.validation_clips
    version.seconds_train, version.seconds_validation = frozen.train_seconds, frozen.validation_seconds
    version.save()
    return version


def _voice_like(seconds: float, seed: int) -> Audio:
    """A hum with overtones that swells and fades, with a little noise: sound that is not the same everywhere."""
    rate = 24_000
    time = np.arange(round(seconds * rate)) / rate
    pitch = 140 + 30 * np.sin(2 * np.pi * 0.7 * time)
    phase = 2 * np.pi * np.cumsum(pitch) / rate
    tones = sum(np.sin(phase * n) / n for n in (1, 2, 3, 4))
    noise = np.random.default_rng(seed).normal(0, 0.02, time.size)
    return Audio((0.15 * tones * (0.6 + 0.4 * np.sin(2 * np.pi * 3 * time)) + noise).astype(np.float32), rate)


class VersionFactory(factory.django.DjangoModelFactory):
    """A ready version without files."""

    class Meta:
        model = DatasetVersion

    class Params:
        owner = None

    dataset = factory.SubFactory(DatasetFactory, owner=factory.SelfAttribute("..owner"))
    number = 1
    state = VersionState.READY
    content_hash = factory.Sequence(lambda n: f"{n:064d}")
    clips_train = 10
    clips_validation = 2
    seconds_train = 60.0
    seconds_validation = 12.0


class RunFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = TrainingRun

    name = factory.Sequence(lambda n: f"Run {n}")
    version = factory.SubFactory(VersionFactory, owner=factory.SelfAttribute("..owner"))
    bundle = "tiny"
    spec = factory.LazyFunction(lambda: {"epochs": 3, "batch_size": 4, "learning_rate": 2e-4})
    state = RunState.SUCCEEDED
    epochs_total = 3
    steps_total = 9


class CheckpointFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Checkpoint

    epoch = factory.Sequence(lambda n: n + 1)
    step = factory.LazyAttribute(lambda checkpoint: checkpoint.epoch * 3)
    path = factory.LazyAttribute(lambda checkpoint: f"checkpoints/epoch-{checkpoint.epoch:04d}")
    bytes = 1000
    sha256 = factory.Sequence(lambda n: f"{n:064x}")
    train_loss = 4.0
    validation_loss = factory.LazyAttribute(lambda checkpoint: 5.0 - checkpoint.epoch / 10)


class SampleFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = EpochSample

    run = factory.SelfAttribute("checkpoint.run")
    epoch = factory.SelfAttribute("checkpoint.epoch")
    prompt_index = 0
    text = "The morning train was late again."
    seed = 1
    path = factory.LazyAttribute(
        lambda sample: f"samples/{f'epoch-{sample.epoch:04d}' if sample.epoch else 'base'}/prompt-0.wav"
    )
    seconds = 1.5


def write_sample(sample: EpochSample, seconds: float = 0.5) -> None:
    """The sound of a sample, a short tone at the rate of XTTS's speech."""
    sample.audio_path.parent.mkdir(parents=True, exist_ok=True)
    time = np.arange(round(seconds * 24_000)) / 24_000
    write_wav(sample.audio_path, Audio((0.2 * np.sin(2 * np.pi * 440 * time)).astype(np.float32), 24_000))
