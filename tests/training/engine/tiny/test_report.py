"""The page on the tiny models says what the shipped record says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.training.engine.tiny.test_goals import GOOD
from training.engine.tiny.gates.record import GATES
from training.engine.tiny.report import PAGE, filled, sections
from xttsproject.bundles.tiny import shipped
from xttsproject.lib.files import sha256_of


def test_the_page_is_in_step_with_what_is_shipped():
    text = PAGE.read_text(encoding="utf-8")
    assert filled(text, sections()) == text, "run `python -m training.engine.tiny report`"


def test_the_gates_are_those_of_the_weights_that_are_shipped():
    gates = shipped.WEIGHTS / GATES
    if gates.is_file():
        assert json.loads(gates.read_text())["weights"] == sha256_of(shipped.WEIGHTS / shipped.RECORD)
    else:
        assert not (shipped.WEIGHTS / shipped.RECORD).exists(), "weights without gates: measure them"


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    file = {"sha256": "ab" * 32, "bytes": 1_500_000, "parameters": 3}
    parts = dict.fromkeys(("gpt", "hifigan_decoder", "hifigan_decoder.speaker_encoder", "dvae", "whisper"), 2_340_000)
    stages = {"gpt": {"steps": 40, "seconds": 90.0, "validation": {"loss": 1.23456}, "found": 0.5}}
    record = {"format": 1, "files": {"xtts.safetensors": file}, "parts": parts, "stages": stages}
    (tmp_path / shipped.RECORD).write_text(json.dumps(record))
    gates = {
        "figures": {**GOOD, "load_s": 3.0, "clone_similarity": 0.81234},
        "seconds": 300,
        "machine": "m",
        "cores": 2,
    }
    (tmp_path / GATES).write_text(json.dumps(gates))
    return tmp_path


def test_files_stages_and_gates_are_told_in_tables(weights: Path):
    parts = sections(weights)
    assert f"| `xtts.safetensors` | 1.5 | `{'ab' * 32}` |" in parts["files"]
    assert "| DVAE | 2.34 million |" in parts["files"]
    assert "| gpt | 40 | 1.5 | validation: loss 1.235; found 0.5 |" in parts["stages"]
    assert "Not reached: `load_s`. Measured in 5 minutes on m (2 cores)." in parts["gates"]
    assert "clone_similarity 0.8123" in parts["gates"]


def test_only_what_stands_between_the_markers_changes():
    text = "before\n<!-- made: a -->\n\nold\n\n<!-- end: a -->\nafter\n"
    once = filled(text, {"a": "new | \\1"})
    assert once == "before\n<!-- made: a -->\n\nnew | \\1\n\n<!-- end: a -->\nafter\n"
    assert filled(once, {"a": "new | \\1"}) == once
    with pytest.raises(ValueError, match="'b' 0 times"):
        filled(text, {"b": ""})
