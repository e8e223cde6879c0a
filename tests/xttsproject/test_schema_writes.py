"""Whatever is sent to change something, of any app: it is answered as described, and nothing breaks.

The requests lead to things that there are, so that they come as far as the services; each is undone before the next.
"""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from schemathesis.generation import GenerationMode

from datasets.choices import ExportState, ImportState, PlaylistState
from datasets.models import DatasetExport, DatasetImport, Playlist
from tests.datasets.factories import DatasetFactory, SpeakerFactory, reviewed_source
from tests.training.factories import CheckpointFactory, RunFactory, SampleFactory, frozen_version
from tests.voices.conftest import speaking as speaking
from tests.voices.factories import SynthesisFactory
from tests.xttsproject.fuzzing import Known, complaints, described, token_of
from training.choices import RunState
from training.models import Preference, Sweep
from voices.choices import Channel
from voices.models import DecodingSearch
from voices.services import lexicon_add, profile_copy, profile_find, voice_find
from voices.services.longform import longform_create
from voices.services.wishes import Wish
from xttsproject import storage
from xttsproject.jobs.choices import JobState
from xttsproject.jobs.models import Job
from xttsproject.library.models import ModelImport
from xttsproject.xtts.studio import studio_names

EXAMPLES = int(os.environ.get("SCHEMA_EXAMPLES", "2"))
"""Of each address; more find more, and take their time."""
WRITING = ("post", "put", "patch", "delete")
SLOW = ("/v1/audio/", "/api/v1/speech/")
"""What `test_schema` covers: it needs no thing that is there."""


def everything(user: Any) -> Known:
    """One of each kind, of this person, by the names that addresses and bodies have for them."""
    speaker = SpeakerFactory(owner=user)
    recording = reviewed_source(user, speaker=speaker)
    dataset = DatasetFactory(owner=user, speaker=speaker, sources=[recording])
    version = frozen_version(user, clips=4)
    run = RunFactory(owner=user, version=version)
    checkpoints = [CheckpointFactory(run=run, epoch=epoch) for epoch in (1, 2)]
    samples = [SampleFactory(checkpoint=each) for each in checkpoints]
    voice = voice_find(user=user, given=studio_names(storage.bundle_dir("tiny"))[0])
    long = longform_create(wish=Wish(user=user, voice=voice, text="One. Two. Three.", channel=Channel.API))
    space = {"temperature": {"low": 0.5, "high": 0.9}}
    profile = profile_copy(owner=user, profile=profile_find(user=user, given="stable"), name="Mine")
    shared: dict[str, Any] = {"owner": user, "speaker": speaker, "language": "en"}
    rows: dict[str, Any] = {
        "recordings": recording,
        "segments": recording.segments.first(),
        "datasets": dataset,
        "dataset-versions": version,
        "dataset-imports": DatasetImport.objects.create(title="Old", state=ImportState.FAILED, **shared),
        "dataset-exports": DatasetExport.objects.create(version=version, form="coqui", state=ExportState.FAILED),
        "playlists": Playlist.objects.create(
            url="https://example.org/list", title="List", state=PlaylistState.READY, **shared
        ),
        "speakers": speaker,
        "training-runs": run,
        "checkpoints": checkpoints[0],
        "comparisons": Preference.objects.create(
            run=run, voter=user, earlier=samples[0], later=samples[1], later_first=False
        ),
        "sweeps": Sweep.objects.create(
            owner=user,
            name="Sweep",
            version=version,
            bundle="tiny",
            method="grid",
            space={"rank": {"values": [4, 8]}},
            base={},
            grace_epochs=1,
            state=RunState.FAILED,
        ),
        "voices": voice,
        "decoding-searches": DecodingSearch.objects.create(
            voice=voice, asked_by=user, space=space, count=2, texts=["Hello."], state=RunState.FAILED
        ),
        "lexicon": lexicon_add(owner=user, written="SQL", spoken="sequel"),
        "profiles": profile,
        "jobs": Job.objects.create(
            kind="datasets.prepare", queue="cpu", title="Old", owner=user, state=JobState.FAILED
        ),
        "models/import": ModelImport.objects.create(owner=user, name="mine", original_name="model.pth", licence="own"),
    }
    return Known(
        places={
            **{name: [str(row.pk)] for name, row in rows.items()},
            "syntheses": [str(each.pk) for each in (long, SynthesisFactory(owner=user, voice=voice))],
            "models": ["tiny"],
        },
        fields={
            "speaker": speaker.pk,
            "sources": [str(recording.pk)],
            "recording": str(recording.pk),
            "segments": [segment.pk for segment in recording.segments.all()],
            "dataset": dataset.pk,
            "version": str(version.pk),
            "run": str(run.pk),
            "checkpoint": checkpoints[0].pk,
            "voice": str(voice.pk),
            "profile": "stable",
            "copy_of": "stable",
            "language": "en",
            "bundle": "tiny",
        },
    )


@pytest.fixture
def writing(people: Any, settings: Any, speaking: Path) -> SimpleNamespace:
    return SimpleNamespace(schema=described(), headers=token_of(people.root), known=everything(people.root))


def shows(operation: Any) -> bool:
    return operation.method == "get" and "{" in operation.path


def writes(operation: Any) -> bool:
    return operation.method in WRITING and not operation.path.startswith(SLOW)


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_what_is_sent_to_change_something_is_answered_as_described(writing, mode):
    found = complaints(writing.schema, writing.headers, mode, writes, examples=EXAMPLES, known=writing.known)
    assert found == [], "\n".join(found)


def test_what_there_is_is_shown_as_described(writing):
    found = complaints(
        writing.schema, writing.headers, GenerationMode.POSITIVE, shows, examples=EXAMPLES, known=writing.known
    )
    assert found == [], "\n".join(found)
