"""Rows of the recordings side; files only where a test asks for them."""

from __future__ import annotations

import hashlib
import itertools
from typing import Any

import factory
import numpy as np

from datasets.choices import ConsentKind, Origin, ReviewStatus, SourceState
from datasets.models import Dataset, Segment, SourceVideo, Speaker
from xttsproject.lib.audio import Audio, write_wav

_numbers = itertools.count(1)


class SpeakerFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Speaker

    name = factory.Sequence(lambda n: f"Speaker {n}")
    consent_kind = ConsentKind.SELF
    consent_statement = "I agree that my voice may be cloned."
    consent_by = factory.SelfAttribute("owner")


class SourceFactory(factory.django.DjangoModelFactory):
    """A recording that is ready for review, without files."""

    class Meta:
        model = SourceVideo

    speaker = factory.SubFactory(SpeakerFactory, owner=factory.SelfAttribute("..owner"))
    title = factory.Sequence(lambda n: f"Recording {n}")
    language = "en"
    origin = Origin.UPLOAD
    original = "original.wav"
    original_name = "talk.wav"
    sha256 = factory.LazyFunction(lambda: hashlib.sha256(str(next(_numbers)).encode()).hexdigest())
    seconds = 60.0
    state = SourceState.READY


class SegmentFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Segment

    index = factory.Sequence(lambda n: n + 1)
    start = factory.LazyAttribute(lambda segment: (segment.index - 1) * 3.0)
    end = factory.LazyAttribute(lambda segment: segment.start + 2.5)
    text = factory.LazyAttribute(lambda segment: f"This is sentence number {segment.index}.")
    machine_text = factory.SelfAttribute("text")
    status = ReviewStatus.PENDING


class DatasetFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Dataset
        skip_postgeneration_save = True

    speaker = factory.SubFactory(SpeakerFactory, owner=factory.SelfAttribute("..owner"))
    name = factory.Sequence(lambda n: f"Dataset {n}")
    language = "en"

    @factory.post_generation
    def sources(self, create: bool, extracted: Any, **_: Any) -> None:
        if extracted:
            self.sources.set(extracted)


def write_master(source: SourceVideo, seconds: float, seed: int = 0) -> None:
    """A master of quiet noise, different for each ``seed``."""
    samples = np.random.default_rng(seed).normal(0, 0.05, round(seconds * 24_000)).astype(np.float32)
    source.master_path.parent.mkdir(parents=True, exist_ok=True)
    write_wav(source.master_path, Audio(samples, 24_000))


def reviewed_source(
    owner: Any, *, segments: int = 4, status: str = ReviewStatus.APPROVED, **fields: Any
) -> SourceVideo:
    """A recording with its master and ``segments`` segments of one status."""
    source = SourceFactory(owner=owner, **fields)
    write_master(source, segments * 3.0, seed=next(_numbers))
    for index in range(1, segments + 1):
        SegmentFactory(source=source, index=index, status=status)
    return source
