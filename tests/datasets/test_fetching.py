"""Recordings from addresses: a server on loopback stands for the internet."""

from __future__ import annotations

from typing import Any

import pytest

from datasets.choices import SourceState
from datasets.models import SourceVideo
from tests.datasets.factories import SpeakerFactory
from tests.datasets.pipeline.conftest import server, tone_wav  # noqa: F401
from tests.datasets.pipeline.server import MisbehavingServer
from xttsproject.jobs.choices import JobState
from xttsproject.jobs.models import Job
from xttsproject.jobs.tasks import run


@pytest.fixture
def fetch(people: Any, api_for: Any, settings: Any) -> Any:
    settings.INGEST_ALLOW_PRIVATE_HOSTS = True
    speaker = SpeakerFactory(owner=people.anna)

    def start(url: str) -> tuple[SourceVideo, Job]:
        body = {"url": url, "speaker": speaker.pk, "language": "en"}
        answer = api_for(people.anna).post("/api/v1/recordings/", body)
        assert answer.status_code == 201, answer.json()
        assert answer.json()["job"]["kind"] == "datasets.fetch"
        job = Job.objects.get(pk=answer.json()["job"]["id"])
        run(str(job.pk))
        job.refresh_from_db()
        return SourceVideo.objects.get(pk=answer.json()["id"]), job

    return start
