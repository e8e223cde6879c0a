"""Wrong passwords lock out whoever sends them, also where a proxy stands between."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.core.cache import cache
from django.test import Client
from django.urls import reverse

ASKS = """
import django
django.setup()
from allauth.account.adapter import get_adapter
from django.test import RequestFactory
asked = RequestFactory().get("/", headers={"X-Forwarded-For": "203.0.113.7, 198.51.100.2"}, REMOTE_ADDR="127.0.0.1")
print(get_adapter().get_client_ip(asked))
"""


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    """Limits are counted in the cache, which outlives a test."""
    cache.clear()
    yield
    cache.clear()


def sign_in(name: str, password: str, address: str) -> Any:
    form = {"login": name, "password": password}
    return Client().post(reverse("account_login"), form, headers={"X-Forwarded-For": address})


# What comes before the proxy's own word can be made up by whoever asks.
@pytest.mark.parametrize(("behind", "address"), [("true", "198.51.100.2"), ("false", "127.0.0.1")])
def test_behind_a_proxy_the_address_that_it_saw_counts(tmp_path: Path, behind: str, address: str) -> None:
    environment = {
        **os.environ,
        "DATA_ROOT": str(tmp_path),
        "DJANGO_SETTINGS_MODULE": "xttsproject.settings",
        "BEHIND_PROXY": behind,
    }
    asked = subprocess.run(
        [sys.executable, "-c", ASKS], env=environment, cwd=django_settings.BASE_DIR, capture_output=True, check=True
    )
    assert asked.stdout.decode().strip() == address


@pytest.mark.django_db
def test_who_guesses_passwords_is_locked_out_and_nobody_else(people: Any, settings: Any) -> None:
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = 1
    for number in range(10):
        assert sign_in(f"name-{number}", "guess", "198.51.100.2").status_code == 200
    locked = sign_in("anna", "portal-pass-1", "198.51.100.2")
    assert "Too many failed login attempts" in locked.content.decode()
    assert sign_in("anna", "portal-pass-1", "203.0.113.7").status_code == 302
