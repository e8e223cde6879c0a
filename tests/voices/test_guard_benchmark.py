"""``manage.py benchmark guard`` with the tiny models, on few sentences."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command


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
