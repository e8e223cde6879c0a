"""What every test may use: several people, a throw-away media folder, a queue that runs when told to."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import hypothesis
import pytest
from django.contrib.auth.models import Group
from rest_framework.test import APIClient

from xttsproject.accounts.groups import ensure_groups

pytest_plugins = ["tests.bundles"]

# The same examples on every run: a rare one must not fail a change that has nothing to do with it.
hypothesis.settings.register_profile("steady", derandomize=True, deadline=None)
hypothesis.settings.load_profile("steady")

ROOT = Path(__file__).resolve().parent.parent
# What `.ci/run` demands to be run; anywhere else a missing browser or folder is a reason to skip, said aloud.
DEMANDED = set(os.environ.get("DEMAND_TESTS", "").split())


def unavailable(marker: str, reason: str) -> None:
    """Skip with the reason, or fail where these tests are demanded."""
    if marker in DEMANDED:
        pytest.fail(f"{marker} tests are demanded, but {reason}", pytrace=False)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real recordings beside the checkout."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        unavailable("shared_data", "the folder ../shared/data is not there")
    return folder


@pytest.fixture(autouse=True)
def data_root(settings: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Each test has its own data folder."""
    root = tmp_path_factory.mktemp("data")
    settings.MEDIA_ROOT = root / "media"
    settings.RUNS_DIR = root / "runs"
    settings.CACHE_DIR = root / "cache"
    settings.FILE_UPLOAD_TEMP_DIR = root / "uploads"
    settings.FILE_UPLOAD_TEMP_DIR.mkdir(parents=True)
    return root


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages wait for what they would ask again about, however busy the machine is."""
    monkeypatch.setattr("training.services.usable.PATIENCE", 120.0)


@pytest.fixture
def people(db: None, django_user_model: Any) -> SimpleNamespace:
    """anna and ben are ordinary users, cora is a curator, tom a trainer (and curator), root administers."""
    # A test that commits is followed by a flush, which empties the groups too.
    ensure_groups()
    created = {
        name: django_user_model.objects.create_user(name, f"{name}@example.org", "portal-pass-1")
        for name in ("anna", "ben", "cora", "tom")
    }
    created["root"] = django_user_model.objects.create_superuser("root", "root@example.org", "portal-pass-1")
    created["cora"].groups.add(Group.objects.get(name="curator"))
    created["tom"].groups.add(Group.objects.get(name="curator"), Group.objects.get(name="trainer"))
    return SimpleNamespace(**created)


@pytest.fixture
def api_for() -> Callable[[Any], APIClient]:
    """An API client signed in as the given person."""

    def make(user: Any) -> APIClient:
        client = APIClient()
        client.force_authenticate(user)
        return client

    return make


@pytest.fixture
def page_for() -> Callable[[Any], Any]:
    """A browser-like client signed in as the given person."""
    from django.test import Client

    def make(user: Any) -> Client:
        client = Client()
        client.force_login(user)
        return client

    return make


@pytest.fixture
def work(db: None) -> Callable[[], list[str]]:
    """Do every waiting job as the workers would, those included that the work itself starts; returns their states."""
    from xttsproject.jobs.choices import JobState
    from xttsproject.jobs.models import Job
    from xttsproject.jobs.tasks import run

    def do() -> list[str]:
        states = []
        while job := Job.objects.filter(state=JobState.QUEUED).order_by("queued_at").first():
            states.append(run(str(job.pk)))
        return states

    return do
