"""Steps of the benchmark of long texts, each for a process of its own; what they return is JSON."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from itertools import islice
from random import Random
from typing import Any

import numpy as np
from django.utils import timezone

from training.engine.tiny.texts import sentences
from voices.choices import Channel
from voices.engine.memory import peak_bytes, resident_bytes
from voices.models import Synthesis, Voice
from voices.services.longform import longform_create, longform_regenerate
from voices.services.longform_planning import longform_plan
from voices.services.longform_sound import longform_join
from voices.services.longform_speaking import Booth
from voices.services.runtime import longform_owner
from voices.services.wishes import Wish
from xttsproject.jobs.models import Job
from xttsproject.jobs.services import jobs_rescue
from xttsproject.jobs.tasks import run
from xttsproject.lib.audio import Samples, read_wav
from xttsproject.lib.progress import Silent

_SEED = 5
_ALIKE = 0.02
"""Of full scale."""
_FRAME = 480
"""Samples of 20 ms."""


def trial_plan(*, voice: str, characters: int) -> dict[str, Any]:
    """Ask for a text of about so many characters and cut it into sentences, as the job would."""
    row = Voice.objects.select_related("owner").get(pk=voice)
    text = "\n\n".join(_paragraphs(characters))
    asked = _Clock()
    synthesis = longform_create(
        wish=Wish(user=row.owner, voice=row, text=text, sampling={"seed": _SEED}, channel=Channel.API)
    )
    request, planned = asked.cpu, _Clock()
    longform_plan(synthesis=synthesis, progress=Silent())
    return {
        "synthesis": str(synthesis.pk),
        "job": str(Job.objects.about(synthesis).get().pk),
        "folder": str(synthesis.folder),
        "characters": len(text),
        "sentences": synthesis.parts.count(),
        "request_seconds": request,
        "plan_seconds": planned.cpu,
    }


def trial_resume(*, job: str) -> dict[str, Any]:
    """Go on after a worker was killed, to the end: how many sentences that took, and after how long by the clock the
    first of them was kept, everything loaded anew."""
    began, clock = timezone.now(), _Clock()
    told: list[str] = []
    first: list[float] = []

    def watch(_fraction: float, message: str) -> None:
        if not message.endswith(" sentences"):
            return
        told.append(message)
        if not first and message != told[0]:
            first.append(clock.wall)

    jobs_rescue()
    state = run(job, watch)
    synthesis = Synthesis.objects.get(pk=Job.objects.get(pk=job).subject_id)
    return {
        "state": state,
        "sentences": synthesis.parts.filter(spoken_at__gte=began).count(),
        "first_seconds": first[0] if first else clock.wall,
        "peak_mb": peak_bytes() / 1e6,
    }


def trial_compare(*, synthesis: str, count: int) -> dict[str, Any]:
    """Some of its sentences a request at a time, the next asked for when one is there; then the same ones, said anew
    as the job says them, each written down.

    Same code, seeds and guard on both sides. One sentence is spoken before the clock starts. ``alone`` and ``together``
    are seconds of sound for each second of the processor; ``different`` counts sentences that say something else.
    """
    row = Synthesis.objects.get(pk=synthesis)
    parts = list(row.parts.order_by("number"))
    chosen = parts[:: max(1, len(parts) // count)][:count]
    booth, bell, said = Booth(row), threading.Event(), []
    with longform_owner() as owner:
        booth.begin(owner, bell, chosen[0]).ticket.wait()
        clock = _Clock()
        for part in chosen:
            speech = booth.begin(owner, bell, part).ticket.wait()
            assert speech is not None
            said.append(speech.audio)
        alone = clock.cpu
    for part in chosen:
        longform_regenerate(sentence=part, seed=part.seed)
    clock = _Clock()
    ends: list[float] = []

    def watch(_fraction: float, message: str) -> None:
        if message == "joining":
            ends.append(clock.cpu)

    state = run(str(Job.objects.about(row).active().get().pk), watch)
    together = ends[0] if ends else clock.cpu
    seconds = sum(audio.seconds for audio in said)
    again = list(row.parts.filter(pk__in=[part.pk for part in chosen]).order_by("number"))
    return {
        "state": state,
        "sentences": len(chosen),
        "alone": seconds / alone,
        "together": sum(part.seconds for part in again) / together,
        "different": sum(
            not _alike(read_wav(part.path).samples, audio.samples) for part, audio in zip(again, said, strict=True)
        ),
    }


def _alike(one: Samples, other: Samples) -> bool:
    """Whether they say the same: as many codes, as loud in every 20 ms. The waves themselves part with the rounding of
    several threads, because the tiny model's decoder has a tone whose phase adds up."""
    return len(one) == len(other) and float(np.abs(_loud(one) - _loud(other)).max()) <= _ALIKE


def _loud(samples: Samples) -> Samples:
    frames = samples[: len(samples) // _FRAME * _FRAME].reshape(-1, _FRAME)
    loud: Samples = np.sqrt((frames**2).mean(axis=1))
    return loud


def trial_join(*, synthesis: str) -> dict[str, Any]:
    """Join it once more."""
    row = Synthesis.objects.get(pk=synthesis)
    before, clock = resident_bytes() or 0, _Clock()
    longform_join(synthesis=row, progress=Silent())
    return {
        "audio_seconds": row.seconds,
        "cpu_seconds": clock.cpu,
        "growth_mb": max(0.0, peak_bytes() - before) / 1e6,
    }


class _Clock:
    """The seconds of all threads of this process, and those on the wall, since it was made."""

    def __init__(self) -> None:
        self._cpu, self._wall = time.process_time(), time.monotonic()

    @property
    def cpu(self) -> float:
        return time.process_time() - self._cpu

    @property
    def wall(self) -> float:
        return time.monotonic() - self._wall


def _paragraphs(characters: int) -> Iterator[str]:
    """Chapters of paragraphs of two to six sentences, the same each time."""
    random, row, written = Random(_SEED), sentences("a long text"), 0  # noqa: S311 - to be repeated, not a secret
    for number in range(characters):
        words = f"# Chapter {number // 32 + 1}" if number % 32 == 0 else " ".join(islice(row, random.randint(2, 6)))
        if written + len(words) > characters:
            return
        written += len(words) + 2
        yield words


STEPS: dict[str, Callable[..., dict[str, Any]]] = {
    "plan": trial_plan,
    "resume": trial_resume,
    "compare": trial_compare,
    "join": trial_join,
}
