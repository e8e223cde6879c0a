"""``manage.py benchmark guard`` with the tiny models, on few sentences."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from training.engine.tiny.voices import HELD_VOICES
from voices.engine.planted.material import texts_for
from xttsproject.xtts.text import plan


def test_it_prints_recall_and_false_alarms_of_every_fault(tmp_path: Path) -> None:
    out = StringIO()
    call_command("benchmark", "guard", "--work", str(tmp_path), "--voices", "1", "--each", "10", stdout=out)
    text = out.getvalue()
    measured = json.loads(text.strip().splitlines()[-1])

    assert measured.pop("benchmark") == "guard"
    assert set(measured) == {"babble", "truncation", "loop", "silence", "clipping", "no_stop", "tail"}
    assert all(set(figures) == {"recall", "false_alarms"} for figures in measured.values())
    # What a few sentences can tell for certain; the whole of it stands in docs/BENCHMARKS.md.
    for fault in ("silence", "clipping", "no_stop"):
        assert measured[fault] == {"recall": 1.0, "false_alarms": 0.0}
    # The other four are told by likeness and length: of few sentences one may be missed in each, not all in any.
    assert all(figures["recall"] > 0 for figures in measured.values())
    assert sum(figures["recall"] for figures in measured.values()) >= 5
    assert "| babble |" in text


def test_it_refuses_too_little(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="--voices must be from 1 to 10"):
        call_command("benchmark", "guard", "--work", str(tmp_path), "--voices", "0")


def test_every_voice_is_given_texts_that_are_said_in_one_go() -> None:
    """Two sentences in one text would be two utterances, and their codes nobody's."""

    def planned(text: str, language: str) -> list[str]:
        return plan(text, language, lambda piece: (len(piece), len(piece)))

    for voice in HELD_VOICES[:10]:
        texts = texts_for(voice.key, 40, planned)
        assert len(set(texts)) == 40
        assert all(len(planned(text, "en")) == 1 for text in texts)
