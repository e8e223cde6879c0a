"""What the processes of the nursery do with long texts: the portal's own services, and looks at what they left."""

from __future__ import annotations

import hashlib
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import call_command

from voices.choices import Channel
from voices.models import Synthesis, Voice
from voices.services.longform import longform_create
from voices.services.trial import trial_make
from voices.services.wishes import Wish
from xttsproject.accounts.groups import ensure_groups
from xttsproject.jobs.models import Job
from xttsproject.jobs.services import jobs_rescue
from xttsproject.lib.audio import read_wav, to_pcm16
from xttsproject.lib.files import sha256_of

LOADED = ("av", "voices.engine.owner", "voices.tasks", "xttsproject.xtts.engine", "xttsproject.xtts.tokenizer")

_SENTENCE = "Sentence number {} is as long as it takes to be by itself here."


def begin() -> str:
    """The portal's database and a ready voice of the model's own; its key."""
    call_command("migrate", verbosity=0)
    ensure_groups()
    return trial_make()["voice"]


def ask(voice: str, sentences: int, seed: int) -> str:
    """A long text; its key."""
    row = Voice.objects.get(pk=voice)
    owner = get_user_model().objects.get()
    text = "\n\n".join(_SENTENCE.format(number) for number in range(1, sentences + 1))
    made = longform_create(
        wish=Wish(
            user=owner,
            voice=row,
            text=f"# One\n\n{text}",
            sampling={"seed": seed},
            guard={"guard": "fast"},
            channel=Channel.API,
        )
    )
    return str(made.pk)


def job_of(synthesis: str) -> str:
    return str(Job.objects.about(Synthesis.objects.get(pk=synthesis)).get().pk)


def work(job: str) -> str:
    from xttsproject.jobs.tasks import run

    return run(job)


def rescue() -> int:
    return jobs_rescue()


def job(key: str) -> dict[str, Any]:
    row = Job.objects.get(pk=key)
    return {"state": row.state, "attempt": row.attempt, "error": row.error, "worker": row.worker}


def look(synthesis: str) -> dict[str, Any]:
    """How far it is, and every sentence's row beside its file."""
    row = Synthesis.objects.get(pk=synthesis)
    parts = list(row.parts.order_by("number"))
    whole = row.audio_path
    return {
        "state": row.state,
        "precision": settings.SPEECH_PRECISION,
        "folder": str(row.folder),
        "sentences": [
            [part.number, part.take, part.seed, part.seconds, part.codes, part.attempts, part.warnings]
            for part in parts
        ],
        "spoken_at": {str(part.number): str(part.spoken_at) for part in parts if part.is_spoken},
        "files": {
            part.path.name: [part.path.stat().st_mtime_ns, sha256_of(part.path)] for part in parts if part.is_spoken
        },
        # The sound alone: the file says on which day it was made.
        "whole": hashlib.sha256(to_pcm16(read_wav(whole).samples)).hexdigest() if whole.is_file() else "",
        "chapters": row.chapters,
        "seconds": row.seconds,
        "leftovers": sorted(
            path.name
            for path in (*row.folder.glob("*"), *row.folder.glob(".*"), *whole.parent.glob(".*.wav"))
            if path.name.startswith(".") or path.name not in {part.path.name for part in parts}
        ),
    }
