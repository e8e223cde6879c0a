"""A real browser, and a real portal with its workers on a data folder of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT, unavailable
from xttsproject.demo.processes import PortalProcesses, free_port


@dataclass(frozen=True)
class RunningPortal:
    """Where it serves, who may sign in (name → password), and what its workers have written to the log."""

    address: str
    passwords: dict[str, str]
    log: Path
    environment: dict[str, str]

    @property
    def data(self) -> Path:
        return Path(self.environment["DATA_ROOT"])

    def manage(self, *words: str) -> str:
        """What a management command of this portal prints."""
        command = [sys.executable, "manage.py", *words]
        done = subprocess.run(command, cwd=ROOT, env=self.environment, check=True, stdout=subprocess.PIPE, text=True)
        return done.stdout


@pytest.fixture(scope="session")
def running_portal(
    tmp_path_factory: pytest.TempPathFactory, tiny_bundle: Path, tiny_whisper_bundle: Path
) -> Iterator[RunningPortal]:
    """Started once, because starting takes seconds; what the tests make lies in it side by side."""
    root = tmp_path_factory.mktemp("portal")
    models = root / "models"
    models.mkdir()
    for bundle in (tiny_bundle, tiny_whisper_bundle):
        (models / bundle.name).symlink_to(bundle)
    environment = {
        **os.environ,
        "DATA_ROOT": str(root),
        "MODELS_DIR": str(models),
        "DATABASE_URL": "",
        "XTTS_BUNDLE": tiny_bundle.name,
        "WHISPER_BUNDLE": tiny_whisper_bundle.name,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    environment.pop("DJANGO_SETTINGS_MODULE", None)
    portal = RunningPortal("", {}, root / "portal.log", environment)
    portal.manage("prepare")
    people = json.loads(portal.manage("demo_people"))
    # Workers that start at the same moment would find the same port free.
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    with PortalProcesses(ROOT, environment, root / "portal.log", free_port(8400 + 50 * worker)) as processes:
        passwords = {name: person["password"] for name, person in people.items()}
        yield replace(portal, address=processes.address, passwords=passwords)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """Chromium from the system; Playwright's own download is not needed.

    It ends with its file: while Playwright runs, its thread has an event loop, and Django lets no other test of the
    same process touch the database.
    """
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=20_000)
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        unavailable("browser", "no chromium was found on the PATH")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program,
            args=["--no-sandbox", "--disable-background-networking", "--autoplay-policy=no-user-gesture-required"],
        )
        yield browser
        browser.close()


class Person:
    """Somebody with a browser window of their own; what the page complains about is kept in ``complaints``."""

    def __init__(self, chromium: Any, portal: RunningPortal, name: str, width: int = 1280):
        self.portal, self.name = portal, name
        # Bootstrap scrolls smoothly where motion is welcome; a place that is read meanwhile is none.
        self.context = chromium.new_context(
            viewport={"width": width, "height": 900}, base_url=portal.address, reduced_motion="reduce"
        )
        self.context.set_default_timeout(20_000)
        self.page = self.context.new_page()
        self.complaints: list[str] = []
        self.page.on("console", self._said)
        self.page.on("response", self._answered)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _said(self, message: Any) -> None:
        # What did not load is kept with its address below.
        if message.type == "error" and "Failed to load resource" not in message.text:
            self.complaints.append(message.text)

    def _answered(self, response: Any) -> None:
        if response.status >= 400:
            self.complaints.append(f"{response.status} {response.url}")

    def sign_in(self) -> Any:
        self.page.goto("/accounts/login/")
        self.page.get_by_label("Username").or_(self.page.get_by_label("Login")).first.fill(self.name)
        self.page.get_by_label("Password", exact=True).fill(self.portal.passwords[self.name])
        self.page.get_by_role("button", name="Sign in").click()
        self.page.wait_for_url("**/")
        return self.page


@pytest.fixture
def person(chromium: Any, running_portal: RunningPortal) -> Iterator[Any]:
    """Makes people with windows; closes the windows."""
    made: list[Person] = []

    def make(name: str, **options: Any) -> Person:
        made.append(Person(chromium, running_portal, name, **options))
        return made[-1]

    yield make
    for one in made:
        one.context.close()
