"""The commands of docs/API.md, run as they stand there against the running portal."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as portal_settings

from datasets.pipeline.media import decode_audio
from tests.voices.conftest import clip as clip
from tests.voices.conftest import make_voice as make_voice
from tests.voices.conftest import speaking as speaking
from voices.services.transcription import listener_close
from xttsproject.accounts.services import token_create

pytestmark = pytest.mark.django_db(transaction=True)

PAGE = Path(portal_settings.BASE_DIR, "docs", "API.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


@pytest.fixture
def portal(
    people: Any, make_voice: Any, live_server: Any, settings: Any, tmp_path: Path, tiny_whisper_bundle: Path
) -> Iterator[dict[str, str]]:
    """The environment of someone who has a voice “Vera” and follows the page in an empty folder."""
    make_voice(people.anna)
    models = tmp_path / "models"
    models.mkdir()
    for bundle in (Path(settings.MODELS_DIR, settings.XTTS_BUNDLE), tiny_whisper_bundle):
        (models / bundle.name).symlink_to(bundle)
    settings.MODELS_DIR = models
    settings.WHISPER_BUNDLE = tiny_whisper_bundle.name
    settings.WHISPER_THREADS = 1
    _row, token = token_create(user=people.anna, name="test")
    yield {**os.environ, "PORTAL": live_server.url, "TOKEN": token}
    listener_close()


def run(command: list[str], environment: dict[str, str], folder: Path) -> str:
    done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, f"{command[-1]}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def test_the_commands_of_the_page_do_what_it_says(portal, tmp_path):
    if shutil.which("curl") is None:
        pytest.skip("curl is not there")
    # The first block sets what the fixture has set.
    _export, *commands = blocks("sh")
    outputs = [run(["sh", "-c", command], portal, tmp_path) for command in commands]
    assert len(outputs) == 4
    assert '"code":"en"' in outputs[0]
    assert '"name":"Vera"' in outputs[1]
    assert decode_audio(tmp_path / "morning.mp3", 24_000).seconds > 0.3
    assert outputs[3].startswith("1\n00:00:0")

    # Of the players what they are given.
    for command, suffix in zip(blocks("text"), ("pcm", "mp3"), strict=True):
        start, player = command.rsplit("|", 1)
        assert player.split()[0] in ("ffplay", "mpv")
        run(["sh", "-c", f"{start.rstrip().removesuffix(chr(92))} > played.{suffix}"], portal, tmp_path)
    assert (tmp_path / "played.pcm").stat().st_size > 0.3 * 48_000
    assert decode_audio(tmp_path / "played.mp3", 24_000).seconds > 0.3


def test_the_programs_of_the_page_do_what_it_says(portal, tmp_path, work):
    *answered, long = blocks("python")
    first, second = (run([sys.executable, "-c", program], portal, tmp_path) for program in answered)
    assert "1\n00:00:00,000 --> " in first
    # A text, and its words with their times; a voice that is made of a buzz is not understood too well.
    assert re.match(r"\S.* \[\('[^']+', \d", second), second
    for name in ("morning.wav", "evening.wav"):
        assert decode_audio(tmp_path / name, 24_000).seconds > 0.3

    # The last one waits for a worker, which is here.
    program = subprocess.Popen(
        [sys.executable, "-c", long],
        env=portal,
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    deadline = time.monotonic() + 120
    while program.poll() is None and time.monotonic() < deadline:
        work()
        time.sleep(0.1)
    program.kill()
    told = program.communicate()[0]
    assert "'title': 'Two'" in told, told
    assert decode_audio(tmp_path / "book.m4b", 24_000).seconds > 1
