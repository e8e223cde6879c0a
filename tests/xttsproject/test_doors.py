"""Who gets in where: the admin's sign-in, figures, uploads, the key that signs sessions."""

import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from datasets.choices import PlaylistState
from datasets.models import Playlist
from tests.datasets.factories import SegmentFactory, SourceFactory

pytestmark = pytest.mark.django_db


def test_the_admin_has_no_sign_in_of_its_own(client, people):
    answer = client.post("/admin/login/", {"username": "root", "password": "portal-pass-1"})
    assert answer.status_code == 302
    assert answer["Location"].startswith(reverse("account_login"))
    assert "_auth_user_id" not in client.session


def test_whoever_wants_the_admin_comes_back_to_it_after_signing_in(client, people):
    answer = client.get("/admin/datasets/segment/", follow=True)
    form = {"login": "cora", "password": "portal-pass-1", "next": "/admin/datasets/segment/"}
    assert answer.redirect_chain[-1][0].startswith(reverse("account_login"))
    assert client.post(reverse("account_login"), form)["Location"] == "/admin/datasets/segment/"
    assert client.get("/admin/datasets/segment/").status_code == 200


@pytest.mark.parametrize("name", ["anna", "cora", "tom"])
def test_figures_are_not_for_everybody(page_for, people, name):
    assert page_for(getattr(people, name)).get("/metrics").status_code == 403


def test_administrators_and_the_holder_of_the_token_read_the_figures(client, page_for, people, settings):
    assert client.get("/metrics").status_code == 403
    assert b"django_http_requests" in page_for(people.root).get("/metrics").content
    settings.METRICS_TOKEN = "prometheus-token"
    assert client.get("/metrics", headers={"Authorization": "Bearer prometheus-token"}).status_code == 200
    assert client.get("/metrics", headers={"Authorization": "Bearer wrong"}).status_code == 403
    settings.METRICS_TOKEN = ""
    assert client.get("/metrics", headers={"Authorization": "Bearer "}).status_code == 403


def uploads_on_disk(monkeypatch):
    """Names of the temporary files that uploads make from here on, gone or not."""
    from django.core.files import uploadhandler

    made = []
    original: Any = vars(uploadhandler)["TemporaryUploadedFile"]

    def spy(*args, **kwargs):
        made.append(args[0])
        return original(*args, **kwargs)

    monkeypatch.setattr(uploadhandler, "TemporaryUploadedFile", spy)
    return made


@pytest.mark.parametrize("path", ["/accounts/login/", "/recordings/add/", "/api/v1/recordings/"])
def test_a_stranger_cannot_put_a_file_on_the_disk(client, monkeypatch, path):
    made = uploads_on_disk(monkeypatch)
    client.post(path, {"file": SimpleUploadedFile("big.wav", b"x" * 100_000)})
    assert made == []


def test_a_file_where_none_is_asked_for_is_read_past(page_for, people, monkeypatch):
    made = uploads_on_disk(monkeypatch)
    page_for(people.anna).post("/profile/tokens/", {"name": "x", "file": SimpleUploadedFile("a.wav", b"x" * 100_000)})
    assert made == []
    page_for(people.anna).post("/recordings/add/", {"kind": "upload", "file": SimpleUploadedFile("a.wav", b"x" * 9)})
    assert made == ["a.wav"]


def test_an_address_that_is_none_is_told_to_programs_in_their_shape(client, people):
    answer = client.get("/api/v1/nothing/")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")
    assert "text/html" in client.get("/nothing/")["Content-Type"]


def test_processes_that_start_at_once_agree_on_one_key(tmp_path):
    program = "from django.conf import settings; print(settings.SECRET_KEY)"
    environment = {**os.environ, "DATA_ROOT": str(tmp_path / "data"), "DJANGO_SETTINGS_MODULE": "xttsproject.settings"}
    starts = [
        subprocess.Popen(
            [sys.executable, "-c", program], env=environment, cwd=django_settings.BASE_DIR, stdout=subprocess.PIPE
        )
        for _ in range(6)
    ]
    keys = {start.communicate()[0].strip() for start in starts}
    assert len(keys) == 1
    assert len(keys.pop()) >= 50
    kept = Path(tmp_path, "data", "secret.key")
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert stat.S_IMODE(kept.parent.stat().st_mode) == 0o700
    assert [path.name for path in kept.parent.iterdir() if path.name.startswith(".secret-")] == []


ENDLESS = "9" * 5000


def test_numbers_of_thousands_of_digits_are_those_of_nothing(page_for, people):
    segment = SegmentFactory(source=SourceFactory(owner=people.root))
    page = page_for(people.root)
    for path in (f"/voices/add/?checkpoint={ENDLESS}", f"/admin/datasets/segment/{segment.pk}/history/{ENDLESS}/"):
        assert page.get(path).status_code == 404
    state = PlaylistState.READY
    listed = Playlist.objects.create(owner=people.root, speaker=segment.source.speaker, url="x", title="x", state=state)
    answer = page.post(f"/recordings/playlists/{listed.pk}/", {"entry": [ENDLESS]}, follow=True)
    assert "Tick the recordings that are to be fetched." in answer.content.decode()
